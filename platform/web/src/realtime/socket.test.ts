import { beforeEach, describe, expect, it, vi } from 'vitest'
import { backoff, LiveSocket, type LiveState, type Position, type SocketLike } from './socket'

class FakeSocket implements SocketLike {
  sent: Record<string, unknown>[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  onheard: (() => void) | null = null
  constructor(readonly streamed: Position[] | null = null) {}
  send(text: string) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.closed = true
  }
  say(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
}

class Clock {
  now = 0
  private timers: { at: number; run: () => void }[] = []
  set = (run: () => void, ms: number) => {
    const timer = { at: this.now + ms, run }
    this.timers.push(timer)
    return timer
  }
  clear = (timer: unknown) => {
    this.timers = this.timers.filter((each) => each !== timer)
  }
  async pass(ms: number) {
    const end = this.now + ms
    for (;;) {
      const next = this.timers.filter((each) => each.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.now = next.at
      this.clear(next)
      next.run()
      await settle()
    }
    this.now = end
  }
}

const settle = () => new Promise<void>((done) => setImmediate(done))

function setup() {
  const clock = new Clock()
  const sockets: FakeSocket[] = []
  const states: LiveState[] = []
  const ticket = vi.fn(async () => 'ticket')
  const live = new LiveSocket({
    ticket,
    open: () => {
      const socket = new FakeSocket()
      sockets.push(socket)
      return socket
    },
    openStream: (_ticket, positions) => {
      const socket = new FakeSocket(positions)
      sockets.push(socket)
      return socket
    },
    onState: (state) => states.push(state),
    now: () => clock.now,
    random: () => 1,
    setTimer: clock.set,
    clearTimer: clock.clear,
  })
  const connect = async () => {
    await settle()
    sockets.at(-1)?.onopen?.()
  }
  return { live, clock, sockets, states, ticket, connect, last: () => sockets.at(-1) as FakeSocket }
}

describe('backoff', () => {
  it('doubles to thirty seconds and spreads', () => {
    expect(backoff(0, 1)).toBe(500)
    expect(backoff(0, 0)).toBe(250)
    expect(backoff(3, 1)).toBe(4000)
    expect(backoff(50, 1)).toBe(30_000)
  })
})

describe('LiveSocket', () => {
  let s: ReturnType<typeof setup>
  beforeEach(() => {
    s = setup()
  })

  it('connects with a ticket and subscribes to what was asked before', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    expect(s.states.at(-1)?.name).toBe('connecting')
    await s.connect()
    expect(s.states.at(-1)?.name).toBe('live')
    expect(s.last().sent).toEqual([{ op: 'subscribe', topic: 'projects' }])
  })

  it('gives messages to every handler of the topic and to no other', async () => {
    const one = vi.fn()
    const two = vi.fn()
    const other = vi.fn()
    s.live.subscribe('projects', one)
    s.live.subscribe('projects', two)
    s.live.subscribe('nodes', other)
    s.live.start()
    await s.connect()
    const event = { type: 'event', topic: 'projects', seq: 4, event: 'project', data: {} }
    s.last().say(event)
    expect(one).toHaveBeenCalledWith(event, false)
    expect(two).toHaveBeenCalledTimes(1)
    expect(other).not.toHaveBeenCalled()
  })

  it('says when nothing was resumed', async () => {
    const handler = vi.fn()
    s.live.subscribe('projects', handler)
    s.live.start()
    await s.connect()
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 9 })
    expect(handler.mock.lastCall?.[1]).toBe(true)
    s.last().say({ type: 'refetch', topic: 'projects' })
    expect(handler.mock.lastCall?.[1]).toBe(true)
  })

