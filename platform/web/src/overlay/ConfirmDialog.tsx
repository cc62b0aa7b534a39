/** Asks before something that matters. What cannot be undone needs the name typed. */
import { type ReactNode, useId, useState } from 'react'
import { Button } from '../design/Button'
import { ErrorNotice } from '../design/feedback'
import { focusOnMount } from '../design/focus'
import { useT } from '../i18n/t'
import Dialog from './Dialog'

export interface ConfirmProps {
  title: string
  children: ReactNode
  /** The act itself, never "OK". */
  confirm: string
  danger?: boolean
  /** Not doing it, where "Cancel" would be misread. */
  dismiss?: string
  /** Must be typed before the button works. */
  typed?: string
  onConfirm: () => Promise<unknown>
  onClose: () => void
}

export default function ConfirmDialog(props: ConfirmProps) {
  const t = useT()
  const id = useId()
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)

  const run = async () => {
    setBusy(true)
    setError(null)
    try {
      await props.onConfirm()
      props.onClose()
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }

  const wrong = props.typed !== undefined && text !== props.typed
  return (
    <Dialog
      alert
      title={props.title}
      onClose={props.onClose}
      actions={
        <>
          <button ref={focusOnMount} type="button" className="btn" onClick={props.onClose}>
            {props.dismiss ?? t('action.cancel')}
          </button>
          <Button
            primary={!props.danger}
            danger={props.danger}
            busy={busy}
            why={wrong ? t('confirm.type_first') : null}
            onClick={() => void run()}
          >
            {props.confirm}
          </Button>
        </>
      }
    >
      <div className="dialog-body">
        {props.children}
        {props.typed !== undefined && (
          <div className="field">
            <label htmlFor={id}>{t('confirm.type', { name: props.typed })}</label>
            <input
              id={id}
              className="input mono"
              value={text}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
        )}
        {error !== null && <ErrorNotice error={error} />}
      </div>
    </Dialog>
  )
}
