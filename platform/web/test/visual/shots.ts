/** Takes the pictures: theme × language × width. For people's eyes; see tools/shots.mjs. */
import { mkdir } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../browser'
import { now } from '../standin/fixtures'
import { startStandIn } from '../standin/server'
import { type Picture, pictures } from './pages'

export interface ShotOptions {
  root: string
  out: string
  only?: string[]
  themes: ('light' | 'dark')[]
  languages: ('ja' | 'en')[]
  widths: number[]
}

/** Letters are there, nothing is loading or being asked, nothing moves. Runs in the page. */
function isStill(): boolean {
  const busy = document.querySelector('.skeleton, [aria-busy="true"]:not(.btn)')
  const moves = document.getAnimations().some((each) => each.playState === 'running')
  return document.fonts.status === 'loaded' && busy === null && !moves
}

async function take(
  browser: Browser,
  options: ShotOptions,
  picture: Picture,
  theme: 'light' | 'dark',
  language: 'ja' | 'en',
  width: number,
): Promise<string[]> {
  const running = await startStandIn({ root: options.root })
  running.standIn.user.language = language
  picture.prepare?.(running.standIn)
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 900 },
    locale: language,
    timezoneId: 'Asia/Tokyo',
    colorScheme: theme,
    reducedMotion: 'reduce',
  })
  await context.addInitScript(
    ({ theme, language }) => {
      localStorage.setItem('poppo.theme', theme)
      localStorage.setItem('poppo.language', language)
    },
    { theme, language },
  )
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !/status of (401|403|404|409|503)|ERR_INTERNET_DISCONNECTED/.test(message.text())
    )
      complaints.push(`${picture.name}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`${picture.name}: ${error.message}`))
  await page.clock.setFixedTime(now)
  try {
    await page.goto(running.url + picture.path(running.standIn))
    await page.waitForLoadState('networkidle')
    await picture.act?.(page)
    await page.waitForFunction(isStill)
    await page.evaluate(() => scrollTo(0, 0)) // else the bars stand in the middle of a long picture
    const name = `${picture.name}-${theme}-${language}-${width}.png`
    await page.screenshot({ path: `${options.out}/${name}`, fullPage: true })
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (wide > 0) complaints.push(`${name}: ${wide}px wider than the window`)
  } catch (error) {
    complaints.push(`${picture.name} ${theme} ${language} ${width}: ${error}`)
    await page.screenshot({ path: `${options.out}/FAILED-${picture.name}.png` })
  }
  await context.close()
  await running.close()
  return complaints
}

export async function takeShots(options: ShotOptions): Promise<string[]> {
  await mkdir(options.out, { recursive: true })
  const browser = await launchBrowser()
  const complaints: string[] = []
  for (const picture of pictures) {
    if (options.only && !options.only.includes(picture.name)) continue
    for (const theme of options.themes)
      for (const language of options.languages)
        for (const width of options.widths)
          complaints.push(...(await take(browser, options, picture, theme, language, width)))
  }
  await browser.close()
  return complaints
}
