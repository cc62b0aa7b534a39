/** The log window in a real browser: any size of log, live lines, wrapped or not, bounded memory. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../browser'
import { type Running, startStandIn } from '../standin/server'
import { until } from './world'

const root = new URL('../../dist', import.meta.url).pathname

let browser: Browser
let running: Running
let page: Page
let id: string

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser?.close())

beforeEach(async () => {
  running = await startStandIn({ root })
  id = running.standIn.world.executions.find((each) => each.status === 'running')?.id ?? ''
})
afterEach(async () => {
  await page.context().close()
  await running.close()
})

async function open(lines: number, options: { wrap: 'on' | 'off'; hash?: string }) {
  running.standIn.logLines.set(id, lines)
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
  })
  await context.addInitScript((wrap) => localStorage.setItem('poppo.logWrap', wrap), options.wrap)
  page = await context.newPage()
  await page.goto(`${running.url}/executions/${id}/log${options.hash ?? ''}`)
  await page.locator('.log-row:not([hidden])').first().waitFor()
}

interface Seen {
  first: number
  last: number
  /** Pixels from the last row's lower edge to the view's: 0 at the end. */
  gap: number
  rows: number
  pending: number
  follow: boolean
}

function seen(): Promise<Seen> {
  return page.evaluate(() => {
    const view = document.querySelector('.log-view') as HTMLElement
    const box = view.getBoundingClientRect()
    const bottom = box.top + view.clientHeight
    const rows = [...view.querySelectorAll<HTMLElement>('.log-row:not([hidden])')]
    const inside = rows.filter((row) => {
      const { top, bottom: lower } = row.getBoundingClientRect()
      return lower > box.top + 1 && top < bottom - 1
    })
    const number = (row: HTMLElement | undefined) =>
      Number(row?.querySelector('.log-number')?.textContent?.replaceAll(',', ''))
    return {
      first: number(inside[0]),
      last: number(inside.at(-1)),
      gap: Math.round(bottom - (inside.at(-1)?.getBoundingClientRect().bottom ?? 0)),
      rows: view.querySelectorAll('.log-row').length,
      pending: inside.filter((row) => row.classList.contains('log-pending')).length,
      follow: document.querySelector('.log-foot button')?.getAttribute('aria-pressed') === 'true',
    }
  })
}

const goTo = async (line: number) => {
  await page.locator('.log-goto input').fill(String(line))
  await page.keyboard.press('Enter')
}

const settled = (test: (now: Seen) => boolean, what: string) =>
  until(
    what,
    async () => {
      const now = await seen()
      if (!test(now)) throw new Error(JSON.stringify(now))
      return now
    },
    10_000,
  )

describe.each(['off', 'on'] as const)('with wrapping %s', (wrap) => {
  it('starts at the end of a running log and follows it', async () => {
    await open(5000, { wrap })
    await settled((now) => now.last === 5000 && now.gap === 0 && now.follow, 'the end')
    for (let i = 0; i < 10; i++) running.addLines(id, 137)
    await settled((now) => now.last === 6370 && now.gap === 0, 'the new end')
  })

  it('stays where it is scrolled to while lines come, and counts them', async () => {
    await open(5000, { wrap })
    await settled((now) => now.last === 5000, 'the end')
    await page.mouse.move(600, 600)
    await page.mouse.wheel(0, -900)
    const before = await settled((now) => !now.follow && now.last < 5000, 'scrolled up')
    running.addLines(id, 400)
    await until('the count', () => page.locator('.log-foot', { hasText: '400' }).isVisible())
    const after = await seen()
    expect(after.first).toBe(before.first)
    await page.locator('.log-foot button').click()
    await settled((now) => now.last === 5400 && now.gap === 0 && now.follow, 'following again')
  })

  it('reaches the first, any and the last of two million lines', async () => {
    await open(2_000_000, { wrap })
    await settled((now) => now.last === 2_000_000, 'the last line')
    await page.locator('.log-view').focus()
    await page.keyboard.press('Home')
    await settled((now) => now.first === 1 && now.pending === 0, 'the first line')
    await goTo(1_234_567)
    const there = await settled(
      (now) => now.first < 1_234_567 && now.last >= 1_234_567 && now.pending === 0,
      'the line in the middle',
    )
    expect(there.rows).toBeLessThanOrEqual(80)
    await page.keyboard.press('ArrowDown')
    await settled((now) => now.first === there.first + 1, 'one line further')
    await page.keyboard.press('End')
    await settled((now) => now.last === 2_000_000 && now.gap === 0, 'the last line again')
  })

  it('opens at the line of a link', async () => {
    await open(100_000, { wrap, hash: '#L50000-L50002' })
    await settled((now) => now.first < 50_000 && now.last > 50_002 && !now.follow, 'the line')
    expect(await page.locator('.log-selected').count()).toBe(3)
  })

  it('keeps following when the window changes its size', async () => {
    await open(5000, { wrap })
    await settled((now) => now.last === 5000, 'the end')
    await page.setViewportSize({ width: 700, height: 600 })
    await settled((now) => now.last === 5000 && now.gap === 0 && now.follow, 'still the end')
    await page.setViewportSize({ width: 1280, height: 1000 })
    await settled((now) => now.last === 5000 && now.gap === 0 && now.follow, 'and again')
  })
})

