/** The frame of the pages before sign-in: brand, language, theme, one card. */
import { Languages, Moon, Sun } from 'lucide-react'
import type { ReactNode } from 'react'
import { showLanguage } from '../app/language'
import { setPreference, usePreferences } from '../app/preferences'
import { IconButton } from '../design/Button'
import { useLanguage, useT } from '../i18n/t'
import './door.css'

export function Door(props: { title: string; lead?: ReactNode; children: ReactNode }) {
  const t = useT()
  const language = useLanguage()
  const { theme } = usePreferences()
  const dark =
    theme === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark'
  return (
    <div className="door">
      <div className="door-tools">
        <IconButton
          label={dark ? t('theme.to_light') : t('theme.to_dark')}
          onClick={() => setPreference('theme', dark ? 'light' : 'dark')}
        >
          {dark ? <Sun size={16} /> : <Moon size={16} />}
        </IconButton>
        <button
          type="button"
          className="btn btn-quiet"
          lang={language === 'ja' ? 'en' : 'ja'}
          onClick={() => void showLanguage(language === 'ja' ? 'en' : 'ja')}
        >
          <Languages size={16} aria-hidden="true" />
          {language === 'ja' ? 'English' : '日本語'}
        </button>
      </div>
      <main className="door-main">
        <div className="door-brand">
          <img src="/favicon.svg" width="44" height="44" alt="" />
          <span>PoppoBuilder</span>
        </div>
        <section className="card door-card">
          <h1>{props.title}</h1>
          {props.lead && <p className="door-lead">{props.lead}</p>}
          {props.children}
        </section>
      </main>
    </div>
  )
}
