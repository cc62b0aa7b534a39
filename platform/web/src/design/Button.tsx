/** Buttons and links that look like buttons. `why` disables and says the reason. */
import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { Link, type LinkProps } from 'react-router'
import { Spinner } from './feedback'

interface Look {
  primary?: boolean
  danger?: boolean
  quiet?: boolean
  small?: boolean
  icon?: ReactNode
}

function className({ primary, danger, quiet, small }: Look, extra?: string): string {
  return [
    'btn',
    primary && 'btn-primary',
    danger && 'btn-danger',
    quiet && 'btn-quiet',
    small && 'btn-small',
    extra,
  ]
    .filter(Boolean)
    .join(' ')
}

export type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> &
  Look & {
    busy?: boolean
    /** Not possible now, and why. The button stays focusable, so that the reason can be read. */
    why?: string | null
  }

export function Button(props: ButtonProps) {
  const { primary, danger, quiet, small, icon, busy, why, children, onClick, type, ...rest } = props
  const blocked = Boolean(why) || busy
  return (
    <button
      {...rest}
      type={type ?? 'button'}
      className={className(props, props.className)}
      aria-disabled={blocked || undefined}
      aria-busy={busy || undefined}
      title={why || rest.title}
      onClick={blocked ? (event) => event.preventDefault() : onClick}
    >
      {busy ? <Spinner /> : icon}
      {children}
      {why && <span className="visually-hidden"> ({why})</span>}
    </button>
  )
}

export function IconButton({
  label,
  children,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { label: string }) {
  return (
    <button
      type="button"
      {...rest}
      className="btn btn-quiet btn-icon"
      aria-label={label}
      title={label}
    >
      {children}
    </button>
  )
}

export function ButtonLink(props: LinkProps & Look) {
  const { primary, danger, quiet, small, icon, children, ...rest } = props
  return (
    <Link {...rest} className={className(props)}>
      {icon}
      {children}
    </Link>
  )
}
