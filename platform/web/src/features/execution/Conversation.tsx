/** What people said to it on GitHub, with the questions they answered: oldest first. */
import { Bot } from 'lucide-react'
import type { ReactNode } from 'react'
import { useListRemarksQuery } from '../../api/executions'
import type { Remark } from '../../api/types'
import { ExternalLink } from '../../design/ExternalLink'
import { ErrorNotice } from '../../design/feedback'
import { Markdown } from '../../design/Markdown'
import { Card } from '../../design/Page'
import { RelativeTime } from '../../design/Time'
import { useT } from '../../i18n/t'
import { usePolling } from '../../realtime/live'

function Turn(props: { face: ReactNode; who: string; facts?: ReactNode; text: string }) {
  return (
    <li>
      <span className="face" aria-hidden="true">
        {props.face}
      </span>
      <div className="turn-body">
        <div className="turn-head">
          <b>{props.who}</b>
          {props.facts}
        </div>
        <Markdown text={props.text} />
      </div>
    </li>
  )
}

function Said({ remark }: { remark: Remark }) {
  const t = useT()
  const { said_by, question, url } = remark
  return (
    <>
      {question && <Turn face={<Bot size={16} />} who={t('conversation.asked')} text={question} />}
      <Turn
        face={[...said_by][0]?.toUpperCase()}
        who={t(question ? 'conversation.answered' : 'conversation.commented', { name: said_by })}
        facts={
          <>
            <RelativeTime at={remark.said_at} />
            {url && <ExternalLink href={url}>{t('conversation.comment')}</ExternalLink>}
          </>
        }
        text={remark.text}
      />
    </>
  )
}

export function Conversation({ id }: { id: string }) {
  const t = useT()
  const { currentData, error, refetch } = useListRemarksQuery(id, usePolling())
  if (!currentData)
    return error ? (
      <ErrorNotice error={error} title={t('conversation.failed')} onRetry={() => void refetch()} />
    ) : null
  if (currentData.items.length === 0) return null
  return (
    <Card title={t('conversation.title')}>
      <div className="card-body">
        {currentData.next_cursor && <p className="muted">{t('conversation.earlier')}</p>}
        <ol className="thread" aria-live="polite">
          {[...currentData.items].reverse().map((remark) => (
            <Said key={remark.number} remark={remark} />
          ))}
        </ol>
      </div>
    </Card>
  )
}
