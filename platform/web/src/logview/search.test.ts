import { describe, expect, it, vi } from 'vitest'
import type { LogHits } from '../api/log'
import { nextOf, Search } from './search'

const query = { text: 'x', regex: false, exact: false }

function setup() {
  const asked: { from: number; answer: (hits: Partial<LogHits>) => void; fail: () => void }[] = []
  const changed = vi.fn()
  const search = new Search(
    ({ from }) =>
      new Promise((resolve, reject) => {
        asked.push({
          from,
          answer: (hits) => resolve({ items: [], next: 0, lines: 0, complete: false, ...hits }),
          fail: () => reject(new Error('no')),
        })
      }),
    changed,
  )
  return { asked, changed, search }
}

const turn = () => new Promise((done) => setTimeout(done))
const hits = (...lines: number[]) => lines.map((line) => ({ line }))

describe('a search', () => {
  it('goes through the whole log, page by page', async () => {
    const { asked, search } = setup()
    search.grown(100)
    search.start(query)
    expect(search.state.busy).toBe(true)
    asked[0]?.answer({ items: hits(3, 7), next: 40, lines: 100 })
    await turn()
    expect(search.state).toMatchObject({ lines: [3, 7], busy: true })
    asked[1]?.answer({ items: hits(80), next: 100, lines: 100 })
    await turn()
    expect(asked.map(({ from }) => from)).toEqual([0, 40])
    expect(search.state).toMatchObject({ lines: [3, 7, 80], busy: false, failed: null })
  })

  it('looks at what came since, and only at that', async () => {
    const { asked, search } = setup()
    search.grown(10)
    search.start(query)
    asked[0]?.answer({ items: hits(1), next: 10, lines: 10 })
    await turn()
    search.grown(10)
    expect(asked.length).toBe(1)
    search.grown(15)
    asked[1]?.answer({ items: hits(12), next: 15, lines: 15 })
    await turn()
    expect(asked[1]?.from).toBe(10)
    expect(search.state.lines).toEqual([1, 12])
  })

  it('forgets an answer to an earlier question', async () => {
    const { asked, search } = setup()
    search.grown(10)
    search.start(query)
    search.start({ ...query, text: 'y' })
    asked[0]?.answer({ items: hits(1), next: 10, lines: 10 })
    asked[1]?.answer({ items: hits(2), next: 10, lines: 10 })
    await turn()
    expect(search.state).toMatchObject({ lines: [2], busy: false })
    search.start(null)
    expect(search.state).toMatchObject({ query: null, lines: [] })
  })

  it('says what went wrong, and does not try by itself', async () => {
    const { asked, search } = setup()
    search.grown(10)
    search.start(query)
    asked[0]?.fail()
    await turn()
    expect(search.state.failed).toBeInstanceOf(Error)
    search.grown(20)
    expect(asked.length).toBe(1)
  })
})

describe('the next one', () => {
  it('is behind or before a line, and begins again at the ends', () => {
    const lines = [3, 7, 80]
    expect([nextOf(lines, 3, 1), nextOf(lines, 5, 1), nextOf(lines, 80, 1)]).toEqual([7, 7, 3])
    expect([nextOf(lines, 3, -1), nextOf(lines, 8, -1), nextOf(lines, 0, 1)]).toEqual([80, 7, 3])
    expect(nextOf([], 3, 1)).toBe(null)
  })
})
