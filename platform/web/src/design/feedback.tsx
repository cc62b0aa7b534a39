/** What a page shows when it has nothing, not yet, or bad news. */
import { CircleAlert, Info, LoaderCircle, RotateCw, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { describe, describeField, isApiError } from '../api/problem'
import { useT } from '../i18n/t'
import { Button } from './Button'
import type { Tone } from './Status'

export function Spinner({ size = 15 }: { size?: number }) {
  return <LoaderCircle className="spin" size={size} aria-hidden="true" />
}

const icons = { fail: CircleAlert, warn: TriangleAlert } as const

export function Notice(props: {
  tone: Tone
  title?: ReactNode
  children?: ReactNode
  action?: ReactNode
  role?: 'alert' | 'status'
}) {
  const Icon = props.tone in icons ? icons[props.tone as keyof typeof icons] : Info
  return (
    <div className="notice" data-tone={props.tone} role={props.role}>
      <Icon size={18} aria-hidden="true" />
      <div className="notice-text">
        {props.title && <b>{props.title}</b>}
        {props.children}
      </div>
      {props.action}
    </div>
  )
}

/** A failed request: what failed, in words; the request's id for whoever looks into it; a way on. */
export function ErrorNotice(props: {
  error: unknown
  title?: string
  onRetry?: () => void
  /** Also say what is wrong with which input: where no field shows it itself. */
  withFields?: boolean
}) {
  const t = useT()
  const fields = props.withFields && isApiError(props.error) ? props.error.errors : []
  const id = isApiError(props.error) ? props.error.requestId : undefined
  return (
    <Notice
      tone="fail"
      role="alert"
      title={props.title ?? t('error.title')}
      action={
        props.onRetry && (
          <Button small icon={<RotateCw size={14} />} onClick={props.onRetry}>
            {t('action.retry_load')}
          </Button>
        )
      }
    >
      <p>{describe(props.error, t)}</p>
      {fields.map((problem) => (
        <p key={problem.field}>{describeField(problem, t)}</p>
      ))}
      {id && (
        <p className="request-id">
          {t('error.request_id')} <code>{id}</code>
        </p>
      )}
    </Notice>
  )
}

/** Over data that could not be read again. That the connection is gone the frame of the page says. */
export function RefreshNotice(props: { error: unknown; onRetry: () => void }) {
  const { error } = props
  if (error === undefined || (isApiError(error) && error.code === 'network')) return null
  return <ErrorNotice {...props} />
}

export function Empty(props: {
  icon: ReactNode
  title: string
  children?: ReactNode
  action?: ReactNode
  /** The whole page is this. */
  page?: boolean
}) {
  return (
    <div className="empty">
      {props.icon}
      {props.page ? <h1>{props.title}</h1> : <h2>{props.title}</h2>}
      {props.children && <p>{props.children}</p>}
      {props.action}
    </div>
  )
}

const widths = ['72%', '54%', '63%', '48%', '68%']

/** Rows of the final height while a table's first page loads; `columns`: how many, or their classes. */
export function SkeletonRows(props: { rows: number; columns: number | string[] }) {
  const t = useT()
  const columns = typeof props.columns === 'number' ? Array(props.columns).fill('') : props.columns
  return (
    <>
      {Array.from({ length: props.rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows without identity
        <tr key={row} aria-hidden={row > 0 || undefined}>
          {columns.map((name, column) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: cells without identity
            <td key={column} className={name || undefined}>
              <span
                className="skeleton"
                style={{ width: widths[(row + column) % widths.length] }}
              />
              {row === 0 && column === 0 && (
                <span className="visually-hidden">{t('state.loading')}</span>
              )}
            </td>
          ))}
        </tr>
      ))}
    </>
  )
}

/** A page before its data: its heading and cards in their places. */
export function SkeletonPage({ title }: { title?: string }) {
  const t = useT()
  return (
    <div className="page">
      {title && <h1 className="visually-hidden">{title}</h1>}
      <span className="visually-hidden">{t('state.loading')}</span>
      <div className="skeleton-head">
        <span className="skeleton" />
        <span className="skeleton" />
      </div>
      <span className="skeleton skeleton-tabs" />
      <div className="columns">
        <div className="column">
          <span className="skeleton skeleton-card" />
          <span className="skeleton skeleton-card" />
        </div>
        <span className="skeleton skeleton-card" />
      </div>
    </div>
  )
}

export function SkeletonText({ lines = 3 }: { lines?: number }) {
  const t = useT()
  return (
    <div style={{ display: 'grid', gap: 10 }}>
      <span className="visually-hidden">{t('state.loading')}</span>
      {Array.from({ length: lines }, (_, line) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: lines without identity
          key={line}
          className="skeleton"
          style={{ width: widths[line % widths.length] }}
        />
      ))}
    </div>
  )
}
