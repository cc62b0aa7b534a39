/**
 * Every page with the keyboard alone: Tab reaches everything that can be used, in the order in which it
 * stands, nothing that has the focus is hidden behind something else, and one sees where the focus is.
 */
import { existsSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchBrowser } from '../browser'
import { now } from '../standin/fixtures'
import type { StandIn } from '../standin/platform'
import { startStandIn } from '../standin/server'
import { type Picture, pictures } from '../visual/pages'

const root = new URL('../../dist', import.meta.url).pathname

let browser: Browser

beforeAll(async () => {
  if (!existsSync(`${root}/index.html`)) throw new Error('dist is missing: npm run build')
  browser = await launchBrowser()
})
afterAll(() => browser?.close())

/** What a keyboard must reach, by what it is called; marked with its place. Nothing stays folded away.
 *  Runs in the page. */
function markStops(): string[] {
  for (const folded of document.querySelectorAll('details')) folded.open = true
  const dialog = document.querySelector('[role="dialog"], [role="alertdialog"]')
  const found = (dialog ?? document).querySelectorAll<HTMLElement>(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]',
  )
  const radios = new Set<string>()
  const names: string[] = []
  for (const each of found) {
    const box = each.getBoundingClientRect()
    const shown = box.width >= 1 && each.checkVisibility({ visibilityProperty: true })
    const gone = !shown || each.closest('[aria-hidden]')
    if (gone || each.tabIndex < 0 || each.matches(':disabled')) continue
    if (each instanceof HTMLInputElement && each.type === 'radio') {
      if (radios.has(each.name)) continue // arrows go on within a group
      radios.add(each.name)
    }
    const label = each.getAttribute('aria-label') ?? each.textContent?.trim()
    names.push(`${each.tagName.toLowerCase()} ${label || each.getAttribute('name')}`)
    each.dataset.stop = String(names.length - 1)
  }
  return names
}

interface Stop {
  place: number | null
  complaint: string | null
}

/** Where the focus is, and whether one can see that. Runs in the page. */
function lookAtFocus(): Stop {
  const each = document.activeElement as HTMLElement | null
  if (!each || each === document.body) return { place: null, complaint: null }
  const group = each.matches('input[type="radio"]') && (each as HTMLInputElement).name
  const marked = group
    ? document.querySelector<HTMLElement>(`input[name="${group}"][data-stop]`)
    : each
  const place = marked?.dataset.stop === undefined ? null : Number(marked.dataset.stop)
  const box = each.getBoundingClientRect()
  const x = box.x + box.width / 2
  const y = box.y + box.height / 2
  const over = document.elementFromPoint(x, y)
  const same = over !== null && (each.contains(over) || over.contains(each))
  const drawn = [
    getComputedStyle(each),
    getComputedStyle(each, '::after'),
    ...[each.closest('tr'), each.closest('.MuiInputBase-root')].flatMap((around) =>
      around ? [getComputedStyle(around)] : [],
    ),
  ].some((style) => style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 1)
  const notch = each.closest('.MuiInputBase-root')?.querySelector('fieldset')
  const framed = notch && Number.parseFloat(getComputedStyle(notch).borderTopWidth) >= 2
  const ripple = each.closest('.MuiSwitch-root')?.querySelector('.Mui-focusVisible')
  const name = `${each.tagName.toLowerCase()} ${each.getAttribute('aria-label') ?? each.textContent?.trim()}`
  if (place === null) return { place: -1, complaint: `${name}: has the focus, is no stop` }
  if (!same) return { place, complaint: `${name}: hidden behind ${over?.className}` }
  if (!drawn && !framed && !ripple) return { place, complaint: `${name}: nothing shows the focus` }
  return { place, complaint: null }
}

/** As after loading: Tab begins at the top, wherever the page put the focus. Runs in the page. */
function startAtTop(): void {
  const top = document.createElement('div')
  top.tabIndex = -1
  document.body.prepend(top)
  top.focus()
  top.remove()
}

async function walk(page: Page): Promise<{ missed: string[]; order: number[]; seen: string[] }> {
  const names = await page.evaluate(markStops)
  const inDialog = (await page.locator('[role="dialog"], [role="alertdialog"]').count()) > 0
  if (!inDialog) await page.evaluate(startAtTop)
  const order: number[] = []
  const seen: string[] = []
  // A time has a stop for each of its parts.
  const parts = 8 * (await page.locator('input[type="datetime-local"]').count())
  for (let i = 0; i < names.length + parts + 3; i++) {
    await page.keyboard.press('Tab')
    const { place, complaint } = await page.evaluate(lookAtFocus)
    if (complaint) seen.push(complaint)
    if (place === null || order.includes(place)) {
      if (!inDialog) break
      continue
    }
    if (place >= 0) order.push(place)
  }
  return { missed: names.filter((_name, i) => !order.includes(i)), order, seen }
}

async function visit(
  width: number,
  path: (standIn: StandIn) => string,
  prepare: Picture['prepare'],
  run: (page: Page) => Promise<void>,
): Promise<void> {
  const running = await startStandIn({ root })
  prepare?.(running.standIn)
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale: 'ja',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.clock.setFixedTime(now)
  try {
    await page.goto(running.url + path(running.standIn))
    await page.locator('h1').first().waitFor()
    await page.waitForLoadState('networkidle')
    await run(page)
  } finally {
    await context.close()
    await running.close()
  }
}

const isMenu = (picture: Picture) => picture.name === 'user-menu' // walked with arrows, below
/** Where a bar stands at the bottom, or a row scrolls. */
const narrow = ['dashboard', 'executions', 'project-new', 'project-settings', 'execution-asking']
const walks = pictures
  .filter((each) => !isMenu(each))
  .flatMap((picture) =>
    (narrow.includes(picture.name) ? [1280, 390] : [1280]).map((width) => ({ picture, width })),
  )

it.each(walks)('$picture.name is walked at $width px', async ({ picture, width }) => {
  await visit(width, picture.path, picture.prepare, async (page) => {
    await picture.act?.(page)
    const { missed, order, seen } = await walk(page)
    expect(seen).toEqual([])
    expect(missed, 'not reached').toEqual([])
    const from = order.indexOf(0)
    const inOrder = [...order.slice(from), ...order.slice(0, from)]
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b))
  })
})

/** The name of what has the focus. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const each = document.activeElement
    return each?.getAttribute('aria-label') ?? each?.textContent
  })

it('a menu is used by arrows, and gives the focus back', async () => {
  await visit(
    1280,
    () => '/nodes',
    undefined,
    async (page) => {
      await page.locator('.avatar').focus()
      await page.keyboard.press('Enter')
      await page.getByRole('menu').waitFor()
      expect(await focused(page)).toContain('テーマ')
      await page.keyboard.press('End')
      expect(await focused(page)).toBe('ログアウト')
      await page.keyboard.press('Escape')
      await page.getByRole('menu').waitFor({ state: 'detached' })
      expect(await focused(page)).toBe('medamap のメニュー')
    },
  )
})

it('a question is asked and left by keys, and the focus is where it was', async () => {
  const path = (standIn: StandIn) => {
    const found = standIn.world.executions.find((each) => each.status === 'running')
    return `/executions/${found?.id}/summary`
  }
  await visit(1280, path, undefined, async (page) => {
    await page.getByRole('button', { name: '実行を中止' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('alertdialog').waitFor()
    expect(await focused(page)).toBe('実行を続ける')
    await page.keyboard.press('Escape')
    await page.getByRole('alertdialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('実行を中止')
  })
})
