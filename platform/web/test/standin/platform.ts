/**
 * A stand-in of the platform's API: enough state for pages to be looked at and tested without the
 * server. It answers as openapi.yaml says; it is not a second implementation of anything.
 */
import type {
  CheckRow,
  ClaudeCheck,
  Execution,
  GithubCheck,
  Me,
  Project,
  Queue,
  Schedule,
  Session,
} from '../../src/api/types'
import { logLine, logText, makeExecution, makeProject, makeSchedule, makeWorld } from './fixtures'

export interface Call {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
  headers: Record<string, string>
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  json?: unknown
  text?: string
}

type Handler = (call: Call, ...parts: string[]) => Answer

const ok = (json: unknown, status = 200): Answer => ({ status, json })

export function problem(
  status: number,
  code: string,
  detail: string,
  more: Record<string, unknown> = {},
): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
    json: {
      type: 'about:blank',
      title: code,
      status,
      code,
      detail,
      request_id: '01JDREQUEST000000000000001',
      ...more,
    },
  }
}

const kinds: Record<string, string> = {
  g: 'group',
  s: 'step',
  w: 'warning',
  x: 'error',
  t: 'tool',
}

function markOf(line: number, raw: string): object | null {
  const [, stream = '', title = ''] = /^\d+ (.) (.*)$/.exec(raw) ?? []
  const before = line > 0 ? (/^\d+ (.)/.exec(logLine(line - 1))?.[1] ?? '') : ''
  const kind = kinds[stream] ?? (stream === 'c' && 'roe'.includes(before) ? 'words' : null)
  return kind ? { line, kind, title: kind === 'tool' || kind === 'words' ? '' : title } : null
}

const rolePermissions: Record<Me['role'], Me['permissions']> = {
  admin: ['READ', 'RUN', 'MANAGE', 'ADMINISTER'],
  user: ['READ', 'RUN', 'MANAGE'],
  viewer: ['READ'],
}

export class StandIn {
  world = makeWorld()
  user: Me = this.makeUser('medamap', 'admin', 'ja')
  signedIn = true
  setupRequired = false
  /** Lines each log has now; the running one grows when `tick` is called. */
  logLines = new Map<string, number>()
  /** "METHOD path" → answers given instead, first to last. */
  readonly planned = new Map<string, Answer[]>()
  readonly calls: Call[] = []
  onEvent: (event: 'execution' | 'project', data: Execution | Project) => void = () => {}

  makeUser(username: string, role: Me['role'], language: Me['language']): Me {
    return { id: 1, username, role, language, permissions: rolePermissions[role] }
  }

  plan(method: string, path: string, ...answers: Answer[]): void {
    this.planned.set(`${method} ${path}`, answers)
  }

  private session(): Session {
    return { access_token: 'stand-in', expires_in: 600, user: this.user }
  }

  lines(execution: Execution): number {
    if (execution.log.removed) return 0
    return this.logLines.get(execution.id) ?? (execution.log.lines || 180)
  }

  private execution(id: string): Execution | undefined {
    return this.world.executions.find((each) => each.id === id)
  }

  private project(id: string): Project | undefined {
    return this.world.projects.find((each) => each.id === id)
  }

