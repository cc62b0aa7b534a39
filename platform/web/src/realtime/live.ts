/**
 * The tab's one live connection, tied to the store: events are gathered for a frame and patched into
 * the cache; while the connection is down, queries poll instead (`usePolling`).
 */
import { useEffect, useRef } from 'react'
import { useStore } from 'react-redux'
import { api } from '../api/base'
import { call } from '../api/http'
import type { Deleted, Execution, PlatformNode, Project } from '../api/types'
import { type Store, useAppSelector } from '../app/store'
import { applyDeleted, applyExecution, applyNode, applyProject, refetchTopic } from './apply'
import { liveSlice } from './liveSlice'
import { LiveSocket, type SocketLike, type TopicHandler } from './socket'
import { EventStream } from './stream'

const frameMs = 60
const statsMs = 2000

let socket: LiveSocket | null = null

async function ticket(): Promise<string> {
  const response = await call('/api/ws/ticket', { method: 'POST' })
  return ((await response.json()) as { ticket: string }).ticket
}

function open(value: string): SocketLike {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return new WebSocket(
    `${scheme}://${location.host}/api/ws?ticket=${encodeURIComponent(value)}`,
  ) as unknown as SocketLike
}

/** Gathers events for one frame, newest per object, then patches the cache in one go. */
class Batch {
  private pending = new Map<string, () => void>()
  private timer: ReturnType<typeof setTimeout> | null = null
  private stats: ReturnType<typeof setTimeout> | null = null

  constructor(private readonly store: Store) {}

  add(event: string, data: unknown): void {
    const id = (data as { id: string }).id
    this.pending.set(`${event}:${id}`, () => this.apply(event, data))
    this.timer ??= setTimeout(() => this.flush(), frameMs)
  }

  private apply(event: string, data: unknown): void {
    if (event === 'execution') applyExecution(this.store, data as Execution)
    else if (event === 'project') applyProject(this.store, data as Project)
    else if (event === 'node') applyNode(this.store, data as PlatformNode)
    else if (event === 'deleted') applyDeleted(this.store, data as Deleted)
  }

  private flush(): void {
    this.timer = null
    const todo = [...this.pending.values()]
    this.pending.clear()
    for (const run of todo) run()
    this.stats ??= setTimeout(() => {
      this.stats = null
      this.store.dispatch(api.util.invalidateTags(['Stats']))
    }, statsMs)
  }
}

let batch: Batch | null = null

/** Connects while somebody is signed in. Call once. */
export function startLive(store: Store): void {
  batch = new Batch(store)
  socket = new LiveSocket({
    ticket,
    open,
    openStream: (value, positions) => new EventStream(value, positions, { ticket }),
    onState: (connection) =>
      store.dispatch(liveSlice.actions.connectionChanged({ connection, at: Date.now() })),
  })
  const follow = () => {
    const active = store.getState().session.status === 'active'
    const idle = store.getState().live.connection.name === 'idle'
    if (active && idle) socket?.start()
    else if (!active && !idle) socket?.stop()
  }
  store.subscribe(follow)
  follow()
  addEventListener('online', () => socket?.wake())
  addEventListener('offline', () => socket?.offline())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') socket?.wake()
  })
}

/** Subscribes to a topic: cache patches happen by themselves, `handler` hears everything besides. */
export function subscribeTopic(store: Store, topic: string, handler?: TopicHandler): () => void {
  if (!socket) return () => {} // component tests render without a connection
  return socket.subscribe(topic, (message, fresh) => {
    if (message.type === 'event') batch?.add(message.event, message.data)
    else if (fresh && !topic.startsWith('log:')) refetchTopic(store, topic)
    handler?.(message, fresh)
  })
}

/** Keeps a topic subscribed while the component is shown; null = none. */
export function useTopic(topic: string | null, handler?: TopicHandler): void {
  const store = useStore() as Store
  const latest = useRef(handler)
  useEffect(() => {
    latest.current = handler
  })
  useEffect(() => {
    if (topic === null) return
    return subscribeTopic(store, topic, (message, fresh) => latest.current?.(message, fresh))
  }, [store, topic])
}

/** Query options for data that is normally live: poll while the connection is not. */
export function usePolling(ms = 5000): {
  pollingInterval: number
  skipPollingIfUnfocused: boolean
} {
  const live = useAppSelector((state) => state.live.connection.name === 'live')
  return { pollingInterval: live ? 0 : ms, skipPollingIfUnfocused: true }
}
