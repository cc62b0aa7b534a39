/** The places of a log worth jumping to, kept up to date while it grows. */
import type { LogMark } from '../api/log'
import type { ReadMarks } from './search'

const pauseMs = 2000
const markLimit = 50_000

export class Marks {
  list: LogMark[] = []
  private next = 0
  private total = 0
  private abort: AbortController | null = null
  private pause: ReturnType<typeof setTimeout> | null = null

  constructor(
    private readonly read: ReadMarks,
    private readonly onChange: (list: readonly LogMark[]) => void,
  ) {}

  /** The log has so many lines now. */
  grown(total: number): void {
    this.total = Math.max(this.total, total)
    if (this.abort === null && this.pause === null) void this.run()
  }

  private async run(): Promise<void> {
    if (this.next >= this.total || this.list.length >= markLimit) return
    const abort = new AbortController()
    this.abort = abort
    try {
      const page = await this.read(this.next, abort.signal)
      if (abort.signal.aborted) return
      this.next = page.next
      if (page.items.length > 0) {
        this.list = [...this.list, ...page.items]
        this.onChange(this.list)
      }
    } catch {
      // Nobody misses them: the window shows what it cannot read, and these are asked for again.
    }
    if (abort.signal.aborted) return
    this.abort = null
    this.pause = setTimeout(() => {
      this.pause = null
      void this.run()
    }, pauseMs)
  }

  close(): void {
    this.abort?.abort()
    if (this.pause !== null) clearTimeout(this.pause)
  }
}
