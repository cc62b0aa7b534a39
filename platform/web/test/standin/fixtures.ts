/** People, projects and executions for pictures and component tests; typed by the API's schema. */
import type {
  Attempt,
  Execution,
  PlatformNode,
  Project,
  Queue,
  Remark,
  Schedule,
  Stats,
} from '../../src/api/types'

export const now = Date.parse('2026-11-22T10:08:50.000Z')
export const ago = (seconds: number, from = now) => new Date(from - seconds * 1000).toISOString()

export function makeProject(part: Partial<Project> & { id: string }): Project {
  return {
    name: part.id,
    github_owner: 'medamap',
    github_repo: part.id,
    github_url: `https://github.com/medamap/${part.id}`,
    github_api_url: 'https://api.github.com',
    github_git_url: '',
    anthropic_base_url: 'https://api.anthropic.com',
    working_directory: `/var/lib/poppo-builder/projects/${part.id}`,
    status: 'active',
    health: 'healthy',
    health_reason: null,
    default_branch: 'main',
    trigger_label: 'poppo',
    label_prefix: 'poppo:',
    poll_interval_seconds: 60,
    timeout_seconds: 3600,
    silence_timeout_seconds: 900,
    max_concurrent: 2,
    queue_weight: 10,
    retry_limit: null,
    active_hours: '',
    time_zone: '',
    driver: 'claude',
    command: [],
    model: '',
    permission_mode: 'acceptEdits',
    allowed_tools: ['Bash', 'Edit', 'Read', 'Write', 'Glob', 'Grep'],
    disallowed_tools: ['WebFetch'],
    max_turns: null,
    max_budget_usd: 5,
    instructions: '',
    language: 'ja',
    allow_workflow_files: false,
    secrets: {
      github_token: { set: true, updated_at: ago(86400 * 3) },
      anthropic_api_key: { set: true, updated_at: ago(86400 * 12) },
    },
    agent: {
      state: 'running',
      detail: null,
      node_id: 'local',
      pid: 48213,
      restarts: 0,
      since: ago(86400 * 2),
    },
    counts: { queued: 0, running: 0, waiting: 0, succeeded: 40, failed: 2 },
    last_execution: null,
    version: 3,
    created_at: ago(86400 * 30),
    updated_at: ago(300),
    ...part,
  }
}

export function makeAttempt(part: Partial<Attempt>): Attempt {
  return {
    number: 1,
    status: 'running',
    outcome: null,
    node_id: 'local',
    reason: null,
    session_id: 'f9bb5f0e-5d1c-4d0c-9a55-6a3cf0b1a001',
    exit_code: null,
    signal: null,
    cost_usd: null,
    started_at: ago(372),
    ended_at: null,
    ...part,
  }
}

export function makeRemark(part: Partial<Remark>): Remark {
  return {
    number: 1,
    question: null,
    text: 'お願いします',
    said_by: 'medamap',
    url: 'https://github.com/medamap/docs-site/issues/484#issuecomment-1',
    said_at: ago(2400),
    ...part,
  }
}

let counter = 0

