import { Server } from 'lucide-react'
import { useListNodesQuery } from '../../api/system'
import type { PlatformNode } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { Empty, ErrorNotice, SkeletonRows } from '../../design/feedback'
import { Card, Page, useTitle } from '../../design/Page'
import { Badge, nodeLook } from '../../design/Status'
import { RelativeTime } from '../../design/Time'
import { formatBytes, formatNumber } from '../../i18n/format'
import { useT } from '../../i18n/t'
import { usePolling, useTopic } from '../../realtime/live'

const bytes = (value: number | null | undefined) =>
  value === null || value === undefined ? '—' : formatBytes(value)

function Row({ node }: { node: PlatformNode }) {
  const t = useT()
  const { capacity } = node
  return (
    <tr>
      <td>
        <Badge look={nodeLook[node.status]} />
      </td>
      <td className="cell-title">
        <div className="cell-main">
          <b>{node.name}</b>
          {node.version && <span className="muted">{node.version}</span>}
        </div>
      </td>
      <td data-label={t('nodes.isolation')}>{node.isolation ?? '—'}</td>
      <td className="num" data-label={t('nodes.agents')}>
        {formatNumber(node.projects)}
        {capacity && <span className="muted"> / {formatNumber(capacity.slots)}</span>}
      </td>
      <td className="num" data-label={t('nodes.load')}>
        {node.load1 === null ? '—' : formatNumber(Math.round(node.load1 * 100) / 100)}
        {capacity && <span className="muted"> / {t('nodes.cpus', { count: capacity.cpus })}</span>}
      </td>
      <td className="num" data-label={t('nodes.memory')}>
        {bytes(node.memory_free_bytes)}
        {capacity && <span className="muted"> / {bytes(capacity.memory_bytes)}</span>}
      </td>
      <td className="num" data-label={t('nodes.disk')}>
        {bytes(node.disk_free_bytes)}
      </td>
      <td className="num">
        <RelativeTime at={node.last_seen_at} />
      </td>
    </tr>
  )
}

export default function NodesPage() {
  const t = useT()
  const list = useListNodesQuery(undefined, usePolling())
  useTopic('nodes')
  useTitle(t('nav.nodes'))
  useSetCrumbs([{ label: t('nav.nodes') }])
  if (list.error !== undefined && !list.data)
    return (
      <Page title={t('nav.nodes')}>
        <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />
      </Page>
    )
  return (
    <Page title={t('nav.nodes')}>
      {list.error !== undefined && (
        <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />
      )}
      <Card label={t('nav.nodes')}>
        {list.data?.items.length === 0 ? (
          <Empty icon={<Server size={36} />} title={t('nodes.empty')}>
            {t('nodes.empty_text')}
          </Empty>
        ) : (
          <div className="table-wrap">
            <table className="table table-cards" aria-label={t('nav.nodes')}>
              <thead>
                <tr>
                  <th scope="col">{t('projects.status')}</th>
                  <th scope="col">{t('nodes.node')}</th>
                  <th scope="col">{t('nodes.isolation')}</th>
                  <th scope="col" className="num">
                    {t('nodes.agents')}
                  </th>
                  <th scope="col" className="num">
                    {t('nodes.load')}
                  </th>
                  <th scope="col" className="num">
                    {t('nodes.memory')}
                  </th>
                  <th scope="col" className="num">
                    {t('nodes.disk')}
                  </th>
                  <th scope="col" className="num">
                    {t('nodes.last_seen')}
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.data ? (
                  list.data.items.map((node) => <Row key={node.id} node={node} />)
                ) : (
                  <SkeletonRows rows={2} columns={8} />
                )}
              </tbody>
            </table>
          </div>
        )}
      </Card>
    </Page>
  )
}
