/**
 * Which lines are shown. Folding hides what belongs to a line: a group below its title, a result
 * below its tool call. Lines keep their numbers; rows are the lines that are left. What is hidden
 * are a few ranges, so a million lines cost nothing.
 */
import type { LogMark } from '../api/log'

export interface Fold {
  /** The line that stays, and what belongs to it: [from, to). */
  head: number
  from: number
  to: number
}

/** A result of one line is not worth folding. */
const worthFolding = 2

/**
 * What can be folded; `end` is where the log ends, null while it may grow. A group ends with its end
 * or where the next one begins, a result with the next mark.
 */
export function foldsOf(marks: readonly LogMark[], end: number | null): Fold[] {
  const folds: Fold[] = []
  let group: number | null = null
  const add = (head: number, to: number | null) => {
    if (to !== null && to - head - 1 >= worthFolding) folds.push({ head, from: head + 1, to })
  }
  marks.forEach((mark, i) => {
    if (mark.kind === 'group' || mark.kind === 'end') {
      if (group !== null) add(group, mark.kind === 'end' ? mark.line + 1 : mark.line)
      group = mark.kind === 'group' ? mark.line : null
    }
    if (mark.kind === 'tool') add(mark.line, marks[i + 1]?.line ?? end)
  })
  if (group !== null) add(group, end)
  return folds.sort((a, b) => a.head - b.head)
}

/** Lines where something went wrong, in order. */
export function problemsOf(marks: readonly LogMark[]): number[] {
  return marks.filter(({ kind }) => kind === 'error' || kind === 'warning').map(({ line }) => line)
}

interface Hidden {
  from: number
  to: number
  /** Lines hidden before this range. */
  before: number
}

export class Rows {
  private hidden: Hidden[] = []

  /** Hides these folds' lines; one within another is hidden with it. */
  hide(folds: readonly Fold[]): void {
    this.hidden = []
    let before = 0
    for (const { from, to } of [...folds].sort((a, b) => a.from - b.from)) {
      const last = this.hidden.at(-1)
      if (last && from <= last.to) {
        before += Math.max(0, to - last.to)
        last.to = Math.max(last.to, to)
      } else {
        this.hidden.push({ from, to, before })
        before += to - from
      }
    }
  }

  /** The last range for which `test` holds; ranges that pass come before those that do not. */
  private last(test: (range: Hidden) => boolean): Hidden | undefined {
    let low = 0
    let high = this.hidden.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (test(this.hidden[middle] as Hidden)) low = middle + 1
      else high = middle
    }
    return this.hidden[low - 1]
  }

  count(total: number): number {
    return this.rowOf(total)
  }

  lineAt(row: number): number {
    const range = this.last(({ from, before }) => from - before <= row)
    return range ? row + range.before + range.to - range.from : row
  }

  /** The row of a line; of a hidden one: the row behind its fold's. */
  rowOf(line: number): number {
    const range = this.last(({ from }) => from <= line)
    if (!range) return line
    return line < range.to
      ? range.from - range.before
      : line - range.before - (range.to - range.from)
  }
}