export function makeExecution(part: Partial<Execution> & { projectId: string }): Execution {
  const { projectId, ...rest } = part
  counter++
  const id = `01JD${String(counter).padStart(22, '0')}`
  const works = /^(?:preparing|running|cancelling)$/.test(part.status ?? 'running')
  const started = part.started_at === undefined ? ago(372) : part.started_at
  const took = (from: string | null, to: string | null | undefined) =>
    from && to ? Date.parse(to) - Date.parse(from) : 0
  return {
    id,
    number: 400 + counter,
    project: {
      id: projectId,
      name: projectId,
      github_owner: 'medamap',
      github_repo: projectId,
    },
    issue_number: 480 + counter,
    issue_url: `https://github.com/medamap/${projectId}/issues/${480 + counter}`,
    title: 'Retrying a payment charges twice',
    status: 'running',
    trigger: 'label',
    requested_by: 'medamap',
    driver: 'claude',
    priority: 'normal',
    deadline_at: null,
    labels: ['poppo'],
    queued_reason: null,
    reason: null,
    summary: null,
    question: null,
    no_changes: false,
    branch: `poppo/issue-${480 + counter}`,
    head_sha: null,
    pull_request: null,
    session_id: 'f9bb5f0e-5d1c-4d0c-9a55-6a3cf0b1a001',
    model: 'claude-sonnet-5',
    attempt_count: 1,
    usage: {
      calls: 24,
      input_tokens: 48_200,
      output_tokens: 12_900,
      cache_read_tokens: 1_790_000,
      cache_write_tokens: 42_000,
      num_turns: 31,
    },
    cost_usd: 3.91,
    changes: { files: 0, insertions: 0, deletions: 0 },
    log: { lines: 0, bytes: 0, complete: false, removed: false },
    node_id: 'local',
    created_at: ago(375),
    started_at: ago(372),
    completed_at: null,
    active_ms: part.attempts
      ? part.attempts.reduce((sum, each) => sum + took(each.started_at, each.ended_at), 0)
      : took(started, part.completed_at),
    active_since: works ? started : null,
    updated_at: ago(2),
    ...rest,
  }
}

export function makeSchedule(part: Partial<Schedule>): Schedule {
  counter++
  const next = [1, 2, 3, 4, 5].map((day) => ago(-86400 * day + 3600))
  return {
    id: `01JDSCHEDULE00000000000${String(counter).padStart(3, '0')}`,
    project_id: 'payments-api',
    name: '夜間の依存関係更新',
    cron: '30 2 * * *',
    time_zone: 'Asia/Tokyo',
    enabled: true,
    jitter_seconds: 600,
    missed: 'run_once',
    overlap: 'skip',
    issue_number: null,
    title: '依存関係を更新する',
    prompt: '古い依存関係を更新して、テストを通してください。',
    priority: 'normal',
    next_at: next[0] ?? null,
    next,
    last: null,
    created_by: 'medamap',
    version: 1,
    created_at: ago(86400 * 20),
    updated_at: ago(86400 * 20),
    ...part,
  }
}

const summary = `決済の再試行で同じ注文が二重に課金される問題を直しました。

- \`charge_retry()\` が **最初の要求の冪等キーを引き継ぐ**ようにしました
- タイムアウト時の経路 \`charge_timeout_cb()\` にも同じ修正を入れました
- 再現テスト \`retry_timeout\` を追加し、すべてのテストが通ることを確認しました

\`\`\`
100% tests passed, 0 tests failed out of 3
\`\`\``

const question = `冪等キーの有効期限が仕様書と実装で異なっています。

1. 仕様書どおり **24 時間** にそろえる
2. 実装どおり **1 時間** のままにして仕様書を直す

どちらにしますか？`

