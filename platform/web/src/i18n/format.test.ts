import { beforeEach, describe, expect, it } from 'vitest'
import {
  formatAbsolute,
  formatBytes,
  formatClock,
  formatCompact,
  formatCost,
  formatDuration,
  formatLogTime,
  formatRelative,
} from './format'
import { setLanguage } from './t'

const now = Date.parse('2026-11-22T10:00:00Z')

describe('formats in English', () => {
  beforeEach(() => setLanguage('en'))

  it('says how long ago', () => {
    expect(formatRelative(now - 3000, now)).toBe('now')
    expect(formatRelative(now - 59_000, now)).toBe('59s ago')
    expect(formatRelative(now - 61_000, now)).toBe('1m ago')
    expect(formatRelative(now - 7_300_000, now)).toBe('2h ago')
    expect(formatRelative(now - 86_400_000 * 1.9, now)).toBe('1d ago')
    expect(formatRelative(now - 86_400_000 * 400, now)).toBe('1y ago')
  })

  it('gives durations in at most two units', () => {
    expect(formatDuration(0)).toBe('0s')
    expect(formatDuration(300)).toBe('0.3s')
    expect(formatDuration(59_499)).toBe('59s')
    expect(formatDuration(372_000)).toBe('6m 12s')
    expect(formatDuration(3_600_000)).toBe('1h')
    expect(formatDuration(3_605_000)).toBe('1h')
    expect(formatDuration(90_061_000)).toBe('1d 1h')
  })

  it('gives clocks', () => {
    expect(formatClock(3000)).toBe('0:03')
    expect(formatClock(372_000)).toBe('6:12')
    expect(formatClock(3_723_000)).toBe('1:02:03')
    expect(formatClock(-5)).toBe('0:00')
  })

  it('keeps enough digits of a small cost', () => {
    expect(formatCost(84.71)).toBe('$84.71')
    expect(formatCost(0.0421)).toBe('$0.04')
    expect(formatCost(0.0042)).toBe('$0.0042')
    expect(formatCost(0)).toBe('$0.00')
    expect(formatCost(null)).toBe('—')
  })

  it('shortens large numbers only', () => {
    expect(formatCompact(9999)).toBe('9,999')
    expect(formatCompact(42_100)).toBe('42.1K')
  })

  it('gives bytes', () => {
    expect(formatBytes(512)).toBe('512 B')
    expect(formatBytes(15_154)).toBe('14.8 KiB')
    expect(formatBytes(212 * 2 ** 30)).toBe('212 GiB')
  })

  it('names the zone of an absolute time', () => {
    expect(formatAbsolute(now)).toMatch(/2026.*\d\d:00:00.*\S+$/)
  })
})

describe('formats in Japanese', () => {
  beforeEach(() => setLanguage('ja'))

  it('says how long ago', () => {
    expect(formatRelative(now - 61_000, now)).toBe('1 分前')
  })

  it('gives durations and numbers', () => {
    expect(formatDuration(372_000)).toBe('6 分 12 秒')
    expect(formatCompact(42_100)).toBe('4.21万')
  })
})

describe('log times', () => {
  it('are of one width', () => {
    const at = new Date(2026, 10, 22, 3, 4, 5, 6).getTime()
    expect(formatLogTime(at)).toBe('03:04:05.006')
  })
})
