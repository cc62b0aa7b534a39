/** Every page that is looked at: in pictures, by axe, at three widths. */
import type { Page } from 'playwright-core'
import { ago } from '../standin/fixtures'
import type { StandIn } from '../standin/platform'

export interface Picture {
  name: string
  path: (standIn: StandIn) => string
  prepare?: (standIn: StandIn) => void
  /** What to do before looking. */
  act?: (page: Page) => Promise<void>
}

const execution =
  (status: string, tab = '') =>
  (standIn: StandIn) => {
    const found = standIn.world.executions.find((each) => each.status === status)
    return `/executions/${found?.id}${tab}`
  }

const empty = (standIn: StandIn) => {
  standIn.world.projects = []
  standIn.world.executions = []
  standIn.world.stats = {
    ...standIn.world.stats,
    projects: 0,
    queued: 0,
    running: 0,
    waiting: 0,
  }
}

const unavailable = {
  status: 503,
  headers: { 'Content-Type': 'application/problem+json' },
  json: {
    type: 'about:blank',
    title: 'Not available right now',
    status: 503,
    code: 'unavailable',
    detail: 'The database is busy',
    request_id: '01JDREQUEST000000000000001',
  },
}

const fill = (page: Page, name: string, value: string) =>
  page.locator(`input[name="${name}"]`).fill(value)

export const pictures: Picture[] = [
  {
    name: 'setup',
    path: () => '/setup#good-token',
    prepare: (standIn) => {
      standIn.signedIn = false
      standIn.setupRequired = true
    },
  },
  {
    name: 'login',
    path: () => '/login',
    prepare: (standIn) => {
      standIn.signedIn = false
    },
    act: async (page) => {
      await fill(page, 'username', 'medamap')
      await fill(page, 'password', 'wrong')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
    },
  },
  { name: 'dashboard', path: () => '/' },
  { name: 'dashboard-empty', path: () => '/', prepare: empty },
  {
    name: 'dashboard-failed',
    path: () => '/',
    prepare: (standIn) => {
      for (const path of ['stats', 'projects', 'executions', 'nodes'])
        standIn.plan('GET', `/api/${path}`, unavailable)
    },
  },
  { name: 'projects', path: () => '/projects' },
  { name: 'projects-empty', path: () => '/projects', prepare: empty },
  {
    name: 'project-new',
    path: () => '/projects/new',
    act: async (page) => {
      await fill(page, 'repository', 'medamap/shop-front')
      await fill(page, 'github_token', 'github_pat_0123456789')
      await fill(page, 'anthropic_api_key', 'sk-ant-bad')
      await page.locator('.checks').nth(1).waitFor()
    },
  },
  {
    name: 'project-new-taken',
    path: () => '/projects/new',
    act: async (page) => {
      await fill(page, 'repository', 'medamap/docs-site')
      await fill(page, 'github_token', 'github_pat_0123456789')
      await fill(page, 'max_concurrent', '0')
      await page.locator('input[name="timeout_minutes"]').focus()
      await page.locator('.checks [data-tone="fail"]').waitFor()
    },
  },
  { name: 'project', path: () => '/projects/payments-api' },
  { name: 'project-trouble', path: () => '/projects/mobile-app' },
  { name: 'project-fresh', path: () => '/projects/new-project' },
  { name: 'project-agent', path: () => '/projects/payments-api/agent' },
  {
    name: 'project-settings',
    path: () => '/projects/payments-api/settings',
    act: async (page) => {
      await fill(page, 'trigger_label', 'claude')
      await fill(page, 'max_concurrent', '0')
      await page.locator('input[name="timeout_minutes"]').focus()
    },
  },
  { name: 'executions', path: () => '/executions' },
  { name: 'executions-none', path: () => '/executions?status=timed_out' },
  { name: 'execution-log', path: execution('running', '/log') },
  { name: 'execution-running', path: execution('running', '/summary') },
  { name: 'execution-queued', path: execution('queued', '/summary') },
  { name: 'execution-asking', path: execution('waiting_input') },
  { name: 'execution-done', path: execution('succeeded') },
  {
    name: 'execution-opening',
    path: execution('succeeded'),
    prepare: (standIn) => {
      const done = standIn.world.executions.find((each) => each.status === 'succeeded')
      if (done) Object.assign(done, { pull_request: null, completed_at: ago(2) })
    },
  },
  { name: 'execution-cancelled', path: execution('cancelled') },
  { name: 'execution-failed', path: execution('failed') },
  {
    name: 'execution-anchor',
    path: execution('running', '/log#L20-L22'),
  },
  {
    name: 'execution-cancel',
    path: execution('running', '/summary'),
    act: async (page) => {
      await page.locator('.page-actions .btn-danger').click()
      await page.getByRole('alertdialog').waitFor()
    },
  },
  {
    name: 'execution-retry',
    path: execution('failed'),
    act: async (page) => {
      await page.locator('.page-actions .btn').first().click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'nodes', path: () => '/nodes' },
  { name: 'not-found', path: () => '/nothing/here' },
  {
    name: 'run-dialog',
    path: () => '/projects/payments-api',
    act: async (page) => {
      await page.locator('.page-actions .btn-primary').click()
      await page.getByRole('dialog').waitFor()
    },
  },
  {
    name: 'user-menu',
    path: () => '/nodes',
    act: async (page) => {
      await page.locator('.avatar').click()
      await page.getByRole('menu').waitFor()
    },
  },
  {
    name: 'help',
    path: () => '/executions',
    act: async (page) => {
      await page.keyboard.press('?')
      await page.getByRole('dialog').waitFor()
    },
  },
  {
    name: 'error',
    path: () => '/projects',
    prepare: (standIn) => standIn.plan('GET', '/api/projects', unavailable),
  },
]
