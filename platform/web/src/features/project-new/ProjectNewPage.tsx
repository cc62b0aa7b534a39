/** Making a project: three cards from top to bottom, checked while typing, and what is still missing
 *  always in view. The form itself (MUI) is a chunk of its own. */
import { lazy, Suspense } from 'react'
import { useSetCrumbs } from '../../app/crumbs'
import { Notice, SkeletonText } from '../../design/feedback'
import { Page, useTitle } from '../../design/Page'
import { useT } from '../../i18n/t'
import { useMay } from '../../parts/permissions'

const NewForm = lazy(() => import('./NewForm'))

export default function ProjectNewPage() {
  const t = useT()
  const manage = useMay('MANAGE')
  useTitle(t('projects.new'))
  useSetCrumbs([{ label: t('projects.title'), to: '/projects' }, { label: t('projects.new') }])
  return (
    <Page title={t('projects.new')} sub={t('new.lead')}>
      {manage ? (
        <Suspense fallback={<SkeletonText lines={8} />}>
          <NewForm />
        </Suspense>
      ) : (
        <Notice tone="warn" title={t('permission.none')}>
          <p>{t('permission.ask')}</p>
        </Notice>
      )}
    </Page>
  )
}
