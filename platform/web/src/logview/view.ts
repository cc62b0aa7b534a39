/**
 * The window over a log: a scroll container, a spacer that gives it its height, and a pool of rows
 * that are filled for the lines in view. React draws the frame around it and never the rows.
 *
 * Text reaches the page through text nodes only.
 */
import { formatLogTime } from '../i18n/format'
import { parseAnsi, stripAnsi } from './ansi'
import { Chunks, type ReadRange, splitLines } from './chunks'
import { type Fold, Rows } from './folds'
import {
  clampTop,
  isExact,
  type LineRange,
  type LogLine,
  lastTop,
  parseLine,
  rowHeight,
  type Stream,
  scrollFromTop,
  spacerHeight,
  topFromScroll,
} from './model'

export interface ViewState {
  total: number
  bytes: number
  complete: boolean
  follow: boolean
  /** Lines that came since following was turned off. */
  unseen: number
  failed: unknown | null
  /** Nothing has been read yet. */
  loading: boolean
  /** Lines that were not kept because the log had reached its limit. */
  dropped: number
  /** "first-last", from 1: lines that are lost. */
  damaged: string | null
  /** What could be folded, and what is. */
  folds: number
  folded: number
}

export interface ViewOptions {
  read: ReadRange
  onState: (state: ViewState) => void
  onPick: (range: LineRange) => void
  /** What a folded line says of what it hides. */
  hiddenLines: (count: number) => string
  time: boolean
  wrap: boolean
  follow: boolean
}

const tags: Partial<Record<Stream, string>> = { c: 'claude', t: 'tool', s: 'poppo' }

interface Row {
  element: HTMLElement
  number: HTMLElement
  time: HTMLElement
  fold: HTMLElement
  text: HTMLElement
  more: HTMLElement
  /** What is drawn: line index and raw text, so that an unchanged row is not touched. */
  index: number
  raw: string | undefined | null
}

function span(className: string, text: string): HTMLElement {
  const element = document.createElement('span')
  element.className = className
  element.textContent = text
  return element
}

function fillText(target: HTMLElement, line: LogLine): void {
  target.textContent = ''
  const tag = tags[line.stream]
  if (tag) target.append(span(`log-tag tag-${line.stream}`, `${tag} `))
  for (const run of parseAnsi(line.text))
    target.append(run.style ? span(run.style, run.text) : document.createTextNode(run.text))
}

export class LogWindow {
  readonly chunks: Chunks
  private readonly spacer = document.createElement('div')
  private readonly layer = document.createElement('div')
  private rows: Row[] = []
  private viewport = 0
  private top = 0
  private direction = 0
  private frame = 0
  private selected: LineRange | null = null
  private hits: ReadonlySet<number> = new Set()
  private current: number | null = null
  /** By the line that stays. */
  private folds = new Map<number, Fold>()
  private readonly folded = new Set<number>()
  private readonly shown = new Rows()
  private failed: unknown | null = null
  private loaded = false
  private unseenFrom: number | null = null
  private follow: boolean
  private wrap: boolean
  private wrapEnd: number | null = null
  private wrapTotal = 0
  /** The row that is drawn first. */
  private firstRow = 0
  private reported = ''
  /** scrollTop as we set it: a scroll event with this value is our own echo. */
  private ownScroll = 0
  private touchY: number | null = null
  private readonly resize: ResizeObserver
  private readonly cleanup: (() => void)[] = []

  constructor(
    private readonly container: HTMLElement,
    private readonly options: ViewOptions,
  ) {
    this.follow = options.follow
    this.wrap = options.wrap
    this.chunks = new Chunks(options.read, {
      changed: () => this.changed(),
      failed: (error) => {
        this.failed = error
        this.draw()
      },
    })
    this.layer.className = 'log-layer'
    this.spacer.className = 'log-spacer'
    container.append(this.layer, this.spacer)
    container.classList.toggle('log-wrap', options.wrap)
    container.classList.toggle('log-notime', !options.time)
    this.resize = new ResizeObserver(() => this.measure())
    this.resize.observe(container)
    this.listen('scroll', () => this.scrolled(), { passive: true })
    this.listen('wheel', (event) => this.wheeled(event as WheelEvent), { passive: false })
    this.listen('touchstart', (event) => this.touched(event as TouchEvent), { passive: true })
    this.listen('touchmove', (event) => this.dragged(event as TouchEvent), { passive: false })
    this.listen('keydown', (event) => this.pressed(event as KeyboardEvent))
    this.listen('click', (event) => this.clicked(event as MouseEvent))
    this.measure()
  }

