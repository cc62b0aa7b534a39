/** A link out of the product; anything that is not http(s) is shown as text. */
import { ExternalLink as Icon } from 'lucide-react'
import type { ReactNode } from 'react'
import { useT } from '../i18n/t'

export function isWebAddress(url: string): boolean {
  return /^https?:\/\//i.test(url)
}

export function ExternalLink(props: { href: string; children: ReactNode; className?: string }) {
  const t = useT()
  if (!isWebAddress(props.href)) return <>{props.children}</>
  return (
    <a
      href={props.href}
      className={props.className ?? 'external'}
      target="_blank"
      rel="noreferrer noopener"
    >
      {props.children}
      <Icon size={13} aria-hidden="true" />
      <span className="visually-hidden">{t('link.new_tab')}</span>
    </a>
  )
}
