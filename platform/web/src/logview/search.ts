/**
 * Search on the server, page by page through the whole log, and again from its end when it grows.
 * Only line numbers come over; the window shows the lines.
 */
import type { LogHits, LogPlaces, SearchQuery } from '../api/log'

export type ReadHits = (
  query: SearchQuery & { from: number; limit: number },
  signal: AbortSignal,
) => Promise<LogHits>
export type ReadMarks = (from: number, signal: AbortSignal) => Promise<LogPlaces>

const pageLimit = 2000
/** Nobody looks at more; the count then says "or more". */
export const hitLimit = 10_000

export interface SearchState {
  query: SearchQuery | null
  /** Lines that match, ascending. */
  lines: readonly number[]
  busy: boolean
  failed: unknown | null
}

export const noSearch: SearchState = { query: null, lines: [], busy: false, failed: null }

export class Search {
  state = noSearch
  private next = 0
  private total = 0
  private abort: AbortController | null = null

  constructor(
    private readonly read: ReadHits,
    private readonly onChange: (state: SearchState) => void,
  ) {}

  private set(change: Partial<SearchState>): void {
    this.state = { ...this.state, ...change }
    this.onChange(this.state)
  }

  /** Forgets what was found and looks for this; null: for nothing. */
  start(query: SearchQuery | null): void {
    this.abort?.abort()
    this.abort = null
    this.next = 0
    this.set({ ...noSearch, query })
    void this.run()
  }

  /** The log has so many lines now. */
  grown(total: number): void {
    this.total = total
    if (!this.state.busy && this.state.failed === null) void this.run()
  }

  private isDone(): boolean {
    return this.next >= this.total || this.state.lines.length >= hitLimit
  }

  private async run(): Promise<void> {
    const { query } = this.state
    if (!query || this.isDone()) return
    const abort = new AbortController()
    this.abort = abort
    this.set({ busy: true })
    try {
      while (!abort.signal.aborted && !this.isDone()) {
        const page = await this.read({ ...query, from: this.next, limit: pageLimit }, abort.signal)
        if (abort.signal.aborted) return
        this.next = page.next
        this.total = Math.max(this.total, page.lines)
        const found = page.items.map(({ line }) => line)
        this.set({ lines: [...this.state.lines, ...found] })
      }
      this.set({ busy: false })
    } catch (error) {
      if (!abort.signal.aborted) this.set({ busy: false, failed: error })
    }
  }

  close(): void {
    this.abort?.abort()
    this.abort = null
  }
}

/** The first of the ascending numbers behind `from`, or before it; round again at the ends. */
export function nextOf(lines: readonly number[], from: number, direction: 1 | -1): number | null {
  if (lines.length === 0) return null
  const line =
    direction > 0 ? lines.find((each) => each > from) : lines.findLast((each) => each < from)
  return line ?? (direction > 0 ? lines[0] : lines.at(-1)) ?? null
}