  private readonly routes: [string, RegExp, Handler][] = [
    ['GET', /^\/api\/setup$/, () => ok({ required: this.setupRequired, version: '0.1.0' })],
    ['POST', /^\/api\/setup$/, (call) => this.setup(call)],
    ['POST', /^\/api\/auth\/login$/, (call) => this.login(call)],
    ['POST', /^\/api\/auth\/refresh$/, () => this.refresh()],
    ['POST', /^\/api\/auth\/logout$/, () => this.logout()],
    ['PATCH', /^\/api\/me$/, (call) => this.changeMe(call)],
    ['GET', /^\/api\/stats$/, () => ok(this.world.stats)],
    ['GET', /^\/api\/nodes$/, () => ok({ items: this.world.nodes, next_cursor: null })],
    ['POST', /^\/api\/ws\/ticket$/, () => ok({ ticket: 'stand-in', expires_in: 30 })],
    ['GET', /^\/api\/projects$/, (call) => this.listProjects(call)],
    ['POST', /^\/api\/projects$/, (call) => this.createProject(call)],
    ['GET', /^\/api\/projects\/([^/]+)$/, (_call, id) => this.one(this.project(id ?? ''))],
    ['PUT', /^\/api\/projects\/([^/]+)$/, (call, id) => this.updateProject(call, id ?? '')],
    ['DELETE', /^\/api\/projects\/([^/]+)$/, (_call, id) => this.deleteProject(id ?? '')],
    [
      'POST',
      /^\/api\/projects\/([^/]+)\/(start|stop|restart)$/,
      (_call, id, action) => this.control(id ?? '', action ?? ''),
    ],
    ['GET', /^\/api\/projects\/([^/]+)\/logs$/, (call) => this.log(call, 44, true)],
    [
      'POST',
      /^\/api\/projects\/([^/]+)\/executions$/,
      (call, id) => this.createExecution(call, id ?? ''),
    ],
    [
      'GET',
      /^\/api\/projects\/([^/]+)\/schedules$/,
      (_call, id) => ok({ items: this.world.schedules.filter((each) => each.project_id === id) }),
    ],
    [
      'POST',
      /^\/api\/projects\/([^/]+)\/schedules$/,
      (call, id) => this.createSchedule(call, id ?? ''),
    ],
    ['PUT', /^\/api\/schedules\/([^/]+)$/, (call, id) => this.updateSchedule(call, id ?? '')],
    ['DELETE', /^\/api\/schedules\/([^/]+)$/, (_call, id) => this.deleteSchedule(id ?? '')],
    ['POST', /^\/api\/schedules\/([^/]+)\/run$/, (call, id) => this.runSchedule(call, id ?? '')],
    ['POST', /^\/api\/checks\/schedule$/, (call) => this.previewSchedule(call)],
    ['POST', /^\/api\/checks\/github$/, (call) => this.checkGithub(call)],
    ['POST', /^\/api\/checks\/claude$/, (call) => this.checkClaude(call)],
    ['GET', /^\/api\/executions$/, (call) => this.listExecutions(call)],
    ['PATCH', /^\/api\/executions\/([^/]+)$/, (call, id) => this.updateExecution(call, id ?? '')],
    ['GET', /^\/api\/queue$/, () => ok(this.world.queue)],
    ['POST', /^\/api\/queue\/(pause|resume)$/, (call, verb) => this.pauseQueue(call, verb ?? '')],
    ['PUT', /^\/api\/queue\/limits$/, (call) => this.limitQueue(call)],
    ['GET', /^\/api\/executions\/([^/]+)$/, (_call, id) => this.one(this.execution(id ?? ''))],
    [
      'GET',
      /^\/api\/executions\/([^/]+)\/remarks$/,
      (call, id) => this.page(call, this.world.remarks[id ?? ''] ?? []),
    ],
    ['GET', /^\/api\/executions\/([^/]+)\/log$/, (call, id) => this.executionLog(call, id ?? '')],
    [
      'GET',
      /^\/api\/executions\/([^/]+)\/log\/raw$/,
      () => ({ status: 200, text: 'the whole log\n' }),
    ],
    [
      'GET',
      /^\/api\/executions\/([^/]+)\/log\/marks$/,
      (call, id) => this.logPlaces(call, id ?? '', markOf),
    ],
    [
      'GET',
      /^\/api\/executions\/([^/]+)\/log\/search$/,
      (call, id) => this.logSearch(call, id ?? ''),
    ],
    ['POST', /^\/api\/executions\/([^/]+)\/cancel$/, (_call, id) => this.cancel(id ?? '')],
    ['POST', /^\/api\/executions\/([^/]+)\/retry$/, (call, id) => this.retry(call, id ?? '')],
  ]

  answer(call: Call): Answer {
    this.calls.push(call)
    const planned = this.planned.get(`${call.method} ${call.path}`)
    const next = planned && (planned.length > 1 ? planned.shift() : planned[0])
    if (next) return next
    const open = /^\/api\/(setup|auth\/)/.test(call.path)
    if (!open && !this.signedIn) return problem(401, 'unauthenticated', 'Sign in first')
    for (const [method, pattern, handler] of this.routes) {
      const match = pattern.exec(call.path)
      if (method === call.method && match)
        return handler(call, ...match.slice(1).map(decodeURIComponent))
    }
    return problem(404, 'not_found', 'No such resource')
  }

  private one(item: unknown): Answer {
    return item ? ok(item) : problem(404, 'not_found', 'Not found')
  }

