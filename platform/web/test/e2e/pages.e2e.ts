/** Every page of the built UI in a real browser, over the stand-in: accessible in both languages and
 *  themes, never wider than the window, nothing refused by the content policy. */
import { existsSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser } from '../browser'
import { now } from '../standin/fixtures'
import { type Running, startStandIn } from '../standin/server'
import { type Picture, pictures } from '../visual/pages'
import { sidewaysOverflow, violations } from './axe'

const root = new URL('../../dist', import.meta.url).pathname

let browser: Browser

beforeAll(async () => {
  if (!existsSync(`${root}/index.html`)) throw new Error('dist is missing: npm run build')
  browser = await launchBrowser()
})
afterAll(() => browser?.close())

interface Look {
  page: Page
  running: Running
  complaints: string[]
}

async function look(picture: Picture, language: 'ja' | 'en', run: (look: Look) => Promise<void>) {
  const running = await startStandIn({ root })
  running.standIn.user.language = language
  picture.prepare?.(running.standIn)
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: language,
    colorScheme: 'light',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    const expected = /status of (401|403|404|409|503)|ERR_INTERNET_DISCONNECTED/
    if (message.type() === 'error' && !expected.test(message.text()))
      complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.clock.setFixedTime(now)
  try {
    await page.goto(running.url + picture.path(running.standIn))
    await page.locator('h1').first().waitFor()
    await page.waitForLoadState('networkidle')
    await picture.act?.(page)
    await run({ page, running, complaints })
  } finally {
    await context.close()
    await running.close()
  }
}

describe.each(pictures)('$name', (picture) => {
  it.each(['ja', 'en'] as const)('is in order in %s', async (language) => {
    await look(picture, language, async ({ page, complaints }) => {
      expect(await violations(page)).toEqual([])
      await page.evaluate(() => {
        document.documentElement.dataset.theme = 'dark'
      })
      expect(await violations(page), 'dark').toEqual([])
      const scheme = () => getComputedStyle(document.documentElement).colorScheme
      expect(await page.evaluate(scheme), 'what the browser draws').toBe('dark')
      await page.setViewportSize({ width: 320, height: 740 })
      await page.evaluate(() => new Promise(requestAnimationFrame))
      expect(await sidewaysOverflow(page), 'wider than 320 px').toBe(0)
      // As tall as the page, so that no bar covers a part of what is below it just now.
      const height = await page.evaluate(() => document.documentElement.scrollHeight)
      await page.setViewportSize({ width: 320, height })
      expect(await violations(page), 'narrow').toEqual([])
      expect(complaints).toEqual([])
    })
  })
})
