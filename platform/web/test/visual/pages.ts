/** Every page that is looked at: in pictures, by axe, at three widths. */
import type { Page } from 'playwright-core'
import type { Execution } from '../../src/api/types'
import { ago, makeAttempt, now } from '../standin/fixtures'
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

const signIn = (role: 'user' | 'viewer') => (standIn: StandIn) => {
  standIn.user = standIn.makeUser('hanako', role, standIn.user.language)
}

/** A running execution that became `part`. */
const became = (part: Partial<Execution>) => (standIn: StandIn) => {
  const found = standIn.world.executions.find((each) => each.status === 'running')
  if (!found) return
  const attempts = [makeAttempt({ status: 'ended', outcome: part.status, ended_at: ago(3) })]
  const ended = { active_since: null, active_ms: 369_000, completed_at: ago(3), attempts }
  Object.assign(found, ended, part)
}

const why = (kind: string, en: string, ja: string): Execution['reason'] => ({
  kind,
  en,
  ja,
  next: null,
  detail: null,
})

/** Names and texts as long as they can be, and without a place to break. */
const long = (standIn: StandIn) => {
  const name = 'the-payments-and-settlement-reconciliation-service-of-the-western-region'
  const [project] = standIn.world.projects
  if (project) Object.assign(project, { name, github_repo: name, trigger_label: name })
  for (const each of standIn.world.executions) {
    each.project.name = name
    each.title = `${'二重課金が起きる条件を洗い出して再現テストを追加し、'.repeat(3)}直す ${'x'.repeat(80)}`
    each.branch = `poppo/${name}-${name}`
    each.requested_by = 'a-person-with-a-very-long-login-name-here'
    each.model = 'us.anthropic.claude-sonnet-5-20260514-v1:0-with-a-long-suffix'
  }
}

const pause = (standIn: StandIn) => {
  const note = 'データベースの移行が終わるまで止めています。'
  standIn.world.queue.paused = true
  standIn.world.queue.pause = { by: 'medamap', note, at: ago(12) }
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
  {
    name: 'project-no-token',
    path: () => '/projects/new-project',
    prepare: (standIn) => {
      const fresh = standIn.world.projects.find((each) => each.id === 'new-project')
      if (!fresh) return
      fresh.name = `${fresh.github_owner}/${fresh.github_repo}`
      fresh.secrets.github_token = { set: false, updated_at: null }
    },
  },
  { name: 'project-schedules', path: () => '/projects/payments-api/schedules' },
  {
    name: 'project-schedule',
    path: () => '/projects/payments-api/schedules',
    act: async (page) => {
      await page.locator('.schedules-head .btn, .card-head .btn').first().click()
      await page.getByRole('dialog').waitFor()
      await page.locator('.dialog-actions .btn-primary').click()
      await page.locator('.field-error').first().waitFor()
    },
  },
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
  {
    name: 'queue',
    path: () => '/executions#queue',
    act: async (page) => {
      await page.getByRole('dialog').waitFor()
      await page.locator('.queue-limits').waitFor()
    },
  },
  {
    name: 'queue-wrong',
    path: () => '/executions#queue',
    act: async (page) => {
      await page.locator('.queue-limits input').first().fill('')
      await page.locator('.queue-buttons [type="submit"]').click()
      await page.locator('.queue-limits .field-error').waitFor()
    },
  },
  {
    name: 'queue-paused',
    path: () => '/executions#queue',
    prepare: pause,
    act: (page) => page.getByRole('dialog').waitFor(),
  },
  { name: 'dashboard-paused', path: () => '/', prepare: pause },
  { name: 'executions-none', path: () => '/executions?status=timed_out' },
  { name: 'execution-log', path: execution('running', '/log') },
  { name: 'execution-running', path: execution('running', '/summary') },
  { name: 'execution-queued', path: execution('queued', '/summary') },
  {
    name: 'execution-urgency',
    path: execution('queued', '/summary'),
    act: async (page) => {
      await page.locator('.waiting-actions .btn').last().click()
      await page.getByRole('dialog').waitFor()
    },
  },
  {
    name: 'execution-branch',
    path: execution('succeeded'),
    prepare: (standIn) => {
      const done = standIn.world.executions.find((each) => each.status === 'succeeded')
      const nothing = { pull_request: null, issue_number: null, issue_url: null }
      if (done) Object.assign(done, nothing, { branch: 'poppo/task-12' })
    },
  },
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
    name: 'execution-log-waiting',
    path: execution('queued', '/log'),
    prepare: (standIn) => {
      for (const each of standIn.world.executions) standIn.logLines.set(each.id, 0)
    },
  },
  {
    name: 'execution-log-removed',
    path: execution('succeeded', '/log'),
    prepare: (standIn) => {
      const done = standIn.world.executions.find((each) => each.status === 'succeeded')
      if (done) done.log = { lines: 0, bytes: 0, complete: true, removed: true }
    },
  },
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
  { name: 'execution-quota', path: execution('waiting_quota') },
  {
    name: 'execution-unchanged',
    path: (standIn) =>
      `/executions/${standIn.world.executions.find((each) => each.no_changes)?.id}`,
  },
  {
    name: 'execution-preparing',
    path: execution('preparing', '/summary'),
    prepare: became({
      status: 'preparing',
      completed_at: null,
      cost_usd: null,
      attempts: [makeAttempt({ status: 'preparing' })],
    }),
  },
  {
    name: 'execution-cancelling',
    path: execution('cancelling', '/summary'),
    prepare: became({ status: 'cancelling', completed_at: null, attempts: [makeAttempt({})] }),
  },
  {
    name: 'execution-timed-out',
    path: execution('timed_out'),
    prepare: became({
      status: 'timed_out',
      reason: why('wall_clock', 'It took longer than it may.', '制限時間を超えました。'),
    }),
  },
  {
    name: 'execution-budget',
    path: execution('budget_exhausted'),
    prepare: became({
      status: 'budget_exhausted',
      reason: why('budget', 'It spent its budget.', '費用の上限に達しました。'),
    }),
  },
  {
    name: 'execution-no-issue',
    path: execution('waiting_input'),
    prepare: (standIn) => {
      const asking = standIn.world.executions.find((each) => each.status === 'waiting_input')
      if (asking) Object.assign(asking, { issue_number: null, issue_url: null })
    },
  },
  { name: 'execution-long', path: execution('succeeded'), prepare: long },
  { name: 'dashboard-long', path: () => '/', prepare: long },
  { name: 'project-long', path: () => '/projects/payments-api', prepare: long },
  { name: 'nodes', path: () => '/nodes' },
  {
    name: 'viewer',
    path: () => '/projects/payments-api/settings',
    prepare: signIn('viewer'),
    act: (page) => page.locator('.settings').waitFor(),
  },
  {
    name: 'projects-none',
    path: () => '/projects?q=nothing',
  },
  {
    name: 'session-ended',
    path: () => '/projects',
    act: async (page) => {
      await page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }))
      await page.clock.setFixedTime(now + 900_000)
      await page.getByRole('link', { name: 'payments-api' }).click()
      await page.getByRole('alertdialog').waitFor()
    },
  },
  {
    name: 'offline',
    path: () => '/executions',
    act: async (page) => {
      await page.context().setOffline(true)
      await page.clock.setFixedTime(now + 15_000)
      await page.locator('.offline').waitFor()
    },
  },
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
    name: 'run-dialog-wrong',
    path: () => '/projects/payments-api',
    act: async (page) => {
      await page.locator('.page-actions .btn-primary').click()
      await page.locator('.dialog-actions .btn-primary').click()
      await page.locator('.field-error').waitFor()
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
