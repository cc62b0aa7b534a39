/** The agent's own log, read from its node; new lines are looked for every few seconds. */
import { useCallback } from 'react'
import { type LogPart, readAgentLog } from '../../api/log'
import type { Project } from '../../api/types'
import { Notice } from '../../design/feedback'
import { agentLook, StatusText } from '../../design/Status'
import { useT } from '../../i18n/t'
import { type LogSink, LogView } from '../../logview/LogView'

const pollMs = 3000

export default function AgentLog({ project }: { project: Project }) {
  const t = useT()
  const { id, agent } = project
  const read = useCallback(
    (part: LogPart, signal: AbortSignal) => readAgentLog(id, part, signal),
    [id],
  )
  const subscribe = useCallback(
    (sink: LogSink) => {
      const timer = setInterval(() => {
        readAgentLog(id, { tail: 1 }).then(
          (range) => sink.head(range.lines, range.bytes, false),
          () => {}, // the window says so itself when it cannot read what it shows
        )
      }, pollMs)
      return () => clearInterval(timer)
    },
    [id],
  )
  return (
    <>
      {agent.detail && (
        <Notice
          tone={agent.state === 'running' ? 'run' : 'warn'}
          title={<StatusText look={agentLook[agent.state]} />}
        >
          <p>{agent.detail}</p>
        </Notice>
      )}
      <LogView
        source={`agent-${id}`}
        label={t('agent.log')}
        read={read}
        subscribe={subscribe}
        running
      />
    </>
  )
}
