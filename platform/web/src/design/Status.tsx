/**
 * Every status a person sees: one shape, one colour, one word. The tables are exhaustive by type,
 * so a status the server learns fails to compile here until it has all three.
 */
import type { ReactNode } from 'react'
import type { AgentState, ExecutionStatus, ProjectHealth, ProjectStatus } from '../api/types'
import { type Key, useT } from '../i18n/t'

export type Tone = 'ok' | 'run' | 'queue' | 'warn' | 'fail' | 'off'
export type Shape =
  | 'dashed'
  | 'quarter'
  | 'play'
  | 'question'
  | 'hand'
  | 'warning'
  | 'check'
  | 'cross'
  | 'clock'
  | 'coin'
  | 'slash'
  | 'stopping'
  | 'pause'
  | 'dot'
  | 'unknown'

export interface Look {
  tone: Tone
  shape: Shape
  label: Key
}

export const executionLook: Record<ExecutionStatus, Look> = {
  queued: { tone: 'queue', shape: 'dashed', label: 'status.queued' },
  assigned: { tone: 'queue', shape: 'dashed', label: 'status.assigned' },
  preparing: { tone: 'run', shape: 'quarter', label: 'status.preparing' },
  running: { tone: 'run', shape: 'play', label: 'status.running' },
  waiting_input: { tone: 'warn', shape: 'question', label: 'status.waiting_input' },
  waiting_approval: { tone: 'warn', shape: 'hand', label: 'status.waiting_approval' },
  waiting_quota: { tone: 'warn', shape: 'warning', label: 'status.waiting_quota' },
  cancelling: { tone: 'off', shape: 'stopping', label: 'status.cancelling' },
  succeeded: { tone: 'ok', shape: 'check', label: 'status.succeeded' },
  failed: { tone: 'fail', shape: 'cross', label: 'status.failed' },
  timed_out: { tone: 'fail', shape: 'clock', label: 'status.timed_out' },
  budget_exhausted: { tone: 'fail', shape: 'coin', label: 'status.budget_exhausted' },
  cancelled: { tone: 'off', shape: 'slash', label: 'status.cancelled' },
}

const finalStatuses: ReadonlySet<ExecutionStatus> = new Set<ExecutionStatus>([
  'succeeded',
  'failed',
  'timed_out',
  'budget_exhausted',
  'cancelled',
])

export function isFinal(status: ExecutionStatus): boolean {
  return finalStatuses.has(status)
}

const healthLook: Record<ProjectHealth, Look> = {
  healthy: { tone: 'ok', shape: 'check', label: 'health.healthy' },
  failing: { tone: 'fail', shape: 'cross', label: 'health.failing' },
  misconfigured: { tone: 'fail', shape: 'warning', label: 'health.misconfigured' },
  stopped: { tone: 'off', shape: 'pause', label: 'health.stopped' },
  unknown: { tone: 'off', shape: 'unknown', label: 'health.unknown' },
}

/** What a project's badge says: trouble first, then what it is doing, then how it is. */
export function projectLook(project: {
  status: ProjectStatus
  health: ProjectHealth
  counts: { running: number }
}): Look {
  if (project.status !== 'active') {
    if (project.status === 'paused')
      return { tone: 'off', shape: 'pause', label: 'project.status.paused' }
    return healthLook.stopped
  }
  if (project.health === 'misconfigured' || project.health === 'failing')
    return healthLook[project.health]
  if (project.counts.running > 0) return executionLook.running
  return healthLook[project.health]
}

export const agentLook: Record<AgentState, Look> = {
  starting: { tone: 'run', shape: 'quarter', label: 'agent.state.starting' },
  running: { tone: 'ok', shape: 'dot', label: 'agent.state.running' },
  backing_off: { tone: 'fail', shape: 'clock', label: 'agent.state.backing_off' },
  degraded: { tone: 'warn', shape: 'warning', label: 'agent.state.degraded' },
  stopped: { tone: 'off', shape: 'pause', label: 'agent.state.stopped' },
  unreachable: { tone: 'warn', shape: 'unknown', label: 'agent.state.unreachable' },
}

export const nodeLook: Record<'online' | 'offline', Look> = {
  online: { tone: 'ok', shape: 'dot', label: 'node.online' },
  offline: { tone: 'off', shape: 'slash', label: 'node.offline' },
}

const ring = <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.6" />
const faintRing = (
  <circle
    cx="8"
    cy="8"
    r="6.2"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.6"
    opacity="0.35"
  />
)
const line = (d: string) => (
  <path
    d={d}
    fill="none"
    stroke="currentColor"
    strokeWidth="1.7"
    strokeLinecap="round"
    strokeLinejoin="round"
  />
)
/** Strokes drawn in the surface's colour on top of a filled shape. */
const cut = (d: string) => (
  <path
    d={d}
    fill="none"
    stroke="var(--surface)"
    strokeWidth="1.8"
    strokeLinecap="round"
    strokeLinejoin="round"
  />
)
const octagon = <path d="M5.4 1.5h5.2l3.9 3.9v5.2l-3.9 3.9H5.4l-3.9-3.9V5.4z" fill="currentColor" />
const triangle = (
  <path
    d="M8 1.9c.5 0 .9.2 1.1.7l5.5 9.7c.5.9-.1 1.9-1.1 1.9h-11c-1 0-1.6-1-1.1-1.9l5.5-9.7c.2-.5.6-.7 1.1-.7z"
    fill="currentColor"
  />
)

