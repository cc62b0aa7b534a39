/** Re-run: go on in the same conversation, or start over. */
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { useRetryExecutionMutation } from '../../api/executions'
import type { Execution } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice } from '../../design/feedback'
import { type Key, useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'

const choices: { session: 'same' | 'fresh'; label: Key; text: Key }[] = [
  { session: 'same', label: 'retry.same', text: 'retry.same_text' },
  { session: 'fresh', label: 'retry.fresh', text: 'retry.fresh_text' },
]

export default function RetryDialog(props: { execution: Execution; onClose: () => void }) {
  const t = useT()
  const navigate = useNavigate()
  const resumable = props.execution.session_id !== null
  const [session, setSession] = useState<'same' | 'fresh'>(resumable ? 'same' : 'fresh')
  const [retry, { isLoading, error }] = useRetryExecutionMutation()
  const run = async () => {
    const result = await retry({ id: props.execution.id, session })
    if (result.data) {
      props.onClose()
      navigate(`/executions/${result.data.id}`)
    }
  }
  return (
    <Dialog
      title={t('retry.title')}
      onClose={props.onClose}
      actions={
        <>
          <Button onClick={props.onClose}>{t('action.cancel')}</Button>
          <Button primary busy={isLoading} onClick={() => void run()}>
            {t('execution.retry')}
          </Button>
        </>
      }
    >
      <fieldset className="choices">
        <legend className="visually-hidden">{t('retry.title')}</legend>
        {choices.map((choice) => {
          const off = choice.session === 'same' && !resumable
          return (
            <label key={choice.session} className="choice" data-off={off || undefined}>
              <input
                type="radio"
                name="session"
                checked={session === choice.session}
                disabled={off}
                onChange={() => setSession(choice.session)}
              />
              <span>
                <b>{t(choice.label)}</b>
                <span className="muted">{off ? t('retry.no_session') : t(choice.text)}</span>
              </span>
            </label>
          )
        })}
      </fieldset>
      {error && <ErrorNotice error={error} />}
    </Dialog>
  )
}
