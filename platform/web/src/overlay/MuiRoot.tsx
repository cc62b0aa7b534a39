/**
 * The only door to MUI's theme. Everything MUI is behind lazy(): dialogs, menus and long forms; the
 * first view never loads it. Colours are our tokens, so there is one look and one dark mode.
 *
 * `speedy` makes Emotion write rules through the CSSOM: under the platform's content policy an inline
 * <style> with text would be refused.
 */
import createCache from '@emotion/cache'
import { CacheProvider } from '@emotion/react'
import { createTheme, ThemeProvider } from '@mui/material/styles'
import type { ReactNode } from 'react'

const cache = createCache({ key: 'mui', speedy: true })

const palette = {
  primary: { main: 'var(--accent)', dark: 'var(--accent-hover)', contrastText: 'var(--accent-fg)' },
  error: { main: 'var(--fail)' },
  warning: { main: 'var(--warn)' },
  success: { main: 'var(--ok)' },
  info: { main: 'var(--run)' },
  text: { primary: 'var(--text)', secondary: 'var(--text-2)', disabled: 'var(--text-3)' },
  divider: 'var(--line)',
  background: { default: 'var(--bg)', paper: 'var(--surface)' },
}

const theme = createTheme({
  cssVariables: { nativeColor: true },
  palette,
  shape: { borderRadius: 6 },
  typography: {
    fontFamily: 'var(--font)',
    fontSize: 13.5,
    htmlFontSize: 16,
    body1: { fontSize: '13.5px', lineHeight: '20px' },
    body2: { fontSize: '12.5px', lineHeight: '18px' },
    button: { textTransform: 'none', fontWeight: 600, fontSize: '13.5px' },
  },
  components: {
    MuiButtonBase: { defaultProps: { disableRipple: true } },
    MuiPaper: { styleOverrides: { root: { backgroundImage: 'none' } } },
    MuiDialog: {
      styleOverrides: {
        paper: {
          border: '1px solid var(--line)',
          borderRadius: 'var(--r3)',
          boxShadow: 'var(--shadow-pop)',
        },
      },
    },
    MuiBackdrop: {
      styleOverrides: { root: { '&:not(.MuiBackdrop-invisible)': { background: 'var(--scrim)' } } },
    },
    MuiDialogTitle: {
      styleOverrides: {
        root: {
          fontSize: '16px',
          fontWeight: 650,
          lineHeight: '24px',
          padding: '20px 60px 8px 24px',
        },
      },
    },
    MuiDialogContent: { styleOverrides: { root: { padding: '0 24px 20px' } } },
    MuiDialogActions: {
      defaultProps: { disableSpacing: true },
      styleOverrides: { root: { padding: '8px 24px 20px', gap: 8 } },
    },
    MuiMenu: {
      styleOverrides: {
        paper: {
          minWidth: 200,
          border: '1px solid var(--line)',
          borderRadius: 'var(--r3)',
          boxShadow: 'var(--shadow-pop)',
        },
      },
    },
    MuiMenuItem: {
      styleOverrides: { root: { minHeight: 34, fontSize: '13.5px', gap: 10, lineHeight: '20px' } },
    },
    MuiOutlinedInput: {
      styleOverrides: {
        root: {
          background: 'var(--surface)',
          fontSize: '13.5px',
          '&.Mui-focused .MuiOutlinedInput-notchedOutline': { borderColor: 'var(--focus)' },
          '&.Mui-disabled .MuiOutlinedInput-notchedOutline.MuiOutlinedInput-notchedOutline': {
            borderColor: 'var(--line)',
          },
        },
        notchedOutline: { borderColor: 'var(--line-strong)' },
        input: {
          height: '20px',
          lineHeight: '20px',
          '&.Mui-disabled': { WebkitTextFillColor: 'var(--text-2)' }, // it is there to be read
        },
      },
    },
    MuiChip: {
      styleOverrides: {
        root: {
          '&.Mui-disabled': { opacity: 1, color: 'var(--text-2)' },
          '&.Mui-disabled .MuiChip-deleteIcon': { display: 'none' },
        },
      },
    },
    MuiFormHelperText: {
      styleOverrides: { root: { marginLeft: 0, fontSize: '12.5px', lineHeight: '18px' } },
    },
    MuiSwitch: {
      styleOverrides: {
        thumb: { boxShadow: 'none', border: '1px solid var(--line-strong)' },
        track: {
          opacity: 1,
          border: '1px solid var(--line-strong)',
          background: 'var(--surface-3)',
          '.Mui-checked.Mui-checked + &': { opacity: 1, background: 'var(--accent)' },
        },
      },
    },
  },
})

export function MuiRoot({ children }: { children: ReactNode }) {
  return (
    <CacheProvider value={cache}>
      <ThemeProvider theme={theme}>{children}</ThemeProvider>
    </CacheProvider>
  )
}
