/** A dialog: titled, closed by Escape, focus kept inside and given back. Loaded on first use. */
import MuiDialog from '@mui/material/Dialog'
import DialogActions from '@mui/material/DialogActions'
import DialogContent from '@mui/material/DialogContent'
import DialogTitle from '@mui/material/DialogTitle'
import { X } from 'lucide-react'
import { type ReactNode, useId } from 'react'
import { IconButton } from '../design/Button'
import { useT } from '../i18n/t'
import { MuiRoot } from './MuiRoot'

export interface DialogProps {
  title: string
  children: ReactNode
  actions?: ReactNode
  onClose: () => void
  /** Questions about harm are alerts: a click outside does not answer them. */
  alert?: boolean
  wide?: boolean
}

export default function Dialog(props: DialogProps) {
  const t = useT()
  const title = useId()
  return (
    <MuiRoot>
      <MuiDialog
        open
        fullWidth
        maxWidth={props.wide ? 'md' : 'xs'}
        aria-labelledby={title}
        role={props.alert ? 'alertdialog' : 'dialog'}
        onClose={(_event, reason) => {
          if (props.alert && reason === 'backdropClick') return
          props.onClose()
        }}
      >
        <DialogTitle id={title}>{props.title}</DialogTitle>
        {!props.alert && (
          <div className="dialog-close">
            <IconButton label={t('action.close')} onClick={props.onClose}>
              <X size={18} />
            </IconButton>
          </div>
        )}
        <DialogContent>{props.children}</DialogContent>
        {props.actions && <DialogActions>{props.actions}</DialogActions>}
      </MuiDialog>
    </MuiRoot>
  )
}
