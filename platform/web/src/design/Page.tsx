/** A page's frame: heading, actions, and the words in the window's title. */
import { type ReactNode, useEffect } from 'react'

export function useTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter(Boolean), 'PoppoBuilder'].join(' · ')
  useEffect(() => {
    document.title = title
  }, [title])
}

export function Page(props: {
  title: ReactNode
  sub?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>{props.title}</h1>
          {props.sub && <div className="page-sub">{props.sub}</div>}
        </div>
        {props.actions && <div className="page-actions">{props.actions}</div>}
      </header>
      {props.children}
    </div>
  )
}

export function Card(props: {
  title?: ReactNode
  tools?: ReactNode
  children: ReactNode
  label?: string
  id?: string
}) {
  return (
    <section className="card" aria-label={props.label} id={props.id}>
      {(props.title || props.tools) && (
        <div className="card-head">
          {props.title && <h2>{props.title}</h2>}
          {props.tools}
        </div>
      )}
      {props.children}
    </section>
  )
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
