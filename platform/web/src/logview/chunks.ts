/**
 * The lines that are in memory: chunks of 512, the 64 used last. Knows nothing of pixels.
 *
 * Lines arrive two ways: ranges fetched for what is looked at, and live frames at the end. A live
 * frame is kept only where it continues what we have; a hole is filled by a fetch when looked at.
 */
import type { LogPart, LogRange } from '../api/log'

export const chunkLines = 512
const chunkLimit = 64
const retryDelays = [1000, 2000, 5000, 10_000]

export type ReadRange = (part: LogPart, signal: AbortSignal) => Promise<LogRange>

interface Chunk {
  lines: string[]
  used: number
}

interface Fetch {
  abort: AbortController
}

export interface ChunkEvents {
  /** Lines or totals changed: draw again. */
  changed: () => void
  /** Reading failed again and again; null when it works again. */
  failed: (error: unknown | null) => void
}

export function splitLines(text: string): string[] {
  if (text === '') return []
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')
}

export class Chunks {
  total = 0
  bytes = 0
  complete = false
  /** As the last range that was read said it. */
  dropped = 0
  /** The first damaged lines that were met: "first-last", from 1. */
  damaged: string | null = null

  private readonly chunks = new Map<number, Chunk>()
  private readonly fetches = new Map<number, Fetch>()
  private clock = 0
  private failures = 0
  private retry: ReturnType<typeof setTimeout> | null = null

  constructor(
    private readonly read: ReadRange,
    private readonly events: ChunkEvents,
  ) {}

  /** The line's text, or undefined when it is not here (yet). */
  line(index: number): string | undefined {
    const chunk = this.chunks.get(Math.floor(index / chunkLines))
    if (!chunk) return undefined
    chunk.used = ++this.clock
    return chunk.lines[index % chunkLines]
  }

  /** The log's size as the server said it; never shrinks. */
  head(lines: number, bytes: number, complete: boolean): void {
    if (lines === this.total && bytes === this.bytes && complete === this.complete) return
    this.total = Math.max(this.total, lines)
    this.bytes = Math.max(this.bytes, bytes)
    this.complete = this.complete || complete
    this.events.changed()
  }

  /** Keeps what was read. */
  take(range: LogRange): void {
    this.dropped = Math.max(this.dropped, range.dropped ?? 0)
    this.damaged ??= range.damaged ?? null
    this.head(range.lines, range.bytes, range.complete)
    this.insert(range.from, splitLines(range.text))
  }

  /** Keeps lines from `from` on, as far as they continue what is here. */
  insert(from: number, lines: string[]): void {
    let at = from
    let rest = lines
    while (rest.length > 0) {
      const number = Math.floor(at / chunkLines)
      const offset = at % chunkLines
      const part = rest.slice(0, chunkLines - offset)
      rest = rest.slice(part.length)
      at += part.length
      this.insertPart(number, offset, part)
    }
    this.total = Math.max(this.total, from + lines.length)
    this.evict()
    this.events.changed()
  }

  private insertPart(number: number, offset: number, part: string[]): void {
    let chunk = this.chunks.get(number)
    if (!chunk) {
      if (offset !== 0) return // begins with a hole: fetched when looked at
      chunk = { lines: [], used: 0 }
      this.chunks.set(number, chunk)
    }
    chunk.used = ++this.clock
    if (offset > chunk.lines.length) return // a hole
    const fresh = part.slice(chunk.lines.length - offset)
    chunk.lines.push(...fresh)
  }

  private evict(): void {
    while (this.chunks.size > chunkLimit) {
      let oldest = -1
      let used = Number.POSITIVE_INFINITY
      for (const [number, chunk] of this.chunks) {
        if (chunk.used < used) {
          oldest = number
          used = chunk.used
        }
      }
      this.chunks.delete(oldest)
    }
  }

  /** How many lines of a chunk there are in all, as far as known. */
  private expected(number: number): number {
    return Math.min(chunkLines, this.total - number * chunkLines)
  }

  private missing(number: number): boolean {
    const have = this.chunks.get(number)?.lines.length ?? 0
    return number >= 0 && have < this.expected(number)
  }

  /**
   * Makes sure these lines (ascending) come, and one chunk more in the direction of movement. Fetches
   * for what is no longer looked at are given up.
   */
  need(lines: readonly number[], direction: number): void {
    const wanted = new Set(lines.map((line) => Math.floor(line / chunkLines)))
    const first = Math.floor((lines[0] ?? 0) / chunkLines)
    const last = Math.floor((lines.at(-1) ?? 0) / chunkLines)
    if (direction !== 0) wanted.add(direction > 0 ? last + 1 : first - 1)
    for (const [number, fetch] of this.fetches) {
      if (!wanted.has(number)) {
        fetch.abort.abort()
        this.fetches.delete(number)
      }
    }
    if (this.retry !== null) return
    for (const number of wanted) {
      if (this.missing(number) && !this.fetches.has(number)) this.fetch(number)
    }
  }

  private fetch(number: number): void {
    const abort = new AbortController()
    const fetch: Fetch = { abort }
    this.fetches.set(number, fetch)
    const start = number * chunkLines + (this.chunks.get(number)?.lines.length ?? 0)
    const count = (number + 1) * chunkLines - start
    this.read({ from: start, count }, abort.signal).then(
      (range) => {
        if (this.fetches.get(number) !== fetch) return
        this.fetches.delete(number)
        this.recovered()
        this.take(range)
      },
      (error: unknown) => {
        if (this.fetches.get(number) !== fetch) return
        this.fetches.delete(number)
        if (!abort.signal.aborted) this.failedOnce(error)
      },
    )
  }

  private recovered(): void {
    if (this.failures >= 2) this.events.failed(null)
    this.failures = 0
  }

  private failedOnce(error: unknown): void {
    const delay = retryDelays[Math.min(this.failures, retryDelays.length - 1)]
    this.failures++
    if (this.failures >= 2) this.events.failed(error)
    if (this.retry !== null) return
    this.retry = setTimeout(() => {
      this.retry = null
      this.events.changed() // draws, and so asks again for what is looked at
    }, delay)
  }

  /** The person pressed "retry": do not wait. */
  retryNow(): void {
    if (this.retry !== null) clearTimeout(this.retry)
    this.retry = null
    this.events.changed()
  }

  close(): void {
    for (const fetch of this.fetches.values()) fetch.abort.abort()
    this.fetches.clear()
    if (this.retry !== null) clearTimeout(this.retry)
    this.chunks.clear()
  }
}
