/** How urgent a queued execution is: its priority and its deadline. */
import { useUpdateExecutionMutation } from '../../api/executions'
import type { Execution } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { ErrorNotice } from '../../design/feedback'
import { useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import { type Priority, PrioritySelect } from '../../parts/priority'

const MINUTE_MS = 60_000

/** What an input of type datetime-local holds: the clock on this person's wall. */
function onWall(at: string | null): string {
  if (at === null) return ''
  const time = Date.parse(at)
  return new Date(time - new Date(time).getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16)
}

export default function UrgencyDialog(props: { execution: Execution; onClose: () => void }) {
  const { execution, onClose } = props
  const t = useT()
  const [update, { isLoading, error }] = useUpdateExecutionMutation()

  const submit = async (data: FormData) => {
    const deadline = String(data.get('deadline'))
    const result = await update({
      id: execution.id,
      body: {
        priority: String(data.get('priority')) as Priority,
        // A deadline that was not touched keeps its seconds.
        ...(deadline !== onWall(execution.deadline_at) && {
          deadline_at: deadline ? new Date(deadline).toISOString() : null,
        }),
      },
    })
    if (result.data) onClose()
  }

  return (
    <Dialog title={t('queue.urgency')} onClose={onClose}>
      <Form className="dialog-body" onSubmit={submit}>
        <Field name="priority" label={t('priority.title')} help={t('priority.help')}>
          {(parts) => <PrioritySelect {...parts} defaultValue={execution.priority} />}
        </Field>
        <Field name="deadline" label={t('queue.deadline')} help={t('queue.deadline_help')}>
          {(parts) => (
            <input
              {...parts}
              className="input"
              type="datetime-local"
              defaultValue={onWall(execution.deadline_at)}
            />
          )}
        </Field>
        {error && <ErrorNotice error={error} title={t('settings.failed')} withFields />}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" primary busy={isLoading}>
            {t('settings.save')}
          </Button>
        </div>
      </Form>
    </Dialog>
  )
}
