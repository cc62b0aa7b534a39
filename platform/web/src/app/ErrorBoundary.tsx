/** A fault in the page's own code: say so, keep a way out, never a white page. */
import { TriangleAlert } from 'lucide-react'
import { Component, type ReactNode } from 'react'
import { Button } from '../design/Button'
import { t } from '../i18n/t'

interface State {
  error: Error | null
}

/** A lazy chunk that is gone because the platform was updated meanwhile. */
function isStaleBuild(error: Error): boolean {
  return /dynamically imported module|module script|Failed to fetch/i.test(error.message)
}

export class ErrorBoundary extends Component<{ children: ReactNode; resetKey?: string }, State> {
  override state: State = { error: null }

  static getDerivedStateFromError(error: Error): State {
    return { error }
  }

  override componentDidUpdate(previous: { resetKey?: string }): void {
    if (this.state.error && previous.resetKey !== this.props.resetKey)
      this.setState({ error: null })
  }

  override render() {
    const { error } = this.state
    if (!error) return this.props.children
    const stale = isStaleBuild(error)
    return (
      <div className="empty" role="alert">
        <TriangleAlert size={36} aria-hidden="true" />
        <h1>{stale ? t('crash.stale') : t('crash.title')}</h1>
        <p>{stale ? t('crash.stale_text') : t('crash.text')}</p>
        {!stale && <code className="break">{error.message}</code>}
        <Button primary onClick={() => location.reload()}>
          {t('action.reload')}
        </Button>
      </div>
    )
  }
}
