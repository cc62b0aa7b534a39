/**
 * Server-sent events behind the face of a WebSocket, for proxies that break those. A stream's topics
 * are fixed when it is opened, so a new one takes its place when a topic is added; it goes on where
 * the last one was. Read with fetch, because an EventSource does not show the comments by which the
 * platform says that it is still there.
 */
import type { LiveRequest } from '../api/types'
import type { Position, SocketLike } from './socket'

export interface StreamOptions {
  ticket: () => Promise<string>
  /** The body's chunks of text, until it ends; throws when there is no such stream. */
  read?: (path: string, signal: AbortSignal) => AsyncIterable<string>
}

async function* readStream(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const reply = await fetch(new URL(path, location.origin), { signal, credentials: 'same-origin' })
  const type = reply.headers.get('Content-Type') ?? ''
  if (!reply.ok || !reply.body || !type.startsWith('text/event-stream'))
    throw new Error(`no stream: ${reply.status} ${type}`)
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}

function withPosition({ topic, since }: Position): string {
  return since === null ? topic : `${topic}@${since}`
}

export class EventStream implements SocketLike {
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  onheard: (() => void) | null = null

  private reading: AbortController | null = null
  private changing = false
  private isOpen = false
  private isClosed = false

  constructor(
    ticket: string,
    private positions: Position[],
    private readonly options: StreamOptions,
  ) {
    void this.follow(ticket)
  }

  send(text: string): void {
    const { op, topic } = JSON.parse(text) as LiveRequest
    const known = this.positions.some((position) => position.topic === topic)
    if (op === 'unsubscribe')
      this.positions = this.positions.filter((position) => position.topic !== topic)
    else if (!known) {
      this.positions = [...this.positions, { topic, since: null }]
      this.change()
    }
  }

  close(): void {
    this.isClosed = true
    this.reading?.abort()
  }

  /** Another stream for the topics as they are then: a page asks for all of its own at once. */
  private change(): void {
    if (this.changing) return
    this.changing = true
    this.options.ticket().then(
      (ticket) => {
        this.changing = false
        if (!this.isClosed) void this.follow(ticket)
      },
      () => this.end(),
    )
  }

  private end(): void {
    if (this.isClosed) return
    this.close()
    this.onclose?.()
  }

  private async follow(ticket: string): Promise<void> {
    const own = new AbortController()
    const opened = this.positions
    const path = `/api/events?topics=${opened.map(withPosition).join(',')}&ticket=${encodeURIComponent(ticket)}`
    this.reading?.abort()
    this.reading = own
    try {
      let rest = ''
      for await (const text of (this.options.read ?? readStream)(path, own.signal)) {
        if (own.signal.aborted) return
        const blocks = (rest + text).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) this.take(block, opened)
      }
    } catch {
      // as with a WebSocket, why it ended does not matter
    }
    if (!own.signal.aborted) this.end()
  }

  private take(block: string, opened: Position[]): void {
    const data: string[] = []
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) this.moved(line.slice(4), opened)
      else if (line.startsWith('data: ')) data.push(line.slice(6))
    }
    if (!this.isOpen) {
      this.isOpen = true
      this.onopen?.()
    }
    if (data.length > 0) this.onmessage?.({ data: data.join('\n') })
    else this.onheard?.()
  }

  /** Positions in the order in which the topics were asked for. */
  private moved(id: string, opened: Position[]): void {
    for (const [index, seq] of id.split('.').entries()) {
      const position = opened[index]
      if (position) position.since = Number(seq)
    }
  }
}
