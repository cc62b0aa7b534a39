import { Server } from 'lucide-react'
import { useListNodesQuery } from '../../api/system'
import type { PlatformNode } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { Empty, ErrorNotice, RefreshNotice, SkeletonRows } from '../../design/feedback'
import { Card, Page, useTitle } from '../../design/Page'
import { Badge, nodeLook } from '../../design/Status'
import { RelativeTime } from '../../design/Time'
import { formatBytes, formatNumber } from '../../i18n/format'
import { type Key, useT } from '../../i18n/t'
import { usePolling, useTopic } from '../../realtime/live'
import './nodes.css'

const bytes = (value: number | null | undefined) =>
  value === null || value === undefined ? '—' : formatBytes(value)

/** How far a node can keep what an agent runs away from everything else, strongest first. */
const levels: { name: string; label: Key; text: Key }[] = [
  { name: 'full', label: 'nodes.level.full', text: 'nodes.level_text.full' },
  { name: 'strong', label: 'nodes.level.strong', text: 'nodes.level_text.strong' },
  { name: 'basic', label: 'nodes.level.basic', text: 'nodes.level_text.basic' },
  { name: 'minimal', label: 'nodes.level.minimal', text: 'nodes.level_text.minimal' },
  { name: 'none', label: 'nodes.level.none', text: 'nodes.level_text.none' },
]

function Row({ node }: { node: PlatformNode }) {
  const t = useT()
  const { capacity } = node
  const level = levels.find((each) => each.name === node.isolation)
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
      <td data-label={t('nodes.isolation')}>{level ? t(level.label) : (node.isolation ?? '—')}</td>
      <td
        className="num"
        data-label={t('nodes.agents')}
        title={capacity ? t('nodes.slots', { count: capacity.slots }) : undefined}
      >
        {formatNumber(node.projects)}
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
      <td className="num cell-when">
        <RelativeTime at={node.last_seen_at} />
      </td>
    </tr>
  )
}

/** What the words and numbers of the table mean. */
function Legend({ nodes }: { nodes: PlatformNode[] }) {
  const t = useT()
  const slots = Math.max(0, ...nodes.map((node) => node.capacity?.slots ?? 0))
  const here = new Set(nodes.map((node) => node.isolation))
  return (
    <Card title={t('nodes.legend')}>
      <dl className="card-body legend">
        <div>
          <dt>{t('nodes.agents')}</dt>
          <dd>{t('nodes.agents_text', { count: slots })}</dd>
        </div>
        <div>
          <dt>{t('nodes.isolation')}</dt>
          <dd>
            {t('nodes.isolation_text')}
            <ul>
              {levels.map((level) => (
                <li key={level.name} data-here={here.has(level.name) || undefined}>
                  <span className="legend-name">
                    <b>{t(level.label)}</b> <code>{level.name}</code>
                    {here.has(level.name) && <span className="chip">{t('nodes.level_here')}</span>}
                  </span>
                  <span>{t(level.text)}</span>
                </li>
              ))}
            </ul>
          </dd>
        </div>
      </dl>
    </Card>
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
      <RefreshNotice error={list.error} onRetry={() => void list.refetch()} />
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
                  <th scope="col" className="cell-title">
                    {t('nodes.node')}
                  </th>
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
                  <SkeletonRows rows={2} columns={['', 'cell-title', '', '', '', '', '', '']} />
                )}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      {list.data && list.data.items.length > 0 && <Legend nodes={list.data.items} />}
    </Page>
  )
}