  private setup(call: Call): Answer {
    const body = call.body as { token: string; username: string; language?: Me['language'] }
    if (!this.setupRequired) return problem(409, 'setup_done', 'Setup is done')
    if (body.token !== 'good-token') return problem(403, 'setup_token', 'The token is not valid')
    this.setupRequired = false
    this.signedIn = true
    this.user = this.makeUser(body.username, 'admin', body.language ?? 'ja')
    return ok(this.session(), 201)
  }

  private login(call: Call): Answer {
    const body = call.body as { username: string; password: string }
    if (body.password !== 'correct horse')
      return problem(401, 'login_failed', 'Wrong name or password')
    this.signedIn = true
    this.user = { ...this.user, username: body.username }
    return ok(this.session())
  }

  private refresh(): Answer {
    return this.signedIn ? ok(this.session()) : problem(401, 'session_ended', 'Sign in')
  }

  private logout(): Answer {
    this.signedIn = false
    return { status: 204 }
  }

  private changeMe(call: Call): Answer {
    this.user = { ...this.user, ...(call.body as Partial<Me>) }
    return ok(this.user)
  }

  private page<T>(call: Call, all: T[]): Answer {
    const limit = Number(call.query.get('limit') ?? 50)
    const from = Number(call.query.get('cursor') ?? 0)
    const next = from + limit < all.length ? String(from + limit) : null
    return ok({ items: all.slice(from, from + limit), next_cursor: next })
  }

  private listProjects(call: Call): Answer {
    const q = (call.query.get('q') ?? '').toLowerCase()
    const status = call.query.get('status')?.split(',')
    return this.page(
      call,
      this.world.projects.filter(
        (each) =>
          `${each.name} ${each.github_owner}/${each.github_repo}`.toLowerCase().includes(q) &&
          (!status || status.includes(each.status)),
      ),
    )
  }

  private createProject(call: Call): Answer {
    const body = call.body as Partial<Project> & { github_repo: string }
    if (this.project(body.github_repo))
      return problem(409, 'repository_taken', 'Taken', { field: 'github_repo' })
    const project = makeProject({
      ...body,
      id: body.github_repo.toLowerCase(),
      name: body.name || body.github_repo,
      counts: { queued: 0, running: 0, waiting: 0, succeeded: 0, failed: 0 },
    })
    this.world.projects.unshift(project)
    return ok(project, 201)
  }

  private updateProject(call: Call, id: string): Answer {
    const project = this.project(id)
    if (!project) return this.one(undefined)
    if (call.headers['if-match'] && call.headers['if-match'] !== `"${project.version}"`)
      return problem(412, 'precondition', 'Changed meanwhile')
    const { github_token, anthropic_api_key, ...rest } = call.body as Record<string, unknown>
    Object.assign(project, rest, { version: project.version + 1 })
    const today = new Date().toISOString()
    if (github_token) project.secrets.github_token = { set: true, updated_at: today }
    if (anthropic_api_key) project.secrets.anthropic_api_key = { set: true, updated_at: today }
    return ok(project)
  }

  private deleteProject(id: string): Answer {
    this.world.projects = this.world.projects.filter((each) => each.id !== id)
    return { status: 204 }
  }

  private control(id: string, action: string): Answer {
    const project = this.project(id)
    if (!project) return this.one(undefined)
    project.status = action === 'stop' ? 'stopped' : 'active'
    project.health = action === 'stop' ? 'stopped' : 'healthy'
    project.agent = { ...project.agent, state: action === 'stop' ? 'stopped' : 'starting' }
    return ok(project, 202)
  }

  private listExecutions(call: Call): Answer {
    const status = call.query.get('status')?.split(',')
    const project = call.query.get('project')
    const q = (call.query.get('q') ?? '').toLowerCase()
    return this.page(
      call,
      this.world.executions
        .filter(
          (each) =>
            (!status || status.includes(each.status)) &&
            (!project || each.project.id === project) &&
            `${each.title} #${each.issue_number}`.toLowerCase().includes(q),
        )
        .map(({ attempts: _attempts, ...each }) => each),
    )
  }

  private createExecution(call: Call, projectId: string): Answer {
    const body = call.body as { issue_number?: number; title?: string }
    if (body.issue_number === 404)
      return problem(404, 'not_found', 'There is no issue #404 in this repository')
    const execution = makeExecution({
      projectId,
      issue_number: body.issue_number ?? null,
      title: body.title ?? `Issue #${body.issue_number}`,
      status: 'queued',
      trigger: 'ui',
      created_at: new Date().toISOString(),
      started_at: null,
    })
    this.world.executions.unshift(execution)
    return ok(execution, 201)
  }

