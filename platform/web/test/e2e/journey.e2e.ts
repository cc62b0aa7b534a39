/**
 * The main job as a person sees it, on the real programs: setup → project → labelled issue → live log
 * → pull request → reply → second commit. Then what goes wrong on the way: a question, a cancelled
 * run, a server that dies while the page is open.
 */
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import { launchBrowser } from '../browser'
import { violations } from './axe'
import { key, token, until, World } from './world'

let world: World
let browser: Browser
let context: BrowserContext
let page: Page
const complaints: string[] = []

beforeAll(async () => {
  world = await World.start()
  browser = await launchBrowser()
  context = await browser.newContext({
    locale: 'ja',
    viewport: { width: 1280, height: 860 },
    reducedMotion: 'reduce',
  })
  page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy/.test(message.text()))
      complaints.push(message.text())
  })
})

afterAll(async () => {
  await browser?.close()
  await world?.stop()
})

/** A journey: after a step that failed the rest means nothing. */
let broken = false
beforeEach((test) => test.skip(broken, 'an earlier step failed'))

/** Leaves a picture and the page's address where a failed step can be looked at. */
function pictureOnFailure(name: string): void {
  onTestFailed(async () => {
    broken = true
    const path = `${process.env.PICTURES ?? '/tmp'}/poppo-journey-${name}.png`
    await page.screenshot({ path, fullPage: true }).catch(() => {})
    console.error(`${name}: ${page.url()}, picture ${path}\n${world.log().slice(-2000)}`)
  })
}

const seen = (locator: Locator, timeout = 30_000) => locator.waitFor({ state: 'visible', timeout })
const heading = (name: string | RegExp) => page.getByRole('heading', { name })
const badge = (word: string) => page.locator('h1 .badge', { hasText: word })

async function openNewest(title: string): Promise<void> {
  await page.goto(`${world.url}/projects/app`)
  const link = page.getByRole('link', { name: title }).first()
  await seen(link)
  await link.click()
  await seen(heading(new RegExp(title)))
}