  private listen(
    name: string,
    run: (event: Event) => void,
    options?: AddEventListenerOptions,
  ): void {
    this.container.addEventListener(name, run, options)
    this.cleanup.push(() => this.container.removeEventListener(name, run, options))
  }

  close(): void {
    cancelAnimationFrame(this.frame)
    this.resize.disconnect()
    for (const run of this.cleanup) run()
    this.chunks.close()
    this.layer.remove()
    this.spacer.remove()
  }

  // --- what comes in --------------------------------------------------------------------------

  /** Reads the first piece: the end when following, else the place asked for. */
  async open(line: number | null): Promise<void> {
    const abort = new AbortController()
    this.cleanup.push(() => abort.abort())
    const part = this.follow ? { tail: 200 } : { from: Math.max(0, (line ?? 0) - 100), count: 400 }
    try {
      const range = await this.options.read(part, abort.signal)
      this.failed = null
      this.loaded = true
      this.chunks.take(range)
      if (line !== null) this.showLine(line)
      else this.draw()
    } catch (error) {
      if (abort.signal.aborted) return
      this.failed = error
      this.draw()
    }
  }

  live(from: number, text: string): void {
    this.chunks.insert(from, splitLines(text))
  }

  head(lines: number, bytes: number, complete: boolean): void {
    this.chunks.head(lines, bytes, complete)
  }

  private changed(): void {
    this.draw()
  }

  // --- what the frame asks ----------------------------------------------------------------------

  setTime(on: boolean): void {
    this.container.classList.toggle('log-notime', !on)
    this.draw()
  }

  setWrap(on: boolean): void {
    this.wrap = on
    this.wrapEnd = null
    this.container.classList.toggle('log-wrap', on)
    this.draw()
  }

  setFollow(on: boolean): void {
    this.follow = on
    this.unseenFrom = on ? null : this.chunks.total
    if (on) this.toEnd()
    this.draw()
  }

  setSelected(range: LineRange | null): void {
    this.selected = range
    for (const row of this.rows) this.mark(row)
  }

  /** Lines that were searched for, and the one that is looked at. */
  setHits(hits: ReadonlySet<number>, current: number | null): void {
    this.hits = hits
    this.current = current
    for (const row of this.rows) this.mark(row)
  }

  /** What can be folded now; what was folded stays so. */
  setFolds(folds: readonly Fold[]): void {
    this.folds = new Map(folds.map((fold) => [fold.head, fold]))
    for (const head of this.folded) if (!this.folds.has(head)) this.folded.delete(head)
    this.container.classList.toggle('log-folds', folds.length > 0)
    this.refold()
  }

  foldAll(on: boolean): void {
    this.folded.clear()
    if (on) for (const head of this.folds.keys()) this.folded.add(head)
    this.refold()
  }

  /** Folds or opens one; the line at the top stays where it is. */
  private toggleFold(head: number): void {
    if (!this.folded.delete(head)) this.folded.add(head)
    this.refold()
  }

  private refold(): void {
    const top = this.shown.lineAt(Math.floor(this.top))
    const part = this.top - Math.floor(this.top)
    const heads = [...this.folded].map((head) => this.folds.get(head)).filter((fold) => !!fold)
    this.shown.hide(heads)
    this.top = this.shown.rowOf(top) + part
    this.wrapEnd = null
    for (const row of this.rows) this.mark(row)
    this.draw()
  }

  /** Opens whatever hides the line. */
  private unfold(line: number): void {
    const before = this.folded.size
    for (const head of this.folded) {
      const fold = this.folds.get(head)
      if (fold && line >= fold.from && line < fold.to) this.folded.delete(head)
    }
    if (this.folded.size !== before) this.refold()
  }