  it('resumes each topic from the last seq after a loss', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 9 })
    s.last().say({ type: 'event', topic: 'projects', seq: 12, event: 'project', data: {} })
    s.last().onclose?.()
    expect(s.states.at(-1)).toEqual({ name: 'waiting', retryAt: 500 })
    await s.clock.pass(500)
    await s.connect()
    expect(s.last().sent).toEqual([{ op: 'subscribe', topic: 'projects', since: 12 }])
  })

  it('waits longer each time and starts over after success', async () => {
    s.ticket.mockRejectedValue(new Error('down'))
    s.live.start()
    await settle()
    expect(s.states.at(-1)).toMatchObject({ retryAt: 500 })
    await s.clock.pass(500)
    expect(s.states.at(-1)).toMatchObject({ retryAt: 1500 })
    await s.clock.pass(1000)
    expect(s.states.at(-1)).toMatchObject({ retryAt: 3500 })
    s.ticket.mockResolvedValue('ticket')
    await s.clock.pass(2000)
    await s.connect()
    s.last().onclose?.()
    expect(s.states.at(-1)).toMatchObject({ retryAt: s.clock.now + 500 })
  })

  it('gives up a handshake that takes too long', async () => {
    s.live.start()
    await settle()
    await s.clock.pass(10_000)
    expect(s.sockets[0]?.closed).toBe(true)
    expect(s.states.some((state) => state.name === 'waiting')).toBe(true)
  })

  it('asks a silent connection and drops it without an answer', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 3 })
    await s.clock.pass(25_000)
    expect(s.last().sent.at(-1)).toEqual({ op: 'subscribe', topic: 'projects', since: 3 })
    await s.clock.pass(10_000)
    expect(s.sockets[0]?.closed).toBe(true)
  })

  it('keeps a silent connection that answers', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    for (let i = 0; i < 4; i++) {
      await s.clock.pass(25_000)
      s.last().say({ type: 'subscribed', topic: 'projects', seq: 3 })
    }
    expect(s.states.at(-1)?.name).toBe('live')
    expect(s.sockets).toHaveLength(1)
  })

  it('does not wait when the network is back', async () => {
    s.live.start()
    await s.connect()
    s.last().onclose?.()
    s.live.wake()
    expect(s.states.at(-1)?.name).toBe('connecting')
  })

  it('reads server-sent events when the WebSocket does not open twice', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    for (const delay of [500, 1000]) {
      await settle()
      expect(s.last().streamed).toBeNull()
      s.last().onclose?.()
      await s.clock.pass(delay)
    }
    await s.connect()
    expect(s.last().streamed).toEqual([{ topic: 'projects', since: null }])
    expect(s.states.at(-1)?.name).toBe('live')
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 7 })
    s.last().onclose?.() // then the WebSocket has one more chance
    await s.clock.pass(500)
    await settle()
    expect(s.last().streamed).toBeNull()
    s.last().onclose?.()
    await s.clock.pass(1000)
    await s.connect()
    expect(s.last().streamed).toEqual([{ topic: 'projects', since: 7 }])
  })

  it('does not blame the WebSocket when the platform does not answer', async () => {
    s.ticket.mockRejectedValue(new Error('down'))
    s.live.start()
    await s.clock.pass(5000)
    s.ticket.mockResolvedValue('ticket')
    await s.clock.pass(8000)
    expect(s.last().streamed).toBeNull()
    s.live.offline()
    s.live.wake()
    await settle()
    s.live.offline()
    s.live.wake()
    await settle()
    expect(s.last().streamed).toBeNull()
  })

  it('takes a sign of life for an answer', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    for (let i = 0; i < 6; i++) {
      await s.clock.pass(18_000)
      s.last().onheard?.()
    }
    expect(s.last().sent).toHaveLength(1)
    expect(s.states.at(-1)?.name).toBe('live')
  })

  it('resumes where it was when it is cut before what it missed has come', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 3 })
    for (const delay of [500, 500]) {
      s.last().onclose?.()
      await s.clock.pass(delay)
      await s.connect()
      s.last().say({ type: 'subscribed', topic: 'projects', seq: 9 })
      expect(s.last().sent).toEqual([{ op: 'subscribe', topic: 'projects', since: 3 }])
    }
  })

  it('unsubscribes with the last handler only', async () => {
    s.live.start()
    await s.connect()
    const leave = s.live.subscribe('projects', () => {})
    const leaveToo = s.live.subscribe('projects', () => {})
    leave()
    leave()
    expect(s.last().sent).toHaveLength(1)
    leaveToo()
    expect(s.last().sent.at(-1)).toEqual({ op: 'unsubscribe', topic: 'projects' })
  })

  it('ignores what an old connection still says', async () => {
    const handler = vi.fn()
    s.live.subscribe('projects', handler)
    s.live.start()
    await s.connect()
    const old = s.last()
    const speak = old.onmessage
    old.onclose?.()
    speak?.({ data: '{"type":"refetch","topic":"projects"}' })
    expect(handler).not.toHaveBeenCalled()
  })

  it('starts again on something that is not our protocol', async () => {
    s.live.start()
    await s.connect()
    s.last().onmessage?.({ data: '<html>' })
    expect(s.states.at(-1)?.name).toBe('waiting')
  })

  it('forgets what was seen when it is stopped', async () => {
    s.live.subscribe('projects', () => {})
    s.live.start()
    await s.connect()
    s.last().say({ type: 'subscribed', topic: 'projects', seq: 3 })
    s.live.stop()
    expect(s.states.at(-1)?.name).toBe('idle')
    s.live.start()
    await s.connect()
    expect(s.last().sent).toEqual([{ op: 'subscribe', topic: 'projects' }])
  })
})
