/** What is searched for in a log, how much was found, and the way from one to the next. */
import { ChevronDown, ChevronUp, Search as SearchIcon } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useEffect, useId, useState } from 'react'
import type { SearchQuery } from '../api/log'
import { describe, isApiError } from '../api/problem'
import { IconButton } from '../design/Button'
import { formatNumber } from '../i18n/format'
import { useT } from '../i18n/t'
import { hitLimit, type SearchState } from './search'

const settleMs = 250

export function SearchBar(props: {
  input: RefObject<HTMLInputElement | null>
  state: SearchState
  /** The line that is looked at, among those found. */
  current: number | null
  onQuery: (query: SearchQuery | null) => void
  onMove: (direction: 1 | -1) => void
  onLeave: () => void
}) {
  const { state, current, onQuery, onMove } = props
  const t = useT()
  const id = useId()
  const [text, setText] = useState('')
  const [regex, setRegex] = useState(false)
  const [exact, setExact] = useState(false)

  useEffect(() => {
    const timer = setTimeout(() => onQuery(text ? { text, regex, exact } : null), settleMs)
    return () => clearTimeout(timer)
  }, [text, regex, exact, onQuery])

  const pressed = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter') onMove(event.shiftKey ? -1 : 1)
    else if (event.key === 'Escape') {
      setText('')
      props.onLeave()
    } else return
    event.preventDefault()
  }

  const count = state.lines.length
  const place = current === null ? -1 : state.lines.indexOf(current)
  const many = count >= hitLimit ? `${formatNumber(count)}+` : formatNumber(count)
  const said =
    state.query === null
      ? ''
      : state.failed !== null
        ? isApiError(state.failed) && state.failed.field === 'q'
          ? t('log.search_bad', { detail: state.failed.detail })
          : describe(state.failed, t)
        : count === 0
          ? t(state.busy ? 'log.searching' : 'log.no_hits')
          : place >= 0
            ? t('log.hit_of', { hit: formatNumber(place + 1), hits: many })
            : t('log.hits', { count, hits: many })

  return (
    <div className="log-search">
      <div className="search">
        <SearchIcon size={15} aria-hidden="true" />
        <label className="visually-hidden" htmlFor={id}>
          {t('log.search')}
        </label>
        <input
          ref={props.input}
          id={id}
          className="input"
          type="search"
          placeholder={t('log.search')}
          value={text}
          maxLength={500}
          autoComplete="off"
          spellCheck={false}
          aria-invalid={state.failed !== null}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={pressed}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      <div className="segmented">
        <button
          type="button"
          aria-pressed={exact}
          title={t('log.search_case')}
          aria-label={t('log.search_case')}
          onClick={() => setExact(!exact)}
        >
          Aa
        </button>
        <button
          type="button"
          aria-pressed={regex}
          title={t('log.search_regex')}
          aria-label={t('log.search_regex')}
          onClick={() => setRegex(!regex)}
        >
          .*
        </button>
      </div>
      <span className={state.failed === null ? 'log-found' : 'log-found log-bad'} role="status">
        {said}
      </span>
      {count > 0 && (
        <>
          <IconButton label={t('keys.log_previous')} onClick={() => onMove(-1)}>
            <ChevronUp size={16} />
          </IconButton>
          <IconButton label={t('keys.log_next')} onClick={() => onMove(1)}>
            <ChevronDown size={16} />
          </IconButton>
        </>
      )}
    </div>
  )
}
