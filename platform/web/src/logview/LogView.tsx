/** The frame around LogWindow: tools, following, permanent links, and what a screen reader hears. */
import { ArrowDown, CircleAlert, Copy, Download, Link2 } from 'lucide-react'
import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { LogMark, SearchQuery } from '../api/log'
import { setPreference, usePreferences } from '../app/preferences'
import { Button } from '../design/Button'
import { ErrorNotice, Notice } from '../design/feedback'
import { toast } from '../design/toast'
import { formatBytes } from '../i18n/format'
import { useT } from '../i18n/t'
import { useKeys } from '../keys/useKeys'
import type { ReadRange } from './chunks'
import { foldsOf, problemsOf } from './folds'
import './log.css'
import { Marks } from './marks'
import { formatAnchor, type LineRange, parseAnchor } from './model'
import { Rail } from './Rail'
import { SearchBar } from './SearchBar'
import { nextOf, noSearch, type ReadHits, type ReadMarks, Search } from './search'
import { LogWindow, type ViewState } from './view'

/** What a live source tells the window. */
export interface LogSink {
  lines: (from: number, text: string) => void
  head: (lines: number, bytes: number, complete: boolean) => void
}

export interface LogViewProps {
  /** Names the source: a new key is a new log. */
  source: string
  label: string
  read: ReadRange
  /** Subscribes to live lines; returns the way out. Must be stable per source. */
  subscribe?: (sink: LogSink) => () => void
  /** More lines will come: start at the end and follow. */
  running: boolean
  onDownload?: () => Promise<void>
  /** Finds lines and places in the log, where somebody can. Stable per source. */
  search?: ReadHits
  marks?: ReadMarks
  /** Line anchors (#L12) in the page's address. */
  anchors?: boolean
}

const initial: ViewState = {
  total: 0,
  bytes: 0,
  complete: false,
  follow: true,
  unseen: 0,
  failed: null,
  loading: true,
  dropped: 0,
  damaged: null,
  folds: 0,
  folded: 0,
}

const noMarks: readonly LogMark[] = []

/** What is searched for, and the line that is looked at; the window shows both. */
function useSearch(source: string, read: ReadHits | undefined, total: number, show: ShowHits) {
  const [found, setFound] = useState(noSearch)
  const [current, setCurrent] = useState<number | null>(null)
  const search = useRef<Search | null>(null)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `source` is what makes it another log
  useEffect(() => {
    setFound(noSearch)
    setCurrent(null)
    if (!read) return
    const made = new Search(read, setFound)
    search.current = made
    return () => {
      made.close()
      search.current = null
    }
  }, [source, read])

  useEffect(() => search.current?.grown(total), [total])

  const hits = useMemo(() => new Set(found.lines), [found.lines])
  useEffect(() => show(hits, current), [show, hits, current])

  const start = useCallback((query: SearchQuery | null) => {
    setCurrent(null)
    search.current?.start(query)
  }, [])
  return { found, current, setCurrent, start }
}

type ShowHits = (hits: ReadonlySet<number>, current: number | null) => void

/** Where something happened, as far as it is known. */
function useMarks(source: string, read: ReadMarks | undefined, total: number) {
  const [list, setList] = useState(noMarks)
  const marks = useRef<Marks | null>(null)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `source` is what makes it another log
  useEffect(() => {
    setList(noMarks)
    if (!read) return
    const made = new Marks(read, setList)
    marks.current = made
    return () => {
      made.close()
      marks.current = null
    }
  }, [source, read])

  useEffect(() => marks.current?.grown(total), [total])
  return list
}