  /** Puts the line in the middle and stops following. */
  showLine(line: number): void {
    this.follow = false
    this.unseenFrom ??= this.chunks.total
    this.unfold(line)
    this.moveTo(this.shown.rowOf(line) - this.viewport / rowHeight / 2 + 0.5)
  }

  /** The line in the middle of what is seen. */
  get middleLine(): number {
    const rows = Math.min(this.viewport / rowHeight, this.total())
    return this.shown.lineAt(Math.floor(this.top + rows / 2))
  }

  retry(): void {
    this.failed = null
    if (!this.loaded) void this.open(null)
    else this.chunks.retryNow()
  }

  /** Lines as text, without numbers and colours; read from the server beyond what is here. */
  async text(range: LineRange): Promise<string> {
    const out: string[] = []
    const abort = new AbortController()
    for (let from = range.from; from <= range.to; ) {
      const part = await this.options.read(
        { from, count: Math.min(2000, range.to - from + 1) },
        abort.signal,
      )
      const lines = splitLines(part.text)
      if (lines.length === 0) break
      for (const line of lines) out.push(stripAnsi(parseLine(line).text))
      from += lines.length
    }
    return out.join('\n')
  }

  // --- movement ---------------------------------------------------------------------------------

  /** Rows there are: lines that are not folded away. */
  private total(): number {
    return this.shown.count(this.chunks.total)
  }

  private extent() {
    return { total: this.total(), viewport: this.viewport }
  }

  /**
   * The last `top`. Wrapped rows are of unknown height, so there it is what was measured when the
   * end was last shown, moved on by the lines that came since.
   */
  private limit(): number {
    const total = this.total()
    if (!this.wrap) return lastTop(this.extent())
    if (this.wrapEnd === null) return Math.max(0, total - 1)
    return Math.max(0, Math.min(total - 1, this.wrapEnd + total - this.wrapTotal))
  }

  /** The extent whose last top is `limit()`: what the scroll bar stands for. */
  private scrollExtent() {
    return { total: this.limit() + this.viewport / rowHeight, viewport: this.viewport }
  }

  private moveTo(top: number): void {
    const next = Math.min(Math.max(0, top), this.limit())
    if (next !== this.top) this.direction = next > this.top ? 1 : -1
    this.top = next
    this.place()
    this.draw()
  }

  private moveBy(lines: number): void {
    if (lines < 0) this.leaveEnd()
    this.moveTo(this.top + lines)
    if (lines > 0) this.reachedEnd()
  }

  private toEnd(): void {
    this.top = this.limit()
    this.place()
  }

  private leaveEnd(): void {
    if (!this.follow) return
    this.follow = false
    this.unseenFrom = this.chunks.total
  }

  private reachedEnd(): void {
    if (this.follow || this.top < this.limit() - 0.5) return
    this.unseenFrom = null
    if (!this.chunks.complete) this.follow = true
  }

  /** Makes the scroll bar agree with `top`. */
  private place(): void {
    const height = spacerHeight(this.scrollExtent().total)
    const wanted = `${height}px`
    if (this.spacer.style.height !== wanted) this.spacer.style.height = wanted
    const scroll = scrollFromTop(this.top, this.scrollExtent())
    if (Math.abs(this.container.scrollTop - scroll) > 0.5) this.container.scrollTop = scroll
    this.ownScroll = this.container.scrollTop
  }

  private scrolled(): void {
    const scroll = this.container.scrollTop
    const { scrollHeight, clientHeight } = this.container
    const resized = clientHeight !== this.viewport
    const clamped = this.follow && scroll + clientHeight >= scrollHeight - 1
    if (resized || clamped || Math.abs(scroll - this.ownScroll) < 1) {
      this.measure() // the browser moved it to fit, nobody scrolled
      this.draw() // sideways, or our own echo
      return
    }
    const before = this.top
    this.ownScroll = scroll
    this.top = Math.min(topFromScroll(scroll, this.scrollExtent()), this.limit())
    this.direction = this.top > before ? 1 : -1
    if (this.top < before) this.leaveEnd()
    else this.reachedEnd()
    this.draw()
  }

  private wheeled(event: WheelEvent): void {
    if (event.ctrlKey || event.deltaY === 0) return
    if (event.deltaY < 0) this.leaveEnd()
    if (isExact(this.total())) return // the browser's own scrolling is exact
    const unit = event.deltaMode === 1 ? 1 : event.deltaMode === 2 ? this.page() : 1 / rowHeight
    event.preventDefault()
    this.moveBy(event.deltaY * unit)
  }

