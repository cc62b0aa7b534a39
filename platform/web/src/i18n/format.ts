/** Numbers, money, times and durations as people read them, in the current language and zone. */
import { currentLanguage } from './t'

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>()

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  name: string,
  make: (language: string) => T,
): T {
  const key = `${currentLanguage()}:${name}`
  let found = cache.get(key) as T | undefined
  if (!found) {
    found = make(currentLanguage())
    cache.set(key, found)
  }
  return found
}

export function formatNumber(value: number): string {
  return cached('number', (l) => new Intl.NumberFormat(l)).format(value)
}

/** 1,204 stays; 42,100 → 42.1K / 4.21万: as exact in either language. For places where space is short. */
export function formatCompact(value: number): string {
  if (value < 10_000) return formatNumber(value)
  return cached(
    'compact',
    (l) => new Intl.NumberFormat(l, { notation: 'compact', maximumSignificantDigits: 3 }),
  ).format(value)
}

/** US dollars; less than a cent keeps enough digits not to read as nothing. */
export function formatCost(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return '—'
  const digits = usd !== 0 && Math.abs(usd) < 0.01 ? 4 : 2
  return cached(
    `cost${digits}`,
    () =>
      new Intl.NumberFormat('en-US', {
        style: 'currency',
        currency: 'USD',
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }),
  ).format(usd)
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${cached(
    `bytes${digits}`,
    (l) =>
      new Intl.NumberFormat(l, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  ).format(value)} ${units[unit]}`
}

/** 0:03, 6:12, 1:02:03. Language-free, for tables and clocks. */
export function formatClock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const hours = Math.floor(total / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  const seconds = String(total % 60).padStart(2, '0')
  return hours > 0
    ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}`
    : `${minutes}:${seconds}`
}

/** 6 分 12 秒 / 6m 12s; days and hours when long. At most two units. */
export function formatDuration(ms: number): string {
  const ja = currentLanguage() === 'ja'
  const one = (count: number, en: string, jp: string) => (ja ? `${count} ${jp}` : `${count}${en}`)
  if (ms > 0 && ms < 1000) return one(Math.ceil(ms / 100) / 10, 's', '秒')
  const total = Math.max(0, Math.round(ms / 1000))
  const units: [number, string, string][] = [
    [86400, 'd', '日'],
    [3600, 'h', '時間'],
    [60, 'm', '分'],
    [1, 's', '秒'],
  ]
  const parts: string[] = []
  let rest = total
  for (const [size, en, jp] of units) {
    const count = Math.floor(rest / size)
    rest %= size
    if (count > 0 || (size === 1 && parts.length === 0)) parts.push(one(count, en, jp))
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.join(' ')
}

const relativeSteps: [number, Intl.RelativeTimeFormatUnit, number][] = [
  [60, 'second', 1],
  [3600, 'minute', 60],
  [86400, 'hour', 3600],
  [86400 * 30, 'day', 86400],
  [86400 * 365, 'month', 86400 * 30],
  [Number.POSITIVE_INFINITY, 'year', 86400 * 365],
]

/** "3 分前" / "3m ago"; below ten seconds "now". Counted in hours: "yesterday" would be a guess. */
export function formatRelative(time: number, now: number): string {
  const seconds = (time - now) / 1000
  const distance = Math.abs(seconds)
  const format = cached(
    'relative',
    (l) => new Intl.RelativeTimeFormat(l, { style: l === 'ja' ? 'short' : 'narrow' }),
  )
  if (distance < 10)
    return cached('now', (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto' })).format(
      0,
      'second',
    )
  for (const [limit, unit, size] of relativeSteps) {
    if (distance < limit) return format.format(Math.trunc(seconds / size), unit)
  }
  return ''
}

/** Date and time in the reader's own zone, with the zone's name. */
export function formatAbsolute(time: number): string {
  return cached(
    'absolute',
    (l) =>
      new Intl.DateTimeFormat(l === 'ja' ? 'ja' : 'en-GB', {
        year: 'numeric',
        month: l === 'ja' ? '2-digit' : 'short',
        day: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        hourCycle: 'h23',
        timeZoneName: 'short',
      }),
  ).format(time)
}

/** 10:07:38.518 for log rows; built by hand because it runs for every row of every scroll. */
export function formatLogTime(ms: number): string {
  const d = new Date(ms)
  const two = (n: number) => (n < 10 ? `0${n}` : `${n}`)
  const fraction = d.getMilliseconds()
  const three = fraction < 10 ? `00${fraction}` : fraction < 100 ? `0${fraction}` : `${fraction}`
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${three}`
}