  private updateExecution(call: Call, id: string): Answer {
    const execution = this.execution(id)
    if (!execution) return this.one(undefined)
    const { now, ...urgency } = call.body as { now?: boolean }
    Object.assign(execution, urgency)
    if (now) execution.queued_reason = null
    return ok(execution)
  }

  private pauseQueue(call: Call, verb: string): Answer {
    const { queue } = this.world
    queue.paused = verb === 'pause'
    const note = (call.body as { note?: string | null } | undefined)?.note ?? null
    queue.pause = queue.paused
      ? { by: this.user.username, note, at: new Date().toISOString() }
      : null
    return ok(queue)
  }

  private limitQueue(call: Call): Answer {
    const { limits } = call.body as Pick<Queue, 'limits'>
    if (limits.some((limit) => limit.kind === 'label' && limit.subject === '*'))
      return problem(422, 'validation_failed', 'Something is wrong', { field: 'limits' })
    this.world.queue.limits = limits
    return ok(this.world.queue)
  }

  private createSchedule(call: Call, projectId: string): Answer {
    const body = call.body as Partial<Schedule>
    if (this.world.schedules.some((each) => each.name === body.name))
      return problem(409, 'schedule_exists', 'There is one already', { field: 'name' })
    const schedule = makeSchedule({ ...body, project_id: projectId })
    this.world.schedules.push(schedule)
    return ok(schedule, 201)
  }

  private updateSchedule(call: Call, id: string): Answer {
    const schedule = this.world.schedules.find((each) => each.id === id)
    if (!schedule) return this.one(undefined)
    if (call.headers['if-match'] && call.headers['if-match'] !== `"${schedule.version}"`)
      return problem(412, 'changed_meanwhile', 'Changed meanwhile')
    Object.assign(schedule, call.body, { version: schedule.version + 1 })
    schedule.next_at = schedule.enabled ? (schedule.next[0] ?? null) : null
    return ok(schedule)
  }

  private deleteSchedule(id: string): Answer {
    this.world.schedules = this.world.schedules.filter((each) => each.id !== id)
    return { status: 204 }
  }

  private runSchedule(call: Call, id: string): Answer {
    const schedule = this.world.schedules.find((each) => each.id === id)
    if (!schedule) return this.one(undefined)
    return this.createExecution(
      { ...call, body: { title: schedule.title ?? undefined } },
      schedule.project_id,
    )
  }

  private previewSchedule(call: Call): Answer {
    const { cron } = call.body as { cron: string }
    if (cron.split(' ').length !== 5 && !cron.startsWith('@'))
      return problem(400, 'invalid', 'Five fields are needed', { field: 'cron' })
    return ok({ next: makeSchedule({}).next })
  }

  private cancel(id: string): Answer {
    const execution = this.execution(id)
    if (!execution) return this.one(undefined)
    execution.status = 'cancelling'
    execution.updated_at = new Date().toISOString()
    return ok(execution, 202)
  }

  private retry(_call: Call, id: string): Answer {
    const old = this.execution(id)
    if (!old) return this.one(undefined)
    const execution = makeExecution({
      projectId: old.project.id,
      title: old.title,
      issue_number: old.issue_number,
      status: 'queued',
      trigger: 'retry',
      started_at: null,
    })
    this.world.executions.unshift(execution)
    return ok(execution, 201)
  }

  private executionLog(call: Call, id: string): Answer {
    const execution = this.execution(id)
    if (!execution) return this.one(undefined)
    return this.log(call, this.lines(execution), execution.completed_at !== null)
  }

