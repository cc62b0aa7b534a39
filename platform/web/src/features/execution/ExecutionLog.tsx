/** The log of one execution: ranges over REST, new lines over the live connection, polling without. */
import { FileX2 } from 'lucide-react'
import { useCallback, useEffect, useRef } from 'react'
import { useStore } from 'react-redux'
import {
  downloadExecutionLog,
  type LogPart,
  readExecutionLog,
  readExecutionMarks,
  searchExecutionLog,
} from '../../api/log'
import type { Execution } from '../../api/types'
import { type Store, useAppSelector } from '../../app/store'
import { Empty } from '../../design/feedback'
import { Card } from '../../design/Page'
import { isFinal } from '../../design/Status'
import { toastError } from '../../design/toast'
import { useT } from '../../i18n/t'
import { type LogSink, LogView } from '../../logview/LogView'
import type { ReadHits, ReadMarks } from '../../logview/search'
import { subscribeTopic } from '../../realtime/live'

const pollMs = 3000

export default function ExecutionLog({ execution }: { execution: Execution }) {
  const t = useT()
  if (!execution.log.removed || !isFinal(execution.status)) return <KeptLog execution={execution} />
  return (
    <Card label={t('execution.log')}>
      <Empty icon={<FileX2 size={28} aria-hidden="true" />} title={t('log.removed')}>
        {t('log.removed_text')}
      </Empty>
    </Card>
  )
}

function KeptLog({ execution }: { execution: Execution }) {
  const t = useT()
  const store = useStore() as Store
  const { id } = execution
  const live = useAppSelector((state) => state.live.connection.name === 'live')
  const sinks = useRef(new Set<LogSink>())

  const read = useCallback(
    (part: LogPart, signal: AbortSignal) => readExecutionLog(id, part, signal),
    [id],
  )
  const search = useCallback<ReadHits>(
    (query, signal) => searchExecutionLog(id, query, signal),
    [id],
  )
  const marks = useCallback<ReadMarks>((from, signal) => readExecutionMarks(id, from, signal), [id])

  /** Where the log ends now; the window fetches what it shows. */
  const refreshHead = useCallback(async () => {
    try {
      const range = await readExecutionLog(id, { tail: 1 })
      for (const sink of sinks.current) sink.head(range.lines, range.bytes, range.complete)
    } catch {
      // The window shows its own failures; the next message or poll asks again.
    }
  }, [id])

  const subscribe = useCallback(
    (sink: LogSink) => {
      sinks.current.add(sink)
      const leave = subscribeTopic(store, `log:${id}`, (message) => {
        if (message.type === 'log') sink.lines(message.from, message.text)
        else if (message.type === 'log_head')
          sink.head(message.lines, message.bytes, message.complete)
        else if (message.type === 'gap') sink.head(message.to, 0, false)
        else if (message.type === 'subscribed' || message.type === 'refetch') void refreshHead()
      })
      return () => {
        sinks.current.delete(sink)
        leave()
      }
    },
    [store, id, refreshHead],
  )

  const { lines, bytes, complete } = execution.log
  useEffect(() => {
    for (const sink of sinks.current) sink.head(lines, bytes, complete)
  }, [lines, bytes, complete])

  const final = isFinal(execution.status)
  useEffect(() => {
    if (live || final) return
    const timer = setInterval(() => void refreshHead(), pollMs)
    return () => clearInterval(timer)
  }, [live, final, refreshHead])

  const download = async () => {
    try {
      const url = URL.createObjectURL(await downloadExecutionLog(id))
      const link = document.createElement('a')
      link.href = url
      link.download = `${execution.project.id}-${execution.number}.log`
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 10_000)
    } catch (error) {
      toastError(error)
    }
  }

  return (
    <LogView
      source={id}
      label={t('execution.log')}
      read={read}
      subscribe={subscribe}
      running={!final}
      search={search}
      marks={marks}
      onDownload={download}
      anchors
    />
  )
}
