/** On the page of all executions: the door to the queue, which says when it is paused. `#queue` opens it. */
import { ListOrdered, Pause } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { useLocation, useNavigate } from 'react-router'
import { queuePolling, useGetQueueQuery } from '../../api/queue'
import { Button } from '../../design/Button'
import { useT } from '../../i18n/t'
import './queue.css'

const QueueDialog = lazy(() => import('./QueueDialog'))

export function QueueButton() {
  const t = useT()
  const navigate = useNavigate()
  const { hash, search } = useLocation()
  const { data } = useGetQueueQuery(undefined, queuePolling)
  const show = (next: '' | '#queue') => navigate({ search, hash: next }, { replace: next === '' })
  if (!data) return null
  return (
    <>
      <Button
        className={data.paused ? 'queue-paused' : undefined}
        icon={data.paused ? <Pause size={16} /> : <ListOrdered size={16} />}
        onClick={() => show('#queue')}
      >
        {data.paused ? t('queue.paused') : t('queue.title')}
      </Button>
      {hash === '#queue' && (
        <Suspense fallback={null}>
          <QueueDialog queue={data} onClose={() => show('')} />
        </Suspense>
      )}
    </>
  )
}