describe('what it costs', () => {
  it('moves little for the first view of a million lines', async () => {
    let bytes = 0
    running.standIn.calls.length = 0
    await open(1_000_000, { wrap: 'off' })
    await settled((now) => now.last === 1_000_000 && now.pending === 0, 'the end')
    for (const call of running.standIn.calls) {
      if (!call.path.endsWith('/log')) continue
      bytes += Number(call.query.get('tail') ?? call.query.get('count')) * 90
    }
    expect(bytes).toBeLessThan(150_000)
  })

  it('stays within its memory while ten thousand lines a second come', async () => {
    await open(1_000_000, { wrap: 'off' })
    for (let i = 0; i < 60; i++) {
      running.addLines(id, 500)
      await new Promise((done) => setTimeout(done, 50))
    }
    await settled((now) => now.last === 1_030_000 && now.follow, 'the end')
    const client = await page.context().newCDPSession(page)
    await client.send('HeapProfiler.collectGarbage')
    const { usedSize } = await client.send('Runtime.getHeapUsage')
    expect(usedSize).toBeLessThan(40 * 2 ** 20)
    expect((await seen()).rows).toBeLessThanOrEqual(80)
  })

  it('goes on after the connection was lost', async () => {
    await open(5000, { wrap: 'off' })
    await settled((now) => now.last === 5000, 'the end')
    running.dropSockets()
    running.standIn.logLines.set(id, 5200)
    await settled((now) => now.last === 5200 && now.gap === 0, 'what came meanwhile')
  })
})

describe('copying', () => {
  it('gives the text of a selection without numbers, in order', async () => {
    await open(5000, { wrap: 'off', hash: '#L100' })
    await settled((now) => now.pending === 0 && now.first < 100, 'the line')
    await page.locator('.log-view').focus()
    for (let i = 0; i < 7; i++) await page.keyboard.press('ArrowDown')
    const text = await page.evaluate(() => {
      const rows = [...document.querySelectorAll('.log-row:not([hidden]) .log-text')]
      const selection = getSelection()
      selection?.setBaseAndExtent(rows[2] as Node, 0, rows[5] as Node, 1)
      return selection?.toString() ?? ''
    })
    const lines = text.split('\n').filter(Boolean)
    expect(lines.length).toBeGreaterThanOrEqual(3)
    expect(text).not.toMatch(/\d\d:\d\d:\d\d\.\d{3}/)
  })
})

describe('search', () => {
  const field = () => page.locator('.log-search input')
  const found = () => page.locator('.log-found').textContent()
  const says = (text: string) =>
    until(text, async () => {
      const now = await found()
      if (now !== text) throw new Error(String(now))
      return true
    })
  const current = () => page.locator('.log-current .log-number').textContent()

  it('counts what is found and goes from one to the next, round the ends', async () => {
    await open(5000, { wrap: 'off', hash: '#L40' })
    await page.keyboard.press('/')
    await field().fill('charged? twice') // a text, not an expression
    await says('見つかりません')
    await field().fill('ONE HUNDRED')
    await says('見つかりません')
    await field().fill('retry_test.c:88')
    await says('208 行')
    await field().press('Enter')
    await settled((now) => now.pending === 0, 'the line')
    await says('2 / 208') // the first one below the middle of what is seen
    const first = Number((await current())?.replaceAll(',', ''))
    await field().press('Shift+Enter')
    await says('1 / 208')
    await field().press('Shift+Enter')
    await says('208 / 208')
    await settled((now) => now.last > 4900, 'the last one')
    await page.locator('.log-view').focus()
    await page.keyboard.press('n')
    await says('1 / 208')
    expect(Number((await current())?.replaceAll(',', ''))).toBeLessThan(first)
  })

  it('knows expressions and the case of letters, and says what is wrong with them', async () => {
    await open(480, { wrap: 'off' })
    await field().fill('^retry_\\w+:')
    await says('見つかりません')
    await page.locator('.log-search button', { hasText: '.*' }).click()
    await field().fill('test #\\d: retry_(once|timeout)')
    await says('40 行')
    await page.locator('.log-search button', { hasText: 'Aa' }).click()
    await says('見つかりません')
    await field().fill('(')
    await until('the reason', () => page.locator('.log-bad').isVisible())
  })

  it('finds what comes later', async () => {
    await open(480, { wrap: 'off' })
    await field().fill('***Failed')
    await says('20 行')
    running.addLines(id, 240)
    await says('30 行')
  })
})

describe('folding', () => {
  const fold = () => page.locator('.log-bar button', { hasText: '折りたたむ' })

  it('hides results below their tool, and line numbers stay', async () => {
    await open(240, { wrap: 'off', hash: '#L1' })
    await until('what can be folded', () => fold().isVisible())
    const texts = () => page.locator('.log-row:not([hidden])').allTextContents()
    expect((await texts()).some((text) => text.includes('attempt > 0'))).toBe(true)
    await fold().click()
    await until('what is hidden', async () =>
      (await texts()).every((text) => !text.includes('attempt > 0')),
    )
    const numbers = (
      await page.locator('.log-row:not([hidden]) .log-number').allTextContents()
    ).map((text) => Number(text.replaceAll(',', '')))
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    await page.locator('.log-row:not([hidden]) .log-more:not(:empty)').first().click()
    await until('opened', async () => (await texts()).length > 0)
    await goTo(10)
    await until('a folded line that is gone to', async () =>
      (await texts()).some((text) => text.includes('attempt > 0')),
    )
  })

  it('jumps to errors and warnings', async () => {
    await open(240, { wrap: 'off', hash: '#L1' })
    await until('the problems', () => page.locator('.log-bar', { hasText: '問題' }).isVisible())
    await page.locator('.log-view').focus()
    await page.keyboard.press('e')
    await until('a problem is selected', () =>
      page.locator('.log-selected:is(.stream-x, .stream-w)').isVisible(),
    )
  })
})
