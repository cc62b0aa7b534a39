/**
 * The live connection as a state machine; no React, no globals, so that tests drive it with a fake
 * clock and a fake WebSocket.
 *
 *   idle ──start──▶ connecting ──open──▶ live ──lost──▶ waiting ──timer──▶ connecting …
 *     ▲                                                    │ wake (network is back, tab is seen)
 *     └───────────────────────stop──────────────────────────┘
 *
 * One socket carries every topic. When the WebSocket cannot be opened twice in a row although the
 * platform answers (a proxy's doing), server-sent events take its place. For each topic the last `seq` is remembered and given as `since`
 * after a reconnect, so the server can resume; when it cannot, it says `refetch` and the snapshot is
 * read again over REST. A connection that is silent for long is tested by subscribing again to what
 * is subscribed already: the server must answer, or the connection is taken for dead.
 */
import type { LiveMessage, LiveRequest } from '../api/types'

export type LiveState =
  | { name: 'idle' }
  | { name: 'connecting' }
  | { name: 'live' }
  | { name: 'waiting'; retryAt: number }

export type TopicMessage = Exclude<LiveMessage, { type: 'error' }>
/** `fresh`: a subscription that resumed nothing, so what was read before it may be old. */
export type TopicHandler = (message: TopicMessage, fresh: boolean) => void

export interface SocketLike {
  send(text: string): void
  close(): void
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
  /** A sign of life that is no message. */
  onheard?: (() => void) | null
}

/** A topic and the last `seq` seen of it. */
export interface Position {
  topic: string
  since: number | null
}

export interface SocketOptions {
  /** A one-time ticket; rejects when there is no session or no network. */
  ticket: () => Promise<string>
  open: (ticket: string) => SocketLike
  /** The same by server-sent events, already subscribed to these. */
  openStream: (ticket: string, positions: Position[]) => SocketLike
  onState: (state: LiveState) => void
  onError?: (code: string, topic: string | undefined) => void
  now?: () => number
  random?: () => number
  setTimer?: (run: () => void, ms: number) => unknown
  clearTimer?: (timer: unknown) => void
}

const firstDelay = 500
const longestDelay = 30_000
const openLimit = 10_000 // ticket + handshake
const silenceLimit = 25_000 // then ask
const answerLimit = 10_000 // then give up
const refusalLimit = 2 // then server-sent events

interface Topic {
  handlers: Set<TopicHandler>
  seq: number | null
}

/** 0.5 s, 1 s, 2 s … 30 s, each between half and all of itself, so that browsers spread out. */
export function backoff(attempt: number, random: number): number {
  const base = Math.min(longestDelay, firstDelay * 2 ** Math.min(attempt, 16))
  return Math.round(base * (0.5 + random / 2))
}

export class LiveSocket {
  private readonly topics = new Map<string, Topic>()
  private state: LiveState = { name: 'idle' }
  private socket: SocketLike | null = null
  private attempt = 0
  /** WebSockets in a row that did not open. */
  private refusals = 0
  private streaming = false
  private timer: unknown = null
  private asked = false
  /** Grows with every connection, so that a late answer of an old one is recognised. */
  private generation = 0

  private readonly now: () => number
  private readonly random: () => number
  private readonly setTimer: (run: () => void, ms: number) => unknown
  private readonly clearTimer: (timer: unknown) => void

  constructor(private readonly options: SocketOptions) {
    this.now = options.now ?? Date.now
    this.random = options.random ?? Math.random
    this.setTimer = options.setTimer ?? ((run, ms) => setTimeout(run, ms))
    this.clearTimer = options.clearTimer ?? ((timer) => clearTimeout(timer as number))
  }

  start(): void {
    if (this.state.name !== 'idle') return
    this.attempt = 0
    this.connect()
  }

  /** Ends the connection and forgets what was seen (another user may sign in). */
  stop(): void {
    this.drop()
    for (const topic of this.topics.values()) topic.seq = null
    this.move({ name: 'idle' })
  }

  /** The network is back or the tab is visible again: do not wait for the timer. */
  wake(): void {
    if (this.state.name === 'waiting') {
      this.attempt = 0
      this.connect()
    } else if (this.state.name === 'live') {
      this.ask()
    }
  }