export function makeWorld() {
  counter = 0
  const running = makeExecution({
    projectId: 'payments-api',
    title: '決済の再試行で二重課金が起きる',
    attempts: [makeAttempt({})],
  })
  const queued = makeExecution({
    projectId: 'payments-api',
    title: 'Webhook の署名検証を追加する',
    status: 'queued',
    queued_reason: {
      code: 'project_full',
      en: 'The project already runs as many executions as it may at once.',
      ja: 'プロジェクトの同時実行数の上限に達しています。空きができると開始します。',
      until: null,
      position: 1,
      queued: 1,
    },
    started_at: null,
    created_at: ago(70),
    attempt_count: 0,
    cost_usd: null,
    branch: null,
    session_id: null,
    usage: {
      calls: 0,
      input_tokens: 0,
      output_tokens: 0,
      cache_read_tokens: 0,
      cache_write_tokens: 0,
      num_turns: 0,
    },
  })
  const asking = makeExecution({
    projectId: 'billing-report',
    title: '冪等キーの有効期限を仕様に合わせる',
    updated_at: ago(5100),
    status: 'waiting_input',
    question,
    summary: null,
    started_at: ago(5400),
    created_at: ago(5410),
    attempts: [
      makeAttempt({
        status: 'ended',
        outcome: 'waiting_input',
        started_at: ago(5400),
        ended_at: ago(5100),
        cost_usd: 0.62,
      }),
    ],
    cost_usd: 0.62,
    head_sha: 'a41be03c55d1e7a9c8be61d00f3f5f0f4f2d6b12',
    pull_request: { number: 88, url: 'https://github.com/medamap/billing-report/pull/88' },
    changes: { files: 1, insertions: 4, deletions: 1 },
  })
  const done = makeExecution({
    projectId: 'docs-site',
    title: 'Dark mode flickers on first load',
    status: 'succeeded',
    summary,
    head_sha: '9f31c7d2aa0b4f5e8d117c02be44a6d19c3e7710',
    pull_request: { number: 219, url: 'https://github.com/medamap/docs-site/pull/219' },
    changes: { files: 3, insertions: 86, deletions: 12 },
    started_at: ago(1900),
    completed_at: ago(1510),
    created_at: ago(1905),
    cost_usd: 1.27,
    log: { lines: 412, bytes: 38_204, complete: true, removed: false },
    attempts: [
      makeAttempt({
        status: 'lost',
        outcome: 'lost',
        node_id: 'local',
        started_at: ago(2300),
        ended_at: ago(2000),
        cost_usd: 0.08,
      }),
      makeAttempt({
        number: 2,
        status: 'ended',
        outcome: 'succeeded',
        started_at: ago(1900),
        ended_at: ago(1510),
        cost_usd: 1.19,
        exit_code: 0,
      }),
    ],
    attempt_count: 2,
  })
  const failed = makeExecution({
    projectId: 'mobile-app',
    title: 'クラッシュレポートを Sentry に送る',
    status: 'failed',
    reason: {
      kind: 'auth',
      en: 'The Claude API did not accept the key.',
      ja: 'Claude API がキーを受け付けませんでした。',
      next: {
        en: 'Replace the Claude API key in the project settings, then re-run.',
        ja: 'プロジェクトの設定で Claude API キーを置き換えてから、再実行してください。',
      },
      detail: 'HTTP 401 authentication_error: invalid x-api-key',
    },
    started_at: ago(8000),
    completed_at: ago(7990),
    created_at: ago(8010),
    cost_usd: 0,
    log: { lines: 12, bytes: 820, complete: true, removed: false },
    attempts: [
      makeAttempt({
        status: 'ended',
        outcome: 'failed',
        started_at: ago(8000),
        ended_at: ago(7990),
        cost_usd: 0,
        exit_code: 1,
      }),
    ],
  })
  const cancelled = makeExecution({
    projectId: 'docs-site',
    title: 'Translate the install guide',
    status: 'cancelled',
    trigger: 'ui',
    reason: {
      kind: 'cancelled',
      en: 'It was cancelled.',
      ja: '中止されました。',
      next: { en: 'Re-run to start it again.', ja: 'もう一度始めるには、再実行してください。' },
      detail: 'cancelled by medamap',
    },
    started_at: ago(9000),
    completed_at: ago(8900),
    created_at: ago(9001),
    cost_usd: 0.0421,
    log: { lines: 90, bytes: 7000, complete: true, removed: false },
    attempts: [
      makeAttempt({
        status: 'ended',
        outcome: 'cancelled',
        started_at: ago(9000),
        ended_at: ago(8900),
      }),
    ],
  })
  const unchanged = makeExecution({
    projectId: 'infra-terraform',
    title: 'Is the state bucket versioned?',
    status: 'succeeded',
    trigger: 'comment',
    no_changes: true,
    summary: 'The bucket is versioned already: `aws_s3_bucket_versioning.state` is `Enabled`.',
    branch: null,
    started_at: ago(12_000),
    completed_at: ago(11_930),
    created_at: ago(12_004),
    cost_usd: 0.11,
    log: { lines: 60, bytes: 5000, complete: true, removed: false },
    attempts: [
      makeAttempt({
        status: 'ended',
        outcome: 'succeeded',
        started_at: ago(12_000),
        ended_at: ago(11_930),
      }),
    ],
  })
  const quota = makeExecution({
    projectId: 'mobile-app',
    title: 'プッシュ通知の購読を解除できない',
    updated_at: ago(2600),
    status: 'waiting_quota',
    reason: {
      kind: 'rate_limit',
      en: 'The Claude API limits how much may be used at a time.',
      ja: 'Claude API の利用制限に達しました。',
      next: {
        en: 'It goes on by itself at 10:24.',
        ja: '10:24 に自動で再開します。',
      },
      detail: null,
    },
    started_at: ago(3000),
    created_at: ago(3010),
    attempts: [
      makeAttempt({
        status: 'ended',
        outcome: 'waiting_quota',
        started_at: ago(3000),
        ended_at: ago(2600),
      }),
    ],
  })
  const executions = [queued, running, done, quota, asking, failed, cancelled, unchanged].sort(
    (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at),
  )

  const last = (execution: Execution): Project['last_execution'] => ({
    id: execution.id,
    number: execution.number,
    issue_number: execution.issue_number,
    title: execution.title,
    status: execution.status,
    created_at: execution.created_at,
    completed_at: execution.completed_at,
  })

  const projects = [
    makeProject({
      id: 'payments-api',
      counts: { queued: 1, running: 1, waiting: 0, succeeded: 128, failed: 9 },
      last_execution: last(running),
    }),
    makeProject({
      id: 'mobile-app',
      health: 'misconfigured',
      health_reason: {
        code: 'anthropic_key_invalid',
        en: 'The Claude API does not accept the saved key.',
        ja: '保存されている Claude API キーが受け付けられません。',
      },
      counts: { queued: 0, running: 0, waiting: 1, succeeded: 91, failed: 14 },
      last_execution: last(failed),
    }),
    makeProject({
      id: 'billing-report',
      counts: { queued: 0, running: 0, waiting: 1, succeeded: 12, failed: 0 },
      last_execution: last(asking),
    }),
    makeProject({ id: 'docs-site', last_execution: last(done) }),
    makeProject({ id: 'infra-terraform', last_execution: last(unchanged) }),
    makeProject({
      id: 'legacy-batch',
      status: 'stopped',
      health: 'stopped',
      agent: {
        state: 'stopped',
        detail: null,
        node_id: null,
        pid: null,
        restarts: 2,
        since: ago(86_400 * 4),
      },
    }),
    makeProject({
      id: 'new-project',
      health: 'unknown',
      counts: { queued: 0, running: 0, waiting: 0, succeeded: 0, failed: 0 },
    }),
  ]

  const nodes: PlatformNode[] = [
    {
      id: 'local',
      name: 'local',
      status: 'online',
      version: '0.1.0',
      isolation: 'basic',
      capacity: { cpus: 8, memory_bytes: 16 * 2 ** 30, slots: 2876 },
      load1: 1.42,
      memory_free_bytes: 9.3 * 2 ** 30,
      disk_free_bytes: 212 * 2 ** 30,
      projects: 6,
      last_seen_at: ago(12),
      created_at: ago(86_400 * 30),
    },
    {
      id: 'node-osaka-2',
      name: 'node-osaka-2',
      status: 'offline',
      version: '0.1.0',
      isolation: 'basic',
      capacity: { cpus: 4, memory_bytes: 8 * 2 ** 30, slots: 2876 },
      load1: null,
      memory_free_bytes: null,
      disk_free_bytes: null,
      projects: 0,
      last_seen_at: ago(380),
      created_at: ago(86_400 * 30),
    },
  ]

  const stats: Stats = {
    projects: projects.length,
    queued: 1,
    running: 1,
    waiting: 2,
    succeeded_24h: 46,
    failed_24h: 3,
    cost_usd_24h: 84.71,
    agents_running: 6,
  }
  /** By execution, newest first. */
  const remarks: Record<string, Remark[]> = {
    [done.id]: [
      makeRemark({
        number: 2,
        question:
          'The flash comes from the theme being applied after the first paint. Which do you prefer?\n\n1. An inline script in `index.html` (one line, needs a CSP hash)\n2. A cookie that the server reads',
        text: '1, please. The hash is fine:\n\n- keep the script under 1 KiB\n- **no** new dependency',
        said_by: 'hanako-yamada',
        said_at: ago(1960),
        url: 'https://github.com/medamap/docs-site/issues/484#issuecomment-2',
      }),
      makeRemark({ text: 'Safari でも確認してください。', said_at: ago(2250) }),
    ],
    [asking.id]: [
      makeRemark({
        question: 'どの環境の仕様書を正としますか？',
        text: '本番の仕様書（`docs/spec/prod.md`）でお願いします。',
        said_at: ago(5250),
        url: 'https://github.com/medamap/billing-report/issues/483#issuecomment-9',
      }),
    ],
  }
  const schedules = [
    makeSchedule({
      last: {
        at: ago(86400 / 2),
        result: 'started',
        detail: null,
        execution_id: executions[0]?.id ?? null,
        execution_status: executions[0]?.status ?? null,
      },
    }),
    makeSchedule({
      name: '週次の棚卸し',
      cron: '0 9 * * mon',
      issue_number: 12,
      title: null,
      prompt: null,
      enabled: false,
      next_at: null,
      last: {
        at: ago(86400 * 6),
        result: 'overlapped',
        detail: '#41 is still running',
        execution_id: null,
        execution_status: null,
      },
    }),
  ]
  const queue: Queue = {
    paused: false,
    pause: null,
    queued: 1,
    running: 1,
    waiting: 2,
    limits: [
      { kind: 'user', project: null, subject: '*', max: 4 },
      { kind: 'label', project: 'payments-api', subject: 'database', max: 1 },
    ],
  }
  return { projects, executions, nodes, stats, remarks, schedules, queue }
}

