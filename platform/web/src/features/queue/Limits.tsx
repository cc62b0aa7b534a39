/** How many executions of one person, with one label or on one node may work at once. */
import { Plus, Trash2 } from 'lucide-react'
import { useRef, useState } from 'react'
import { useListProjectsQuery } from '../../api/projects'
import { useSetQueueLimitsMutation } from '../../api/queue'
import type { Project, QueueLimit } from '../../api/types'
import { Button, IconButton } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { ErrorNotice } from '../../design/feedback'
import { toast } from '../../design/toast'
import { type Key, useT } from '../../i18n/t'

const kinds: Record<QueueLimit['kind'], Key> = {
  user: 'queue.limit_user',
  label: 'queue.limit_label',
  node: 'queue.limit_node',
}

interface Row {
  id: number
  limit: QueueLimit
}

function LimitRow(props: {
  row: Row
  projects: Project[]
  onKind: (kind: QueueLimit['kind']) => void
  onRemove: () => void
}) {
  const t = useT()
  const { id, limit } = props.row
  const known = limit.project === null || props.projects.some((each) => each.id === limit.project)
  return (
    <li>
      <Field name={`kind-${id}`} label={t('queue.limit_kind')}>
        {(parts) => (
          <select
            {...parts}
            className="input"
            value={limit.kind}
            onChange={(event) => props.onKind(event.target.value as QueueLimit['kind'])}
          >
            {Object.entries(kinds).map(([kind, label]) => (
              <option key={kind} value={kind}>
                {t(label)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name={`subject-${id}`} label={t('queue.limit_subject')}>
        {(parts) => (
          <input
            {...parts}
            className="input"
            defaultValue={limit.subject}
            required
            pattern={limit.kind === 'label' ? '(?!\\s*\\*\\s*$).*' : undefined}
            data-form={t('queue.limit_label_named')}
            maxLength={200}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
          />
        )}
      </Field>
      <Field name={`project-${id}`} label={t('execution.project')}>
        {(parts) => (
          <select
            {...parts}
            key={`${limit.kind === 'node'}-${props.projects.length}`}
            className="input"
            defaultValue={limit.kind === 'node' ? '' : (limit.project ?? '')}
            disabled={limit.kind === 'node'}
          >
            <option value="">{t('executions.all_projects')}</option>
            {!known && <option value={limit.project ?? ''}>{limit.project}</option>}
            {props.projects.map((project) => (
              <option key={project.id} value={project.id}>
                {project.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name={`max-${id}`} label={t('queue.limit_max')}>
        {(parts) => (
          <input
            {...parts}
            className="input"
            type="number"
            min={0}
            max={10_000}
            required
            defaultValue={limit.max}
          />
        )}
      </Field>
      <IconButton label={t('queue.limit_remove', { name: limit.subject })} onClick={props.onRemove}>
        <Trash2 size={16} />
      </IconButton>
    </li>
  )
}

function limitOf(data: FormData, { id, limit }: Row): QueueLimit {
  const text = (name: string) => String(data.get(`${name}-${id}`) ?? '').trim()
  return {
    kind: limit.kind,
    subject: text('subject'),
    project: text('project') || null,
    max: Number(text('max')),
  }
}

export function Limits(props: { limits: QueueLimit[]; why: string | null }) {
  const t = useT()
  const { data: projects } = useListProjectsQuery({ limit: 200 })
  const [rows, setRows] = useState<Row[]>(() => props.limits.map((limit, id) => ({ id, limit })))
  const next = useRef(props.limits.length)
  const [save, { isLoading, error }] = useSetQueueLimitsMutation()

  const add = () => {
    const limit: QueueLimit = { kind: 'user', project: null, subject: '*', max: 1 }
    setRows([...rows, { id: next.current++, limit }])
  }
  const change = (id: number, part: Partial<QueueLimit>) =>
    setRows(rows.map((row) => (row.id === id ? { id, limit: { ...row.limit, ...part } } : row)))
  const submit = async (data: FormData) => {
    const result = await save(rows.map((row) => limitOf(data, row)))
    if (result.data) toast('ok', t('queue.limits_saved'))
  }

  return (
    <Form className="queue-part" onSubmit={submit}>
      <h3>{t('queue.limits')}</h3>
      <p className="muted">{t('queue.limits_text')}</p>
      {rows.length === 0 && <p>{t('queue.limits_none')}</p>}
      <fieldset disabled={props.why !== null}>
        <ul className="queue-limits" aria-label={t('queue.limits')}>
          {rows.map((row) => (
            <LimitRow
              key={row.id}
              row={row}
              projects={projects?.items ?? []}
              onKind={(kind) => change(row.id, { kind })}
              onRemove={() => setRows(rows.filter((each) => each.id !== row.id))}
            />
          ))}
        </ul>
      </fieldset>
      {error && <ErrorNotice error={error} title={t('settings.failed')} withFields />}
      <div className="queue-buttons">
        <Button small icon={<Plus size={15} />} why={props.why} onClick={add}>
          {t('queue.limit_add')}
        </Button>
        {rows.length + props.limits.length > 0 && (
          <Button small type="submit" busy={isLoading} why={props.why}>
            {t('queue.limits_save')}
          </Button>
        )}
      </div>
    </Form>
  )
}