  /** The network is known to be gone. */
  offline(): void {
    if (this.state.name === 'live' || this.state.name === 'connecting') this.retry()
  }

  subscribe(name: string, handler: TopicHandler): () => void {
    let topic = this.topics.get(name)
    if (!topic) {
      topic = { handlers: new Set(), seq: null }
      this.topics.set(name, topic)
      if (this.state.name === 'live') this.sendSubscribe(name, topic)
    }
    topic.handlers.add(handler)
    return () => {
      const current = this.topics.get(name)
      if (!current?.handlers.delete(handler) || current.handlers.size > 0) return
      this.topics.delete(name)
      if (this.state.name === 'live') this.send({ op: 'unsubscribe', topic: name })
    }
  }

  private move(state: LiveState): void {
    this.state = state
    this.options.onState(state)
  }

  private arm(ms: number, run: () => void): void {
    this.clearTimer(this.timer)
    this.timer = this.setTimer(run, ms)
  }

  private connect(): void {
    const generation = ++this.generation
    this.move({ name: 'connecting' })
    this.arm(openLimit, () => this.lost())
    this.options.ticket().then(
      (ticket) => {
        if (generation !== this.generation) return
        this.streaming = this.refusals >= refusalLimit
        const socket = this.streaming
          ? this.options.openStream(ticket, this.positions())
          : this.options.open(ticket)
        this.socket = socket
        socket.onopen = () => generation === this.generation && this.opened()
        socket.onmessage = (event) => generation === this.generation && this.received(event.data)
        socket.onclose = () => generation === this.generation && this.lost()
        socket.onheard = () => generation === this.generation && this.listen()
      },
      () => generation === this.generation && this.lost(),
    )
  }

  private positions(): Position[] {
    return [...this.topics].map(([topic, { seq }]) => ({ topic, since: seq }))
  }

  private opened(): void {
    this.attempt = 0
    if (!this.streaming) this.refusals = 0
    this.move({ name: 'live' })
    this.listen()
    for (const [name, topic] of this.topics) this.sendSubscribe(name, topic)
  }

  private drop(): void {
    this.generation++
    this.clearTimer(this.timer)
    const socket = this.socket
    this.socket = null
    if (socket) {
      socket.onopen = null
      socket.onmessage = null
      socket.onclose = null
      socket.onheard = null
      socket.close()
    }
  }

  private lost(): void {
    if (this.state.name === 'connecting' && this.socket && !this.streaming) this.refusals++
    else if (this.state.name === 'live' && this.streaming) this.refusals = refusalLimit - 1
    this.retry()
  }

  private retry(): void {
    this.drop()
    const delay = backoff(this.attempt++, this.random())
    this.move({ name: 'waiting', retryAt: this.now() + delay })
    this.arm(delay, () => this.connect())
  }

  /** (Re)starts the watch over silence; called for every message. */
  private listen(): void {
    this.asked = false
    this.arm(silenceLimit, () => this.ask())
  }

  private ask(): void {
    const first = this.topics.entries().next()
    if (this.asked || first.done) return
    this.asked = true
    const [name, topic] = first.value
    this.sendSubscribe(name, topic)
    this.arm(answerLimit, () => this.lost())
  }

  private send(request: LiveRequest): void {
    this.socket?.send(JSON.stringify(request))
  }

  private sendSubscribe(name: string, topic: Topic): void {
    this.send(
      topic.seq === null
        ? { op: 'subscribe', topic: name }
        : { op: 'subscribe', topic: name, since: topic.seq },
    )
  }

  private received(data: unknown): void {
    this.listen()
    let message: LiveMessage
    try {
      message = JSON.parse(String(data)) as LiveMessage
    } catch {
      this.lost() // not our protocol (a proxy's doing): start again
      return
    }
    if (message.type === 'error') {
      this.options.onError?.(message.code, message.topic)
      return
    }
    const topic = this.topics.get(message.topic)
    if (!topic) return // unsubscribed meanwhile
    let fresh = false
    if (message.type === 'subscribed') {
      fresh = topic.seq === null
      topic.seq ??= message.seq // a resumed one gets what it missed next
    } else if (message.type === 'event') {
      topic.seq = message.seq
    } else if (message.type === 'refetch') {
      fresh = true
    }
    for (const handler of [...topic.handlers]) handler(message, fresh)
  }
}