  private log(call: Call, total: number, complete: boolean): Answer {
    const tail = call.query.get('tail')
    const count = Math.min(2000, Number(tail ?? call.query.get('count') ?? 500))
    const from = tail ? Math.max(0, total - count) : Number(call.query.get('from') ?? 0)
    const sent = Math.max(0, Math.min(count, total - from))
    return {
      status: 200,
      text: logText(from, sent),
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'X-Log-Lines': String(total),
        'X-Log-Bytes': String(total * 84),
        'X-Log-From': String(from),
        'X-Log-Complete': String(complete),
      },
    }
  }

  /** Looks at 20,000 lines at most, as the real one looks for two seconds. */
  private logPlaces(
    call: Call,
    id: string,
    find: (line: number, text: string) => object | null,
  ): Answer {
    const execution = this.execution(id)
    if (!execution) return this.one(undefined)
    const lines = this.lines(execution)
    const from = Math.min(lines, Number(call.query.get('from') ?? 0))
    const limit = Number(call.query.get('limit') ?? 10_000)
    const items: object[] = []
    let next = from
    for (; next < lines && next < from + 20_000 && items.length < limit; next++) {
      const item = find(next, logLine(next))
      if (item) items.push(item)
    }
    return ok({ items, next, lines, complete: execution.completed_at !== null })
  }

  private logSearch(call: Call, id: string): Answer {
    const text = call.query.get('q') ?? ''
    const regex = call.query.get('regex') === 'true'
    const flags = call.query.get('case') === 'true' ? '' : 'i'
    let pattern: RegExp
    try {
      pattern = new RegExp(regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags)
    } catch {
      const detail = 'missing closing parenthesis, at character 2'
      return problem(400, 'invalid', detail, { field: 'q' })
    }
    return this.logPlaces(call, id, (line, raw) =>
      pattern.test(raw.replace(/^\d+ . /, '')) ? { line } : null,
    )
  }

  private checkGithub(call: Call): Answer {
    const body = call.body as { github_owner: string; github_repo: string; github_token?: string }
    const row = (
      name: string,
      state: CheckRow['state'],
      en: string,
      ja: string,
      fix: CheckRow['fix'] = null,
    ): CheckRow => ({ name, state, message: { en, ja }, fix })
    if (body.github_repo === 'missing') {
      const answer: GithubCheck = {
        ok: false,
        repository: null,
        checks: [
          row('reachable', 'ok', 'GitHub answers', 'GitHub に接続できました'),
          row(
            'repository',
            'error',
            `${body.github_owner}/missing was not found`,
            `${body.github_owner}/missing が見つかりません`,
            {
              en: 'Look at the spelling, or use a token that may see a private repository.',
              ja: 'つづりを確かめるか、非公開リポジトリを読めるトークンを使ってください。',
            },
          ),
        ],
      }
      return ok(answer)
    }
    const { project } = call.body as { project?: string }
    const rival = this.world.projects.find(
      (each) =>
        `${each.github_owner}/${each.github_repo}`.toLowerCase() ===
          `${body.github_owner}/${body.github_repo}`.toLowerCase() && each.id !== project,
    )
    const answer: GithubCheck = {
      ok: !rival,
      repository: {
        full_name: `${body.github_owner}/${body.github_repo}`,
        private: true,
        default_branch: 'main',
        empty: false,
        html_url: `https://github.com/${body.github_owner}/${body.github_repo}`,
      },
      checks: [
        row(
          'repository',
          'ok',
          'Found (private, default branch main)',
          '見つかりました（private、既定ブランチ main）',
        ),
        row('issues', 'ok', 'May write issues', 'Issue に書き込めます'),
        row('pull_requests', 'ok', 'May open pull requests', 'プルリクエストを作成できます'),
        row(
          'labels',
          'warning',
          'The label poppo does not exist yet',
          'poppo ラベルはまだありません',
          { en: 'It is created with the project.', ja: 'プロジェクトの作成時に作られます。' },
        ),
        ...(rival
          ? [
              row(
                'project',
                'error',
                `The project '${rival.id}' has this repository already.`,
                `このリポジトリには、すでにプロジェクト「${rival.id}」があります。`,
                {
                  en: 'Use that project, or choose another repository.',
                  ja: 'そのプロジェクトを使うか、別のリポジトリを指定してください。',
                },
              ),
            ]
          : []),
      ],
    }
    return ok(answer)
  }

  private checkClaude(call: Call): Answer {
    const key = (call.body as { anthropic_api_key?: string }).anthropic_api_key ?? ''
    const good = !key.includes('bad')
    const answer: ClaudeCheck = {
      ok: good,
      checks: [
        good
          ? {
              name: 'key',
              state: 'ok',
              message: { en: 'The key works', ja: 'キーは有効です' },
              fix: null,
            }
          : {
              name: 'key',
              state: 'error',
              message: {
                en: 'The Claude API does not accept this key',
                ja: 'このキーは Claude API に受け付けられません',
              },
              fix: {
                en: 'Copy it again from the Anthropic console.',
                ja: 'Anthropic コンソールからコピーし直してください。',
              },
            },
      ],
      models: good ? ['claude-opus-5', 'claude-sonnet-5', 'claude-haiku-5'] : [],
    }
    return ok(answer)
  }
}
