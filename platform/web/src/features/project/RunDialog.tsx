/** Starting work by hand: an issue by its number, or a task in words. */
import { type FormEvent, useId, useState } from 'react'
import { useNavigate } from 'react-router'
import { useCreateExecutionMutation } from '../../api/executions'
import type { ExecutionCreate, Project } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'

export default function RunDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const t = useT()
  const id = useId()
  const navigate = useNavigate()
  const [kind, setKind] = useState<'issue' | 'task'>('issue')
  const [key] = useState(() => crypto.randomUUID()) // a second press is the same wish
  const [create, { isLoading, error }] = useCreateExecutionMutation()

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const body: ExecutionCreate =
      kind === 'issue'
        ? { issue_number: Number(String(data.get('issue')).replace('#', '')) }
        : { title: String(data.get('title')).trim(), prompt: String(data.get('prompt')) }
    const result = await create({ project: project.id, body, key: `${key}-${kind}` })
    if (result.data) {
      onClose()
      navigate(`/executions/${result.data.id}`)
    }
  }

  return (
    <Dialog title={t('run.title', { name: project.name })} onClose={onClose}>
      <form className="dialog-body" onSubmit={(event) => void submit(event)}>
        <div className="segmented">
          <button type="button" aria-pressed={kind === 'issue'} onClick={() => setKind('issue')}>
            {t('run.by_issue')}
          </button>
          <button type="button" aria-pressed={kind === 'task'} onClick={() => setKind('task')}>
            {t('run.by_task')}
          </button>
        </div>
        {kind === 'issue' ? (
          <div className="field">
            <label htmlFor={`${id}i`}>{t('run.issue')}</label>
            <input
              ref={focusOnMount}
              id={`${id}i`}
              className="input"
              name="issue"
              inputMode="numeric"
              pattern="#?[1-9][0-9]{0,8}"
              title={t('run.issue_form')}
              placeholder="123"
              autoComplete="off"
              required
              aria-describedby={`${id}ih`}
            />
            <span className="field-help" id={`${id}ih`}>
              {t('run.issue_help')}
            </span>
          </div>
        ) : (
          <>
            <div className="field">
              <label htmlFor={`${id}t`}>{t('run.task_title')}</label>
              <input
                ref={focusOnMount}
                id={`${id}t`}
                className="input"
                name="title"
                required
                maxLength={300}
              />
            </div>
            <div className="field">
              <label htmlFor={`${id}p`}>{t('run.task_prompt')}</label>
              <textarea
                id={`${id}p`}
                className="input"
                name="prompt"
                rows={6}
                required
                maxLength={100_000}
              />
            </div>
          </>
        )}
        {error && <ErrorNotice error={error} title={t('run.failed')} withFields />}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" primary busy={isLoading}>
            {t('project.run')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
