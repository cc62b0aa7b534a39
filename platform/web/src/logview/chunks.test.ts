import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LogPart, LogRange } from '../api/log'
import { Chunks, chunkLines, splitLines } from './chunks'

const line = (n: number) => `line ${n}`
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const many = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => line(from + i))

interface Asked {
  part: LogPart
  signal: AbortSignal
  answer: (range: Partial<LogRange>) => void
  fail: () => void
}

function setup(total = 0) {
  const asked: Asked[] = []
  const events = { changed: vi.fn(), failed: vi.fn() }
  const chunks = new Chunks(
    (part, signal) =>
      new Promise((resolve, reject) => {
        asked.push({
          part,
          signal,
          answer: (range) =>
            resolve({
              from: part.from ?? 0,
              text: '',
              lines: total,
              bytes: 1,
              complete: false,
              ...range,
            }),
          fail: () => reject(new Error('no')),
        })
      }),
    events,
  )
  chunks.head(total, 1, false)
  const answerAll = async () => {
    for (const each of asked.splice(0)) {
      const from = each.part.from ?? 0
      const count = Math.min(each.part.count ?? 0, total - from)
      each.answer({
        text: many(from, count)
          .map((l) => `${l}\n`)
          .join(''),
      })
    }
    await Promise.resolve()
    await Promise.resolve()
  }
  return { chunks, asked, events, answerAll }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('splitLines', () => {
  it('counts a last line without its end', () => {
    expect(splitLines('')).toEqual([])
    expect(splitLines('a\nb\n')).toEqual(['a', 'b'])
    expect(splitLines('a\nb')).toEqual(['a', 'b'])
    expect(splitLines('\n')).toEqual([''])
  })
})

describe('Chunks', () => {
  it('fetches the chunks that are looked at, once', async () => {
    const { chunks, asked, answerAll } = setup(5000)
    chunks.need(lines(600, 640), 0)
    chunks.need(lines(600, 640), 0)
    expect(asked.map((each) => each.part)).toEqual([{ from: 512, count: 512 }])
    await answerAll()
    expect(chunks.line(600)).toBe(line(600))
    chunks.need(lines(600, 640), 0)
    expect(asked).toHaveLength(0)
  })

  it('fetches one chunk ahead in the direction of movement', () => {
    const { chunks, asked } = setup(5000)
    chunks.need(lines(600, 640), 1)
    expect(asked.map((each) => each.part.from)).toEqual([512, 1024])
  })

  it('gives up a fetch that is out of view', () => {
    const { chunks, asked } = setup(500_000)
    chunks.need(lines(0, 40), 0)
    chunks.need(lines(400_000, 400_040), 0)
    expect(asked[0]?.signal.aborted).toBe(true)
    expect(asked[1]?.signal.aborted).toBe(false)
  })

  it('appends live lines and counts them', () => {
    const { chunks } = setup(0)
    chunks.insert(0, many(0, 700))
    chunks.insert(700, many(700, 5))
    expect(chunks.total).toBe(705)
    expect(chunks.line(704)).toBe(line(704))
  })

  it('takes lines twice without doubling them', () => {
    const { chunks } = setup(0)
    chunks.insert(0, many(0, 10))
    chunks.insert(5, many(5, 10))
    expect(chunks.total).toBe(15)
    expect(chunks.line(14)).toBe(line(14))
    expect(chunks.line(5)).toBe(line(5))
  })

  it('leaves a hole to be fetched, and fetches only what is missing', async () => {
    const { chunks, asked } = setup(0)
    chunks.insert(0, many(0, 10))
    chunks.insert(100, many(100, 10))
    expect(chunks.total).toBe(110)
    expect(chunks.line(100)).toBeUndefined()
    chunks.need(lines(90, 110), 0)
    expect(asked[0]?.part).toEqual({ from: 10, count: chunkLines - 10 })
  })

  it('keeps 64 chunks, the ones used last', () => {
    const { chunks } = setup(0)
    for (let i = 0; i < 70; i++) {
      chunks.insert(i * chunkLines, many(i * chunkLines, chunkLines))
      chunks.line(0)
    }
    expect(chunks.line(0)).toBe(line(0))
    expect(chunks.line(1 * chunkLines)).toBeUndefined()
    expect(chunks.line(69 * chunkLines)).toBe(line(69 * chunkLines))
  })

  it('asks again after a failure and reports only the second one', async () => {
    const { chunks, asked, events } = setup(5000)
    chunks.need(lines(0, 40), 0)
    asked[0]?.fail()
    await vi.advanceTimersByTimeAsync(0)
    expect(events.failed).not.toHaveBeenCalled()
    chunks.need(lines(0, 40), 0)
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1000)
    chunks.need(lines(0, 40), 0)
    expect(asked).toHaveLength(2)
    asked[1]?.fail()
    await vi.advanceTimersByTimeAsync(0)
    expect(events.failed).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(2000)
    chunks.need(lines(0, 40), 0)
    asked[2]?.answer({ text: 'line 0\n' })
    await vi.advanceTimersByTimeAsync(0)
    expect(events.failed).toHaveBeenLastCalledWith(null)
  })

  it('never shrinks and stays complete', () => {
    const { chunks } = setup(100)
    chunks.head(200, 10, true)
    chunks.head(150, 5, false)
    expect(chunks.total).toBe(200)
    expect(chunks.complete).toBe(true)
  })
})
