/** The queue of all projects together: pausing it, and how much of a kind may work at once. */
import { usePauseQueueMutation, useResumeQueueMutation } from '../../api/queue'
import type { Queue } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { ErrorNotice, Notice } from '../../design/feedback'
import { RelativeTime } from '../../design/Time'
import { useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import { useWhyNot } from '../../parts/permissions'
import { Limits } from './Limits'

function Paused({ pause, why }: { pause: NonNullable<Queue['pause']>; why: string | null }) {
  const t = useT()
  const [resume, { isLoading, error }] = useResumeQueueMutation()
  return (
    <>
      <Notice
        tone="warn"
        title={t('queue.paused_by', { who: pause.by })}
        action={
          <Button primary busy={isLoading} why={why} onClick={() => void resume()}>
            {t('queue.resume')}
          </Button>
        }
      >
        {pause.note && <p>{pause.note}</p>}
        <p className="muted">
          <RelativeTime at={pause.at} />
        </p>
      </Notice>
      {error && <ErrorNotice error={error} title={t('queue.not_resumed')} />}
    </>
  )
}

function Pause({ why }: { why: string | null }) {
  const t = useT()
  const [pause, { isLoading, error }] = usePauseQueueMutation()
  return (
    <Form
      className="queue-part"
      onSubmit={async (data) => {
        await pause(String(data.get('note')))
      }}
    >
      <p className="muted">{t('queue.pause_text')}</p>
      <div className="queue-pause">
        <Field name="note" label={t('queue.note')}>
          {(parts) => (
            <input
              {...parts}
              className="input"
              maxLength={500}
              autoComplete="off"
              disabled={why !== null}
            />
          )}
        </Field>
        <Button type="submit" busy={isLoading} why={why}>
          {t('queue.pause')}
        </Button>
      </div>
      {error && <ErrorNotice error={error} title={t('queue.not_paused')} withFields />}
    </Form>
  )
}

export default function QueueDialog({ queue, onClose }: { queue: Queue; onClose: () => void }) {
  const t = useT()
  const why = useWhyNot('ADMINISTER')
  const { queued, running, waiting } = queue
  return (
    <Dialog wide title={t('queue.title')} onClose={onClose}>
      <div className="dialog-body">
        <p>{t('queue.counts', { queued, running, waiting })}</p>
        {queue.pause ? <Paused pause={queue.pause} why={why} /> : <Pause why={why} />}
        <Limits limits={queue.limits} why={why} />
      </div>
    </Dialog>
  )
}
