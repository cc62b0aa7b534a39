import { SearchX } from 'lucide-react'
import { useLocation } from 'react-router'
import { useSetCrumbs } from '../app/crumbs'
import { ButtonLink } from '../design/Button'
import { Empty } from '../design/feedback'
import { useTitle } from '../design/Page'
import { useT } from '../i18n/t'

export default function NotFoundPage() {
  const t = useT()
  const { pathname } = useLocation()
  useTitle(t('notfound.title'))
  useSetCrumbs([{ label: t('notfound.title') }])
  return (
    <Empty
      page
      icon={<SearchX size={36} />}
      title={t('notfound.title')}
      action={
        <ButtonLink to="/" primary>
          {t('notfound.home')}
        </ButtonLink>
      }
    >
      {t('notfound.text', { path: pathname })}
    </Empty>
  )
}