const logScript: [string, string][] = [
  ['g', 'Prepare'],
  ['s', 'Cloning medamap/payments-api (main, 3f2c1aa)'],
  ['o', 'Cloning into \x1b[1mworkspace/issue-481\x1b[0m…'],
  ['g', 'Claude'],
  ['c', 'Reading src/charge/retry.c and its tests'],
  ['t', 'Read  src/charge/retry.c'],
  ['r', '412 lines'],
  ['t', 'Grep  idempotency_key src/'],
  ['r', 'src/charge/retry.c:118:  req.idempotency_key = NULL;'],
  ['r', 'src/charge/retry.c:164:  if (attempt > 0) charge_submit(&req);'],
  ['c', 'The retry path builds a new request without the key of the first one.'],
  ['t', 'Edit  src/charge/retry.c \x1b[32m+14\x1b[0m \x1b[31m-3\x1b[0m'],
  ['t', 'Bash  cmake --build build -j2'],
  ['o', '[ 42%] Building C object CMakeFiles/charge.dir/src/charge/retry.c.o'],
  ['w', "warning: unused variable 'prev' [-Wunused-variable]"],
  ['o', '[100%] \x1b[32;1mLinking C executable bin/retry_test\x1b[0m'],
  ['t', 'Bash  ctest --output-on-failure'],
  ['o', '1/3 Test #1: retry_once ................. \x1b[32mPassed\x1b[0m  0.02 s'],
  ['o', '2/3 Test #2: retry_idempotent ........... \x1b[32mPassed\x1b[0m  0.03 s'],
  ['x', '3/3 Test #3: retry_timeout .............. ***Failed  5.01 s'],
  ['x', '    expected 1 charge, got 2  (retry_test.c:88)'],
  ['c', 'タイムアウトの経路でもキーが失われています。charge_timeout_cb() を直します。'],
  ['e', 'git: warning: LF will be replaced by CRLF'],
  [
    'c',
    'The retry handler builds its request from the order alone, so the idempotency key of the first attempt is never sent again; the payment provider then sees two different requests and charges twice. I will carry the key in the retry state, cover the timeout path with a test, and keep the behaviour for callers that never set a key.',
  ],
]

export function logLine(index: number): string {
  const [stream, text] = logScript[index % logScript.length] ?? ['o', '']
  return `${now - 400_000 + index * 731} ${stream} ${text}`
}

export function logText(from: number, count: number): string {
  let out = ''
  for (let i = from; i < from + count; i++) out += `${logLine(i)}\n`
  return out
}
