/** Starting work by hand: an issue by its number, or a task in words. */
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { useCreateExecutionMutation } from '../../api/executions'
import type { ExecutionCreate, Project } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { ErrorNotice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import { type Priority, PrioritySelect } from '../../parts/priority'

export default function RunDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const t = useT()
  const navigate = useNavigate()
  const [kind, setKind] = useState<'issue' | 'task'>('issue')
  const [key] = useState(() => crypto.randomUUID()) // a second press is the same wish
  const [create, { isLoading, error }] = useCreateExecutionMutation()

  const submit = async (data: FormData) => {
    const priority = String(data.get('priority')) as Priority
    const body: ExecutionCreate =
      kind === 'issue'
        ? { issue_number: Number(String(data.get('issue')).replace('#', '')), priority }
        : { title: String(data.get('title')).trim(), prompt: String(data.get('prompt')), priority }
    const result = await create({ project: project.id, body, key: `${key}-${kind}` })
    if (result.data) {
      onClose()
      navigate(`/executions/${result.data.id}`)
    }
  }

  return (
    <Dialog title={t('run.title', { name: project.name })} onClose={onClose}>
      <Form className="dialog-body" onSubmit={submit}>
        <div className="segmented">
          <button type="button" aria-pressed={kind === 'issue'} onClick={() => setKind('issue')}>
            {t('run.by_issue')}
          </button>
          <button type="button" aria-pressed={kind === 'task'} onClick={() => setKind('task')}>
            {t('run.by_task')}
          </button>
        </div>
        {kind === 'issue' ? (
          <Field name="issue" label={t('run.issue')} help={t('run.issue_help')}>
            {(parts) => (
              <input
                {...parts}
                ref={focusOnMount}
                className="input"
                inputMode="numeric"
                pattern="\s*#?[1-9][0-9]{0,8}\s*"
                data-form={t('run.issue_form')}
                placeholder="123"
                autoComplete="off"
                required
              />
            )}
          </Field>
        ) : (
          <>
            <Field name="title" label={t('run.task_title')}>
              {(parts) => (
                <input
                  {...parts}
                  ref={focusOnMount}
                  className="input"
                  required
                  maxLength={300}
                  autoComplete="off"
                />
              )}
            </Field>
            <Field name="prompt" label={t('run.task_prompt')} help={t('run.task_help')}>
              {(parts) => (
                <textarea {...parts} className="input" rows={6} required maxLength={100_000} />
              )}
            </Field>
          </>
        )}
        <Field name="priority" label={t('priority.title')}>
          {(parts) => <PrioritySelect {...parts} defaultValue="normal" />}
        </Field>
        {error && <ErrorNotice error={error} title={t('run.failed')} withFields />}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" primary busy={isLoading}>
            {t('project.run')}
          </Button>
        </div>
      </Form>
    </Dialog>
  )
}
