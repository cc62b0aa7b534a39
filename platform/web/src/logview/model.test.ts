import { describe, expect, it } from 'vitest'
import {
  clampTop,
  formatAnchor,
  lastTop,
  maxScroll,
  parseAnchor,
  parseLine,
  rowHeight,
  scrollFromTop,
  spacerHeight,
  topFromScroll,
} from './model'

/** A small generator, so that a failure can be repeated. */
function* numbers(seed: number): Generator<number> {
  let state = seed
  for (;;) {
    state = (state * 1664525 + 1013904223) % 4294967296
    yield state / 4294967296
  }
}

describe('scroll mapping', () => {
  it('never exceeds the height that browsers can scroll', () => {
    for (const total of [0, 1, 200_000, 200_001, 10_000_000])
      expect(spacerHeight(total)).toBeLessThanOrEqual(maxScroll)
  })

  it('goes from line to pixel and back for any size of log', () => {
    const random = numbers(7)
    const next = () => random.next().value as number
    for (let i = 0; i < 3000; i++) {
      const total = Math.floor(10 ** (next() * 7)) + 1
      const extent = { total, viewport: 100 + Math.floor(next() * 1400) }
      const top = clampTop(next() * total, extent)
      const scroll = scrollFromTop(top, extent)
      expect(scroll).toBeGreaterThanOrEqual(0)
      expect(scroll).toBeLessThanOrEqual(Math.max(0, spacerHeight(total) - extent.viewport) + 0.01)
      expect(topFromScroll(scroll, extent)).toBeCloseTo(top, 3)
    }
  })

  it('is monotonic', () => {
    const extent = { total: 5_000_000, viewport: 600 }
    let before = -1
    for (let top = 0; top < lastTop(extent); top += 77_777) {
      const scroll = scrollFromTop(top, extent)
      expect(scroll).toBeGreaterThan(before)
      before = scroll
    }
  })

  it('reaches the first and the last line', () => {
    const extent = { total: 2_000_000, viewport: 600 }
    expect(topFromScroll(0, extent)).toBe(0)
    const end = topFromScroll(spacerHeight(extent.total) - extent.viewport, extent)
    expect(end + extent.viewport / rowHeight).toBeCloseTo(2_000_000, 3)
  })

  it('does not move a log that fits', () => {
    const extent = { total: 5, viewport: 600 }
    expect(lastTop(extent)).toBe(0)
    expect(topFromScroll(40, extent)).toBe(0)
  })
})

describe('anchors', () => {
  it('count from one and are read in either order', () => {
    expect(parseAnchor('#L12')).toEqual({ from: 11, to: 11 })
    expect(parseAnchor('#L40-L12')).toEqual({ from: 11, to: 39 })
    expect(parseAnchor('#L3-5')).toEqual({ from: 2, to: 4 })
  })

  it('are nothing when they are something else', () => {
    for (const text of ['', '#', '#L', '#L0', '#L1x', '#execution', '#L99999999999999'])
      expect(parseAnchor(text)).toBeNull()
  })

  it('round-trip', () => {
    for (const range of [
      { from: 0, to: 0 },
      { from: 4, to: 99 },
    ])
      expect(parseAnchor(formatAnchor(range))).toEqual(range)
  })
})

describe('parseLine', () => {
  it('takes time, stream and text apart', () => {
    expect(parseLine('1700000000123 c hello  world')).toEqual({
      ms: 1_700_000_000_123,
      stream: 'c',
      text: 'hello  world',
    })
    expect(parseLine('1700000000123 o')).toMatchObject({ stream: 'o', text: '' })
  })

  it('reads the log lines of our programs', () => {
    const raw = 'time=2026-11-22T13:30:24.473Z level=warn program=poppo-runner component=a hello'
    expect(parseLine(raw)).toEqual({
      ms: Date.parse('2026-11-22T13:30:24.473Z'),
      stream: 'w',
      text: 'component=a hello',
    })
    expect(parseLine('time=never level=info x')).toMatchObject({ ms: null, stream: 'o' })
  })

  it('leaves a line of another shape as it is', () => {
    for (const raw of ['plain text', '2026 o x', '1700000000123 q x'])
      expect(parseLine(raw)).toEqual({ ms: null, stream: 'o', text: raw })
  })
})