describe('the main job', () => {
  it('begins with the one-time link', async () => {
    pictureOnFailure('setup')
    await page.goto(`${world.url}/setup#${await world.setupToken()}`)
    await seen(heading('PoppoBuilder へようこそ'))
    expect(page.url()).not.toContain('#')
    expect(await violations(page)).toEqual([])
    await page.getByLabel('ユーザー名').fill('admin')
    await page.getByLabel('パスワード').fill('correct horse battery')
    await page.getByRole('button', { name: '作成して始める' }).click()
    await seen(heading('最初のプロジェクトを作成しましょう'))
  })

  it('makes a project whose repository and keys are checked while typing', async () => {
    pictureOnFailure('project')
    await page.getByRole('link', { name: '新規プロジェクト' }).click()
    const repository = page.getByRole('textbox', { name: 'リポジトリ' })
    const checks = page.getByRole('list', { name: 'リポジトリの確認結果' })
    const create = page.getByRole('button', { name: /プロジェクトを作成/ })

    await page.getByLabel('GitHub アクセストークン').fill(token)
    await repository.fill('octo/nothing')
    await seen(checks.locator('[data-tone="fail"]').first())
    expect(await create.getAttribute('aria-disabled')).toBe('true')

    await repository.fill('octo/app')
    await seen(checks.getByText(/main/))
    await page.getByLabel('Claude API キー').fill('sk-ant-wrong')
    const claude = page.getByRole('list', { name: 'Claude の確認結果' })
    await seen(claude.locator('[data-tone="fail"]').first())
    await page.getByLabel('Claude API キー').fill(key)
    await seen(claude.locator('[data-tone="ok"]').first())
    await page.getByLabel('確認の間隔').fill('0.3')
    expect(await violations(page)).toEqual([])
    await create.click()
    await seen(heading('app'))
    await seen(page.getByText(/poppo ラベルを付けると/))
    await seen(page.locator('.facts', { hasText: '稼働中' }))
  })

  let number = 0

  it('starts on a label and shows the log as it comes', async () => {
    pictureOnFailure('log')
    number = await world.issue('メモを書いてください', '[[poppo-rig: sleep=3]]')
    const link = page.getByRole('link', { name: 'メモを書いてください' })
    await seen(link) // by itself: nobody reloads
    await link.click()
    await page.waitForURL(/\/executions\/[0-9A-Z]{26}\/log$/)
    const log = page.getByRole('log', { name: '実行ログ' })
    await seen(log.getByText('claude', { exact: false }).first())
    const before = await page.locator('.log-size').textContent()
    await until(
      'more lines',
      async () => (await page.locator('.log-size').textContent()) !== before,
    )
    await seen(badge('成功'), 60_000)
  })

  it('ends in a draft pull request that the page links to', async () => {
    pictureOnFailure('pull')
    const link = page.locator('header').getByRole('link', { name: /プルリクエスト #\d+/ })
    await seen(link)
    const { pulls } = await world.repo()
    const [pull] = Object.values(pulls)
    expect(pull?.draft).toBe(true)
    expect(await link.getAttribute('href')).toMatch(new RegExp(`/octo/app/pull/${pull?.number}$`))
    await page.getByRole('link', { name: '概要', exact: true }).click()
    await seen(heading('成果'))
    await seen(page.getByText(`poppo/issue-${number}`).first())
    await seen(page.getByText(/^\$0\.\d+/).first())
    expect(await violations(page)).toEqual([])
  })

  it('goes on in the same session after a reply', async () => {
    pictureOnFailure('reply')
    await page.goto(`${world.url}/executions`)
    await seen(heading('実行'))
    await world.comment(number, 'もう一度お願いします')
    await seen(page.getByRole('row', { name: /コメント/ }))
    await seen(page.getByRole('row', { name: /成功.*コメント/s }), 60_000)
    const branch = `poppo/issue-${number}`
    await until(
      'two commits',
      async () => (await world.git('rev-list', '--count', `main..${branch}`)) === '2',
    )
    expect(Object.keys((await world.repo()).pulls)).toHaveLength(1)
  })
})

describe('on the way', () => {
  it('a question is shown, and the answer goes on', async () => {
    pictureOnFailure('question')
    const asked = await world.issue('どちらにしますか', '[[poppo-rig: ask]]')
    await openNewest('どちらにしますか')
    await seen(badge('回答待ち'), 60_000)
    await page.getByRole('link', { name: '概要', exact: true }).click()
    const answer = page.getByRole('link', { name: /GitHub で回答する/ })
    await seen(answer)
    expect(await answer.getAttribute('href')).toContain(`/octo/app/issues/${asked}`)
    await world.comment(asked, 'A でお願いします')
    await seen(page.getByText('octo さんの回答'), 60_000) // by itself: nobody reloads
    await seen(page.locator('.thread').getByText('A でお願いします'))
    await seen(badge('成功'), 60_000)
  })

  it('a run is cancelled by its button', async () => {
    pictureOnFailure('cancel')
    await world.issue('長い作業', '[[poppo-rig: sleep=120]]')
    await openNewest('長い作業')
    await seen(badge('実行中'), 60_000)
    await page.getByRole('button', { name: '実行を中止' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: '実行を中止' }).click()
    await seen(badge('中止済み'), 60_000)
    await seen(page.getByRole('button', { name: '再実行' }))
  })

  it('a task in words gets a branch, and the page leads to GitHub for the rest', async () => {
    pictureOnFailure('task')
    await page.goto(`${world.url}/projects/app`)
    await page.getByRole('button', { name: '実行する' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: '作業内容を書く' }).click()
    await dialog.getByRole('button', { name: '実行する' }).click()
    await seen(dialog.getByText('入力が必要です').first())
    await dialog.getByLabel('件名').fill('言葉で頼んだ作業')
    await dialog.getByLabel('依頼内容').fill('メモを書いてください')
    await dialog.getByRole('button', { name: '実行する' }).click()
    await seen(badge('成功'), 60_000)
    await page.getByRole('link', { name: '概要', exact: true }).click()
    const open = page.getByRole('link', { name: /GitHub でプルリクエストを作成/ })
    await seen(open)
    expect(await open.getAttribute('href')).toMatch(/\/octo\/app\/compare\/poppo\/.+\?expand=1$/)
    expect(await violations(page)).toEqual([])
  })

  it('the queue is paused with a reason that is shown to who waits, and goes on', async () => {
    pictureOnFailure('queue')
    await page.goto(`${world.url}/executions`)
    await page.getByRole('button', { name: 'キュー', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'キュー' })
    await dialog.getByLabel(/^理由/).fill('移行のため')
    await dialog.getByRole('button', { name: 'キューを一時停止' }).click()
    await seen(dialog.getByText('admin が一時停止しました'))
    await dialog.getByRole('button', { name: '上限を追加' }).click()
    await dialog.getByLabel('対象').selectOption('label')
    await dialog.getByRole('button', { name: '上限を保存' }).click()
    await seen(dialog.getByText(/ラベルの名前を入力します/))
    await dialog.getByLabel(/^名前/).fill('poppo')
    await dialog.getByLabel('プロジェクト').selectOption('app')
    await dialog.getByRole('button', { name: '上限を保存' }).click()
    await seen(page.getByText(/上限を保存しました/))
    expect(await violations(page)).toEqual([])

    await world.issue('順番を待つ作業')
    await openNewest('順番を待つ作業')
    await page.getByRole('link', { name: '概要', exact: true }).click()
    await seen(page.getByText(/キュー全体が一時停止しています.*移行のため/))
    await page.getByRole('button', { name: '優先度と期限を変更' }).click()
    await page.getByRole('dialog').getByLabel('優先度').selectOption('high')
    await page.getByRole('dialog').getByRole('button', { name: '保存' }).click()
    await seen(page.locator('.waiting-facts', { hasText: '優先度高' }))

    await page.goto(`${world.url}/`)
    await page.getByRole('link', { name: '開く: キューが一時停止されています' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '再開' }).click()
    await seen(page.getByRole('dialog').getByRole('button', { name: 'キューを一時停止' }))
    await openNewest('順番を待つ作業')
    await seen(badge('成功'), 60_000)
  })

  it('the page lives through the death of the server', async () => {
    pictureOnFailure('death')
    await world.issue('止まらない作業', '[[poppo-rig: sleep=8]]')
    await openNewest('止まらない作業')
    await seen(badge('実行中'), 60_000)
    await seen(page.locator('.live', { hasText: 'ライブ接続中' }))
    world.killServer()
    await seen(page.locator('.live', { hasText: '再接続中' }))
    await seen(page.locator('.live', { hasText: 'ライブ接続中' }), 60_000)
    await seen(badge('成功'), 60_000)
  })

  it('the other language is one press away and stays', async () => {
    pictureOnFailure('language')
    await page.getByRole('button', { name: 'English' }).click()
    await seen(page.getByRole('link', { name: 'Dashboard' }).first())
    await page.reload()
    await seen(page.getByRole('link', { name: 'Dashboard' }).first())
    await page.goto(`${world.url}/nodes`)
    await seen(page.getByText('Online'))
  })

  it('signing out ends it, and a wrong password opens nothing', async () => {
    pictureOnFailure('sign-out')
    await page.getByRole('button', { name: 'Menu of admin' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await seen(heading('Sign in'))
    await page.getByLabel('Username').fill('admin')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await seen(page.getByRole('alert'))
    expect(await page.getByRole('alert').textContent()).toContain('Wrong username or password')
  })

  it('nothing was refused by the content policy, nothing threw', () => {
    expect(complaints).toEqual([])
  })
})
