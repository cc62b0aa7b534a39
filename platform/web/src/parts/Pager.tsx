import { ChevronLeft, ChevronRight } from 'lucide-react'
import { Button } from '../design/Button'
import { useT } from '../i18n/t'
import type { usePager } from './urlState'

export function Pager({ pager }: { pager: ReturnType<typeof usePager> }) {
  const t = useT()
  if (!pager.newer && !pager.older) return null
  return (
    <nav className="pager" aria-label={t('pager.label')}>
      <span>{t('pager.page', { page: pager.page })}</span>
      <Button
        small
        icon={<ChevronLeft size={15} />}
        disabled={!pager.newer}
        onClick={pager.newer ?? undefined}
      >
        {t('pager.newer')}
      </Button>
      <Button small disabled={!pager.older} onClick={pager.older ?? undefined}>
        {t('pager.older')}
        <ChevronRight size={15} />
      </Button>
    </nav>
  )
}
