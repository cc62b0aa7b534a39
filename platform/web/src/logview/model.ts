/**
 * Where a line is on the scroll bar. A log is addressed by line number, not by pixel: browsers stop
 * at some 17 to 33 million pixels, logs do not. Up to `maxScroll` pixels the bar is exact; beyond,
 * the thumb's position is a ratio and exact movement (wheel, keys, touch) goes by lines.
 */
export const rowHeight = 20
export const maxScroll = 4_000_000

export interface Extent {
  total: number
  /** Height of the visible part in pixels. */
  viewport: number
}

export function visibleRows({ viewport }: Extent): number {
  return viewport / rowHeight
}

/** The largest `top`: the last line touches the lower edge. */
export function lastTop(extent: Extent): number {
  return Math.max(0, extent.total - visibleRows(extent))
}

export function clampTop(top: number, extent: Extent): number {
  return Math.min(Math.max(0, top), lastTop(extent))
}

export function spacerHeight(total: number): number {
  return Math.min(total * rowHeight, maxScroll)
}

/** True while one pixel of the scroll bar is one pixel of the log. */
export function isExact(total: number): boolean {
  return total * rowHeight <= maxScroll
}

/** scrollTop → first visible line, with its fraction. */
export function topFromScroll(scrollTop: number, extent: Extent): number {
  if (isExact(extent.total)) return clampTop(scrollTop / rowHeight, extent)
  const range = spacerHeight(extent.total) - extent.viewport
  if (range <= 0) return 0
  return clampTop((scrollTop / range) * lastTop(extent), extent)
}

/** First visible line → scrollTop. */
export function scrollFromTop(top: number, extent: Extent): number {
  if (isExact(extent.total)) return top * rowHeight
  const last = lastTop(extent)
  if (last <= 0) return 0
  return (top / last) * (spacerHeight(extent.total) - extent.viewport)
}

export interface LineRange {
  /** 0-based, inclusive. */
  from: number
  to: number
}

/** `#L12`, `#L12-L40` (1-based, as people count) → lines; null for anything else. */
export function parseAnchor(hash: string): LineRange | null {
  const match = /^#L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(hash)
  if (!match) return null
  const a = Number(match[1]) - 1
  const b = match[2] === undefined ? a : Number(match[2]) - 1
  if (a < 0 || b < 0) return null
  return { from: Math.min(a, b), to: Math.max(a, b) }
}

export function formatAnchor({ from, to }: LineRange): string {
  return from === to ? `#L${from + 1}` : `#L${from + 1}-L${to + 1}`
}

export type Stream = 'o' | 'e' | 'c' | 't' | 'r' | 's' | 'w' | 'x' | 'g'

export interface LogLine {
  ms: number | null
  stream: Stream
  text: string
}

const levels: Record<string, Stream> = { debug: 'r', info: 'o', warn: 'w', error: 'x' }

/** A line of our programs' own logs: `time=… level=… program=… <text>`. */
function parseProgramLine(raw: string): LogLine | null {
  const match = /^time=(\S+) level=(\w+) (?:program=\S+ )?/.exec(raw)
  const ms = match ? Date.parse(match[1] ?? '') : Number.NaN
  if (!match || Number.isNaN(ms)) return null
  return { ms, stream: levels[match[2] ?? ''] ?? 'o', text: raw.slice(match[0].length) }
}

/** "<unix ms> <stream> <text>"; a line of another shape is plain text. */
export function parseLine(raw: string): LogLine {
  const match = /^(\d{10,15}) ([oectrswxg])(?: |$)/.exec(raw)
  if (!match) return parseProgramLine(raw) ?? { ms: null, stream: 'o', text: raw }
  return { ms: Number(match[1]), stream: match[2] as Stream, text: raw.slice(match[0].length) }
}