export function LogView(props: LogViewProps) {
  const { source, read, subscribe, anchors } = props
  const t = useT()
  const words = useRef(t)
  words.current = t
  const container = useRef<HTMLDivElement>(null)
  const view = useRef<LogWindow | null>(null)
  const { logTime, logWrap } = usePreferences()
  const [state, setState] = useState(initial)
  const [picked, setPicked] = useState<LineRange | null>(() =>
    anchors ? parseAnchor(location.hash) : null,
  )
  const input = useRef<HTMLInputElement>(null)
  const marks = useMarks(source, props.marks, state.total)
  const problems = useMemo(() => problemsOf(marks), [marks])
  const showHits = useCallback<ShowHits>(
    (hits, current) => view.current?.setHits(hits, current),
    [],
  )
  const {
    found,
    current,
    setCurrent,
    start: startSearch,
  } = useSearch(source, props.search, state.total, showHits)
  const start = useRef({ running: props.running, time: logTime === 'on', wrap: logWrap === 'on' })

  const pick = useCallback(
    (range: LineRange | null) => {
      setPicked(range)
      if (anchors && range) history.replaceState(history.state, '', formatAnchor(range))
    },
    [anchors],
  )

  // biome-ignore lint/correctness/useExhaustiveDependencies: `source` is what makes it another log
  useEffect(() => {
    const element = container.current
    if (!element) return
    const anchor = anchors ? parseAnchor(location.hash) : null
    const window = new LogWindow(element, {
      read,
      onState: setState,
      onPick: pick,
      hiddenLines: (count) => words.current('log.hidden_lines', { count }),
      time: start.current.time,
      wrap: start.current.wrap,
      follow: start.current.running && anchor === null,
    })
    view.current = window
    window.setSelected(anchor)
    void window.open(anchor ? anchor.from : null)
    const leave = subscribe?.({
      lines: (from, text) => window.live(from, text),
      head: (lines, bytes, complete) => window.head(lines, bytes, complete),
    })
    return () => {
      leave?.()
      window.close()
      view.current = null
    }
  }, [source, read, subscribe, anchors, pick])

  useEffect(() => view.current?.setTime(logTime === 'on'), [logTime])
  useEffect(() => view.current?.setWrap(logWrap === 'on'), [logWrap])
  useEffect(() => view.current?.setSelected(picked), [picked])
  const end = state.complete ? state.total : null
  useEffect(() => view.current?.setFolds(foldsOf(marks, end)), [marks, end])

  /** From where one looks now to the next of these lines. */
  const moveTo = (lines: readonly number[], direction: 1 | -1) => {
    if (!view.current) return null
    const from = current !== null && lines.includes(current) ? current : view.current.middleLine
    const line = nextOf(lines, from, direction)
    if (line !== null) view.current.showLine(line)
    return line
  }
  const moveHit = (direction: 1 | -1) => setCurrent(moveTo(found.lines, direction))
  const moveProblem = (direction: 1 | -1) => {
    const line = moveTo(problems, direction)
    if (line !== null) pick({ from: line, to: line })
  }

  useEffect(() => {
    if (!anchors) return
    const jump = () => {
      const range = parseAnchor(location.hash)
      setPicked(range)
      if (range) view.current?.showLine(range.from)
    }
    addEventListener('hashchange', jump)
    return () => removeEventListener('hashchange', jump)
  }, [anchors])

  const toggleTime = () => setPreference('logTime', logTime === 'on' ? 'off' : 'on')
  const toggleWrap = () => setPreference('logWrap', logWrap === 'on' ? 'off' : 'on')
  const toggleFollow = () => view.current?.setFollow(!state.follow)

  const copyLink = async () => {
    const url = new URL(location.href)
    url.hash = picked ? formatAnchor(picked) : ''
    await navigator.clipboard.writeText(url.href)
    toast('ok', t('log.link_copied'))
  }
  const copyLines = async () => {
    if (!picked || !view.current) return
    await navigator.clipboard.writeText(await view.current.text(picked))
    toast('ok', t('log.lines_copied', { count: picked.to - picked.from + 1 }))
  }
  const goTo = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const line = Number(new FormData(event.currentTarget).get('line')) - 1
    if (!Number.isInteger(line) || line < 0) return
    const at = Math.min(line, Math.max(0, state.total - 1))
    pick({ from: at, to: at })
    view.current?.showLine(at)
    container.current?.focus()
  }

  useKeys('log', [
    { keys: 'f', label: 'keys.log_follow', run: toggleFollow },
    { keys: 'w', label: 'keys.log_wrap', run: toggleWrap },
    { keys: 'y', label: 'keys.log_link', run: () => void copyLink() },
    ...(props.search
      ? [
          { keys: '/', label: 'keys.log_search', run: () => input.current?.focus() } as const,
          { keys: 'n', label: 'keys.log_next', run: () => moveHit(1) } as const,
          { keys: 'Shift+n', label: 'keys.log_previous', run: () => moveHit(-1) } as const,
        ]
      : []),
    ...(props.marks
      ? [
          { keys: 'e', label: 'keys.log_problem', run: () => moveProblem(1) } as const,
          { keys: 'Shift+e', label: 'keys.log_problem_back', run: () => moveProblem(-1) } as const,
        ]
      : []),
  ])

  return (
    <section className="card log-card" aria-label={props.label}>
      <div className="log-bar">
        {props.search && (
          <SearchBar
            key={source}
            input={input}
            state={found}
            current={current}
            onQuery={startSearch}
            onMove={moveHit}
            onLeave={() => container.current?.focus()}
          />
        )}
        <span className="log-size">
          {t('log.lines', { count: state.total })}
          {state.bytes > 0 && ` · ${formatBytes(state.bytes)}`}
        </span>
        <form className="log-goto" noValidate onSubmit={goTo}>
          <label className="visually-hidden" htmlFor={`goto-${source}`}>
            {t('log.goto')}
          </label>
          <input
            id={`goto-${source}`}
            className="input"
            name="line"
            inputMode="numeric"
            autoComplete="off"
            placeholder={t('log.goto')}
          />
        </form>
        <div className="segmented">
          <button type="button" aria-pressed={logTime === 'on'} onClick={toggleTime}>
            {t('log.time')}
          </button>
          <button type="button" aria-pressed={logWrap === 'on'} onClick={toggleWrap}>
            {t('log.wrap')}
          </button>
          {state.folds > 0 && (
            <button
              type="button"
              aria-pressed={state.folded > 0}
              onClick={() => view.current?.foldAll(state.folded === 0)}
            >
              {t('log.fold')}
            </button>
          )}
        </div>
        {problems.length > 0 && (
          <Button small icon={<CircleAlert size={14} />} onClick={() => moveProblem(1)}>
            {t('log.problems', { count: problems.length })}
          </Button>
        )}
        {anchors && picked && (
          <>
            <Button small icon={<Link2 size={14} />} onClick={() => void copyLink()}>
              {t('log.copy_link')}
            </Button>
            <Button small icon={<Copy size={14} />} onClick={() => void copyLines()}>
              {t('log.copy_lines')}
            </Button>
          </>
        )}
        {props.onDownload && (
          <Button small icon={<Download size={14} />} onClick={() => void props.onDownload?.()}>
            {t('log.download')}
          </Button>
        )}
      </div>
      {state.failed !== null && (
        <ErrorNotice error={state.failed} onRetry={() => view.current?.retry()} />
      )}
      {state.damaged !== null && (
        <Notice tone="fail" title={t('log.damaged', { lines: state.damaged })} />
      )}
      {state.dropped > 0 && (
        <Notice tone="warn" title={t('log.dropped', { count: state.dropped })} />
      )}
      <div className="log-body">
        <div
          ref={container}
          className="log-view"
          role="log"
          aria-live="off"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled area must be reachable by keys
          tabIndex={0}
          aria-label={props.label}
        />
        <Rail total={state.total} problems={problems} hits={found.lines} />
        {!state.loading && state.total === 0 && state.failed === null && (
          <p className="log-note log-empty">{props.running ? t('log.waiting') : t('log.empty')}</p>
        )}
      </div>
      {state.total > 0 && !state.complete && (
        <div className="log-foot">
          <Button
            primary={state.follow || state.unseen > 0}
            icon={<ArrowDown size={15} />}
            aria-pressed={state.follow}
            onClick={toggleFollow}
          >
            {state.follow
              ? t('log.following')
              : state.unseen > 0
                ? t('log.unseen', { count: state.unseen })
                : t('log.follow')}
          </Button>
        </div>
      )}
    </section>
  )
}
