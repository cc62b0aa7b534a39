import { describe, expect, it } from 'vitest'
import type { LogMark } from '../api/log'
import { foldsOf, problemsOf, Rows } from './folds'

const mark = (line: number, kind: LogMark['kind']): LogMark => ({ line, kind, title: '' })

describe('what can be folded', () => {
  it('is the result of a tool, up to the next mark', () => {
    const marks = [mark(0, 'step'), mark(2, 'tool'), mark(9, 'words'), mark(12, 'tool')]
    expect(foldsOf(marks, 20)).toEqual([
      { head: 2, from: 3, to: 9 },
      { head: 12, from: 13, to: 20 },
    ])
    expect(foldsOf(marks, null)).toEqual([{ head: 2, from: 3, to: 9 }]) // more may come
  })

  it('is a group with what is in it, and its end', () => {
    const marks = [mark(1, 'group'), mark(4, 'tool'), mark(7, 'words'), mark(8, 'end')]
    expect(foldsOf([...marks, mark(10, 'group'), mark(15, 'group')], 20)).toEqual([
      { head: 1, from: 2, to: 9 },
      { head: 4, from: 5, to: 7 },
      { head: 10, from: 11, to: 15 },
      { head: 15, from: 16, to: 20 },
    ])
  })

  it('is not a single line, nor an end without a beginning', () => {
    expect(foldsOf([mark(0, 'end'), mark(2, 'tool'), mark(4, 'words')], 5)).toEqual([])
  })

  it('leaves errors and warnings to be found', () => {
    const marks = [mark(0, 'step'), mark(2, 'warning'), mark(5, 'tool'), mark(7, 'error')]
    expect(problemsOf(marks)).toEqual([2, 7])
  })
})

describe('rows', () => {
  it('are the lines while nothing is hidden', () => {
    const rows = new Rows()
    expect([rows.count(10), rows.lineAt(7), rows.rowOf(7)]).toEqual([10, 7, 7])
  })

  it('leave out what is hidden, once, and know every line both ways', () => {
    const rows = new Rows()
    rows.hide([
      { head: 4, from: 5, to: 7 },
      { head: 1, from: 2, to: 9 }, // the one before is within
      { head: 11, from: 12, to: 15 },
    ])
    const shown = [0, 1, 9, 10, 11, 15, 16, 17, 18, 19]
    expect(rows.count(20)).toBe(shown.length)
    shown.forEach((line, row) => {
      expect(rows.lineAt(row)).toBe(line)
      expect(rows.rowOf(line)).toBe(row)
    })
    expect(rows.rowOf(6)).toBe(2)
    expect(rows.count(13)).toBe(5) // the log ends in the middle of what is hidden
    rows.hide([])
    expect(rows.count(20)).toBe(20)
  })

  it('join ranges that touch', () => {
    const rows = new Rows()
    rows.hide([
      { head: 0, from: 1, to: 5 },
      { head: 4, from: 5, to: 9 },
    ])
    expect(rows.count(10)).toBe(2)
    expect(rows.lineAt(1)).toBe(9)
  })
})
