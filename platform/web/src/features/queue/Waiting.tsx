/** Why a queued execution does not run yet, how many go first, and what a person can do about it. */
import { lazy, Suspense, useState } from 'react'
import { useUpdateExecutionMutation } from '../../api/executions'
import type { Execution } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice, Notice } from '../../design/feedback'
import { AbsoluteTime } from '../../design/Time'
import { pick, useLanguage, useT } from '../../i18n/t'
import { useWhyNot } from '../../parts/permissions'
import { priorityLabel } from '../../parts/priority'
import './waiting.css'

const UrgencyDialog = lazy(() => import('./UrgencyDialog'))

function Actions({ execution }: { execution: Execution }) {
  const t = useT()
  const why = useWhyNot('RUN')
  const [open, setOpen] = useState(false)
  const [update, { isLoading, error }] = useUpdateExecutionMutation()
  const now = () => update({ id: execution.id, body: { now: true } })
  return (
    <div className="waiting-actions">
      {execution.queued_reason?.code === 'not_yet' && (
        <Button small busy={isLoading} why={why} onClick={() => void now()}>
          {t('queue.now')}
        </Button>
      )}
      <Button small why={why} onClick={() => setOpen(true)}>
        {t('queue.change')}
      </Button>
      {error && <ErrorNotice error={error} />}
      {open && (
        <Suspense fallback={null}>
          <UrgencyDialog execution={execution} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </div>
  )
}

export function Waiting({ execution }: { execution: Execution }) {
  const t = useT()
  const language = useLanguage()
  const reason = execution.queued_reason
  if (execution.status !== 'queued' || !reason) return null
  return (
    <Notice tone="queue" title={t('execution.why_queued')}>
      <p>{pick(reason, language)}</p>
      <dl className="waiting-facts">
        {reason.until && (
          <div>
            <dt>{t('queue.until')}</dt>
            <dd>
              <AbsoluteTime at={reason.until} />
            </dd>
          </div>
        )}
        {reason.position !== null && (
          <div>
            <dt>{t('queue.place')}</dt>
            <dd>{t('queue.place_of', { position: reason.position, queued: reason.queued })}</dd>
          </div>
        )}
        <div>
          <dt>{t('priority.title')}</dt>
          <dd>{t(priorityLabel[execution.priority])}</dd>
        </div>
        {execution.deadline_at && (
          <div>
            <dt>{t('queue.deadline')}</dt>
            <dd>
              <AbsoluteTime at={execution.deadline_at} />
            </dd>
          </div>
        )}
      </dl>
      <Actions execution={execution} />
    </Notice>
  )
}
