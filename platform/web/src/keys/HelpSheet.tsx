/** What keys work here and now, and the switch that turns single keys off. */
import { Fragment, useSyncExternalStore } from 'react'
import { setPreference, usePreferences } from '../app/preferences'
import { type Key, useT } from '../i18n/t'
import { Dialog } from '../overlay/lazy'
import { type Registered, type Scope, shortcuts, subscribeShortcuts } from './registry'
import './help.css'

const scopes: { scope: Scope; label: Key }[] = [
  { scope: 'global', label: 'keys.scope.global' },
  { scope: 'list', label: 'keys.scope.list' },
  { scope: 'execution', label: 'keys.scope.execution' },
  { scope: 'log', label: 'keys.scope.log' },
]

function Keys({ keys }: { keys: string }) {
  return (
    <span className="help-keys">
      {keys.split(' ').map((part, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the order is the meaning
        <Fragment key={i}>
          {part.split('+').map((key) => (
            <kbd key={key}>{key.length === 1 ? key.toUpperCase() : key}</kbd>
          ))}
        </Fragment>
      ))}
    </span>
  )
}

export function HelpSheet({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { keys } = usePreferences()
  const all: Registered[] = useSyncExternalStore(subscribeShortcuts, shortcuts)
  return (
    <Dialog title={t('keys.title')} onClose={onClose} wide>
      <div className="dialog-body">
        <label className="help-switch">
          <input
            type="checkbox"
            checked={keys === 'on'}
            onChange={(event) => setPreference('keys', event.target.checked ? 'on' : 'off')}
          />
          {t('keys.switch')}
        </label>
        <div className="help-groups">
          {scopes.map(({ scope, label }) => {
            const mine = all.filter((shortcut) => shortcut.scope === scope)
            if (mine.length === 0) return null
            return (
              <section key={scope}>
                <h3>{t(label)}</h3>
                <dl>
                  {mine.map((shortcut) => (
                    <div key={shortcut.keys}>
                      <dt>{t(shortcut.label)}</dt>
                      <dd>
                        <Keys keys={shortcut.keys} />
                      </dd>
                    </div>
                  ))}
                </dl>
              </section>
            )
          })}
        </div>
      </div>
    </Dialog>
  )
}