  private touched(event: TouchEvent): void {
    this.touchY = event.touches[0]?.clientY ?? null
  }

  private dragged(event: TouchEvent): void {
    const y = event.touches[0]?.clientY
    if (y === undefined || this.touchY === null) return
    const delta = this.touchY - y
    this.touchY = y
    if (delta < 0) this.leaveEnd()
    if (isExact(this.total()) || event.touches.length > 1) return
    event.preventDefault()
    this.moveBy(delta / rowHeight)
  }

  private page(): number {
    return Math.max(1, Math.floor(this.viewport / rowHeight) - 2)
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.container) return
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.moveBy(1),
      ArrowUp: () => this.moveBy(-1),
      PageDown: () => this.moveBy(this.page()),
      PageUp: () => this.moveBy(-this.page()),
      ' ': () => this.moveBy(event.shiftKey ? -this.page() : this.page()),
      Home: () => this.moveBy(-this.total()),
      End: () => {
        if (this.chunks.complete) this.moveBy(this.total())
        else this.setFollow(true)
      },
    }
    const move = moves[event.key]
    if (!move) return
    event.preventDefault()
    move()
  }

  private clicked(event: MouseEvent): void {
    const target = event.target as Element
    const fold = target.closest<HTMLElement>('.log-fold, .log-more')
    const head = this.rows.find((row) => fold && (row.fold === fold || row.more === fold))?.index
    if (head !== undefined && this.folds.has(head)) {
      this.toggleFold(head)
      return
    }
    const number = target.closest<HTMLElement>('.log-number')
    const index = number && this.rows.find((row) => row.number === number)?.index
    if (index === undefined || index === null || index < 0) return
    const anchor = event.shiftKey && this.selected ? this.selected.from : index
    this.options.onPick({ from: Math.min(anchor, index), to: Math.max(anchor, index) })
  }

  // --- drawing ----------------------------------------------------------------------------------

  private measure(): void {
    const height = this.container.clientHeight
    if (height === this.viewport) return
    this.viewport = height
    this.wrapEnd = null
    this.layer.style.height = `${height}px`
    this.layer.style.marginBottom = `${-height}px`
    this.draw()
  }

  private draw(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.render())
  }

  private makeRow(): Row {
    const element = document.createElement('div')
    element.className = 'log-row'
    const number = span('log-number', '')
    const time = span('log-time', '')
    const fold = span('log-fold', '')
    const text = span('log-text', '')
    const more = span('log-more', '')
    element.append(number, time, fold, text, more)
    this.layer.append(element)
    element.hidden = true
    return { element, number, time, fold, text, more, index: -1, raw: null }
  }

  private pool(): void {
    const wanted = Math.ceil(this.viewport / rowHeight) + 2
    while (this.rows.length < wanted) this.rows.push(this.makeRow())
    while (this.rows.length > wanted) this.rows.pop()?.element.remove()
  }

  private mark(row: Row): void {
    const on = this.selected && row.index >= this.selected.from && row.index <= this.selected.to
    row.element.classList.toggle('log-selected', Boolean(on))
    row.element.classList.toggle('log-hit', this.hits.has(row.index))
    row.element.classList.toggle('log-current', row.index === this.current)
    const fold = this.folds.get(row.index)
    const folded = fold !== undefined && this.folded.has(row.index)
    const sign = fold === undefined ? '' : folded ? '▸' : '▾'
    const more = folded ? this.options.hiddenLines(fold.to - fold.from) : ''
    if (row.fold.textContent !== sign) row.fold.textContent = sign
    if (row.more.textContent !== more) row.more.textContent = more
  }

  private fill(row: Row, at: number): void {
    const index = this.shown.lineAt(at)
    const hidden = index >= this.chunks.total
    const raw = hidden ? null : this.chunks.line(index)
    if (row.index === index && row.raw === raw && row.element.hidden === hidden) return
    row.index = index
    row.raw = raw
    row.element.hidden = hidden
    if (hidden) return
    row.number.textContent = (index + 1).toLocaleString('en-US')
    if (raw === undefined || raw === null) {
      row.element.className = 'log-row log-pending'
      row.time.textContent = ''
      row.text.textContent = ''
    } else {
      const line = parseLine(raw)
      row.element.className = `log-row stream-${line.stream}`
      row.time.textContent = line.ms === null ? '' : formatLogTime(line.ms)
      fillText(row.text, line)
    }
    this.mark(row)
  }

  private render(): void {
    this.frame = 0
    if (this.viewport === 0) return
    const { total } = this.chunks
    this.pool()
    this.top = this.follow ? this.limit() : Math.min(this.top, this.limit())
    const digits = total.toLocaleString('en-US').length
    this.layer.style.setProperty('--log-digits', String(Math.max(4, digits)))
    if (this.wrap) this.renderWrapped()
    else this.renderRows()
    this.place()
    const lines = this.rows.map((row) => row.index).filter((index) => index >= 0 && index < total)
    if (this.loaded) this.chunks.need(lines, this.direction)
    this.report()
  }

  /** Fills the rows from line `first` on. Rows that left one end come in at the other, so the
   *  order in the document is the order of the lines and a selection copies as it reads. */
  private fillFrom(first: number): void {
    const { rows } = this
    const shift = first - this.firstRow
    this.firstRow = first
    if (shift > 0 && shift < rows.length) {
      const moved = rows.splice(0, shift)
      this.layer.append(...moved.map((row) => row.element))
      rows.push(...moved)
    } else if (shift < 0 && -shift < rows.length) {
      const moved = rows.splice(rows.length + shift)
      this.layer.prepend(...moved.map((row) => row.element))
      rows.unshift(...moved)
    }
    rows.forEach((row, i) => {
      this.fill(row, first + i)
    })
  }

  private renderRows(): void {
    const first = Math.floor(this.top)
    this.fillFrom(first)
    this.layer.style.setProperty('--log-shift', `${(first - this.top) * rowHeight}px`)
    this.layer.classList.remove('log-at-end')
  }

  /** Wrapped rows from `top` down; at the end the last one touches the lower edge. */
  private renderWrapped(): void {
    const total = this.total()
    const count = this.rows.length
    if (this.top < this.limit() - 0.5) {
      const first = Math.floor(this.top)
      this.fillFrom(first)
      this.layer.classList.remove('log-at-end')
      const height = this.rows[0]?.element.offsetHeight ?? 0
      this.layer.style.setProperty('--log-shift', `${(first - this.top) * height}px`)
      return
    }
    this.fillFrom(Math.max(0, total - count))
    this.layer.style.setProperty('--log-shift', '0px')
    const height = this.rows.reduce((sum, row) => sum + row.element.offsetHeight, 0)
    this.layer.classList.toggle('log-at-end', height > this.viewport)
    this.wrapTotal = total
    this.wrapEnd = height > this.viewport ? this.firstRowInView() : 0
    this.top = this.wrapEnd
  }

  private firstRowInView(): number {
    const upper = this.layer.getBoundingClientRect().top
    for (const [i, row] of this.rows.entries()) {
      const box = row.element.getBoundingClientRect()
      if (box.bottom > upper && box.height > 0)
        return this.firstRow + i + Math.max(0, (upper - box.top) / box.height)
    }
    return 0
  }

  private report(): void {
    const state: ViewState = {
      total: this.chunks.total,
      bytes: this.chunks.bytes,
      complete: this.chunks.complete,
      follow: this.follow,
      unseen: this.unseenFrom === null ? 0 : Math.max(0, this.chunks.total - this.unseenFrom),
      failed: this.failed,
      loading: !this.loaded && this.failed === null,
      dropped: this.chunks.dropped,
      damaged: this.chunks.damaged,
      folds: this.folds.size,
      folded: this.folded.size,
    }
    const { failed, ...rest } = state
    const text = JSON.stringify(rest) + (failed === null ? '' : '!')
    if (text === this.reported) return
    this.reported = text
    this.options.onState(state)
  }

  /** For tests and for the announcement: the line at the top of the view. */
  get firstVisible(): number {
    return this.shown.lineAt(Math.floor(clampTop(this.top, this.extent())))
  }
}