const shapes: Record<Shape, ReactNode> = {
  dashed: (
    <>
      <circle
        cx="8"
        cy="8"
        r="6.2"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        strokeDasharray="2.4 2.47"
      />
      <circle cx="8" cy="8" r="1.8" fill="currentColor" />
    </>
  ),
  quarter: (
    <>
      {faintRing}
      <g className="turn">{line('M8 1.8a6.2 6.2 0 0 1 6.2 6.2')}</g>
    </>
  ),
  play: (
    <>
      {faintRing}
      <g className="turn">{line('M8 1.8a6.2 6.2 0 0 1 4.4 10.6')}</g>
      <path d="M6.5 5.4v5.2l4.2-2.6z" fill="currentColor" />
    </>
  ),
  question: (
    <>
      <path
        d="M3 1.8h10c.8 0 1.5.7 1.5 1.5v6.9c0 .8-.7 1.5-1.5 1.5H8.6L5 14.6v-2.9H3c-.8 0-1.5-.7-1.5-1.5V3.3c0-.8.7-1.5 1.5-1.5z"
        fill="currentColor"
      />
      {cut('M6.3 5.4c.2-1 .9-1.4 1.8-1.4 1 0 1.7.6 1.7 1.5 0 1.2-1.7 1.3-1.7 2.3M8.1 9.6v.05')}
    </>
  ),
  hand: (
    <>
      <rect x="1.5" y="1.5" width="13" height="13" rx="3.5" fill="currentColor" />
      {cut('M5.2 9V6.2M7.1 8V4.6M9 8V5M10.9 8.6V6M5.2 9c0 2 1.2 3 2.9 3s2.8-1.2 2.8-3.2')}
    </>
  ),
  warning: (
    <>
      {triangle}
      {cut('M8 6v3.2M8 11.6v.05')}
    </>
  ),
  check: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      {cut('M4.9 8.2l2.2 2.2 4.1-4.5')}
    </>
  ),
  cross: (
    <>
      {octagon}
      {cut('M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6')}
    </>
  ),
  clock: (
    <>
      {octagon}
      {cut('M8 4.6V8l2.3 1.7')}
    </>
  ),
  coin: (
    <>
      {octagon}
      {cut(
        'M10 5.9C9.6 5.2 8.9 5 8 5c-1.1 0-2 .5-2 1.5S7 7.9 8 8s2 .5 2 1.5S9.1 11 8 11c-.9 0-1.6-.3-2-.9M8 4v.9M8 11.1v.9',
      )}
    </>
  ),
  slash: (
    <>
      {ring}
      {line('M4 12l8-8')}
    </>
  ),
  stopping: (
    <>
      {faintRing}
      <g className="turn">{line('M8 1.8a6.2 6.2 0 0 1 6.2 6.2')}</g>
      <rect x="5.6" y="5.6" width="4.8" height="4.8" rx="1" fill="currentColor" />
    </>
  ),
  pause: (
    <>
      <rect
        x="1.9"
        y="1.9"
        width="12.2"
        height="12.2"
        rx="3"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
      />
      {line('M6.3 5.7v4.6M9.7 5.7v4.6')}
    </>
  ),
  dot: (
    <>
      {faintRing}
      <circle cx="8" cy="8" r="3.4" fill="currentColor" />
    </>
  ),
  unknown: (
    <>
      <circle
        cx="8"
        cy="8"
        r="6.2"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeDasharray="1 2.2"
      />
      {line('M6.4 6.3c.2-1 .8-1.4 1.6-1.4 1 0 1.6.6 1.6 1.4 0 1.1-1.6 1.3-1.6 2.3M8 10.8v.05')}
    </>
  ),
}

export function Glyph({ shape, size = 16 }: { shape: Shape; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {shapes[shape]}
    </svg>
  )
}

export function Badge({ look }: { look: Look }) {
  const t = useT()
  return (
    <span className="badge" data-tone={look.tone}>
      <Glyph shape={look.shape} size={14} />
      {t(look.label)}
    </span>
  )
}

/** The same without the pill, for places that are already boxed. */
export function StatusText({ look }: { look: Look }) {
  const t = useT()
  return (
    <span className="status-text" data-tone={look.tone}>
      <Glyph shape={look.shape} />
      {t(look.label)}
    </span>
  )
}

export function ExecutionBadge({ status }: { status: ExecutionStatus }) {
  return <Badge look={executionLook[status]} />
}
