import { describe, expect, it, vi } from 'vitest'
import type { Position } from './socket'
import { EventStream } from './stream'

const settle = () => new Promise<void>((done) => setImmediate(done))

/** A stream the test writes to. */
class Source {
  private chunks: (string | null)[] = []
  private wake = () => {}
  constructor(
    readonly path: string,
    readonly signal: AbortSignal,
  ) {}
  async say(chunk: string | null) {
    this.chunks.push(chunk)
    this.wake()
    await settle()
  }
  async *[Symbol.asyncIterator]() {
    for (;;) {
      const chunk = this.chunks.shift()
      if (chunk === null) return
      if (chunk !== undefined) yield chunk
      else
        await new Promise<void>((done) => {
          this.wake = done
        })
    }
  }
}

function setup(positions: Position[]) {
  const sources: Source[] = []
  const ticket = vi.fn(async () => `ticket-${sources.length}`)
  const stream = new EventStream('first', positions, {
    ticket,
    read: (path, signal) => {
      const source = new Source(path, signal)
      sources.push(source)
      return source
    },
  })
  const heard = {
    open: vi.fn(),
    message: vi.fn(),
    close: vi.fn(),
    heard: vi.fn(),
  }
  stream.onopen = heard.open
  stream.onmessage = ({ data }) => heard.message(JSON.parse(String(data)))
  stream.onclose = heard.close
  stream.onheard = heard.heard
  return { stream, sources, ticket, heard, last: () => sources.at(-1) as Source }
}

describe('EventStream', () => {
  it('opens with its topics and passes messages on, however they are cut', async () => {
    const s = setup([
      { topic: 'projects', since: null },
      { topic: 'nodes', since: 5 },
    ])
    expect(s.last().path).toBe('/api/events?topics=projects,nodes@5&ticket=first')
    await s.last().say('retry: 2000\n\n')
    expect(s.heard.open).toHaveBeenCalledTimes(1)
    await s.last().say('id: 7.5\nda')
    await s.last().say('ta: {"type":"refetch","topic":"nodes"}\n')
    expect(s.heard.message).not.toHaveBeenCalled()
    await s.last().say('\n:\n\n')
    expect(s.heard.message).toHaveBeenCalledWith({ type: 'refetch', topic: 'nodes' })
    expect(s.heard.heard).toHaveBeenCalledTimes(2) // the first words and the comment
  })

  it('goes on where it was, with all topics, when one is added', async () => {
    const s = setup([{ topic: 'projects', since: null }])
    await s.last().say('retry: 2000\n\nid: 7\ndata: {}\n\n')
    s.stream.send('{"op":"subscribe","topic":"projects"}')
    s.stream.send('{"op":"subscribe","topic":"nodes"}')
    s.stream.send('{"op":"subscribe","topic":"executions"}')
    await settle()
    expect(s.sources).toHaveLength(2)
    expect(s.sources[0]?.signal.aborted).toBe(true)
    expect(s.last().path).toBe('/api/events?topics=projects@7,nodes,executions&ticket=ticket-1')
    await s.last().say('retry: 2000\n\nid: 7.1.2\ndata: {}\n\n')
    s.stream.send('{"op":"unsubscribe","topic":"nodes"}')
    s.stream.send('{"op":"subscribe","topic":"project:a"}')
    await settle()
    expect(s.last().path).toBe(
      '/api/events?topics=projects@7,executions@2,project:a&ticket=ticket-2',
    )
    expect(s.heard.open).toHaveBeenCalledTimes(1)
    expect(s.heard.close).not.toHaveBeenCalled()
  })

  it('closes once, when the stream ends or no ticket is to be had', async () => {
    const ended = setup([])
    await ended.last().say('retry: 2000\n\n')
    await ended.last().say(null)
    expect(ended.heard.close).toHaveBeenCalledTimes(1)
    const refused = setup([])
    refused.ticket.mockRejectedValue(new Error('signed out'))
    refused.stream.send('{"op":"subscribe","topic":"nodes"}')
    await settle()
    expect(refused.heard.close).toHaveBeenCalledTimes(1)
    expect(refused.last().signal.aborted).toBe(true)
  })

  it('says nothing any more once it is closed', async () => {
    const s = setup([])
    s.stream.close()
    await s.last().say('retry: 2000\n\n')
    await s.last().say(null)
    for (const said of Object.values(s.heard)) expect(said).not.toHaveBeenCalled()
  })
})
