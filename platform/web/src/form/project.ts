/**
 * A project as a form: all texts, because that is what fields hold. Limits are those of
 * platform/model/limits.h; the server checks again and its findings land on the same fields.
 */
import type { FieldErrors, Resolver } from 'react-hook-form'
import * as z from 'zod/mini'
import type { Project, ProjectCreate, ProjectUpdate } from '../api/types'

export interface ProjectForm {
  name: string
  repository: string
  github_token: string
  github_api_url: string
  github_git_url: string
  trigger_label: string
  label_prefix: string
  poll_interval_seconds: string
  anthropic_api_key: string
  anthropic_base_url: string
  model: string
  permission_mode: string
  allowed_tools: string[]
  disallowed_tools: string[]
  max_turns: string
  max_budget_usd: string
  instructions: string
  language: 'ja' | 'en'
  driver: 'claude' | 'command' | 'noop'
  command: string
  timeout_minutes: string
  silence_minutes: string
  max_concurrent: string
  queue_weight: string
  retry_limit: string
  active_hours: string
  time_zone: string
  allow_workflow_files: boolean
}

export type FieldName = keyof ProjectForm

/** When and how often the queue gives a turn: folded away together. */
export const queueFields: FieldName[] = ['active_hours', 'time_zone', 'queue_weight', 'retry_limit']

/** Which fields stand in which part of the two forms, so that a part can say how many are wrong. */
export const newParts = {
  repository: [
    'repository',
    'github_token',
    'trigger_label',
    'label_prefix',
    'poll_interval_seconds',
    'name',
    'github_api_url',
    'github_git_url',
  ],
  claude: [
    'anthropic_api_key',
    'model',
    'allowed_tools',
    'disallowed_tools',
    'permission_mode',
    'anthropic_base_url',
  ],
  execution: [
    ...queueFields,
    'max_concurrent',
    'timeout_minutes',
    'silence_minutes',
    'max_turns',
    'max_budget_usd',
    'instructions',
    'language',
    'driver',
    'command',
    'allow_workflow_files',
  ],
} satisfies Record<string, FieldName[]>

export const settingsParts = {
  general: ['name', 'language', 'repository', 'github_token', 'github_api_url', 'github_git_url'],
  trigger: ['trigger_label', 'label_prefix', 'poll_interval_seconds'],
  claude: [
    'anthropic_api_key',
    'model',
    'instructions',
    'allowed_tools',
    'disallowed_tools',
    'permission_mode',
    'anthropic_base_url',
  ],
  limits: [
    'max_concurrent',
    ...queueFields,
    'timeout_minutes',
    'silence_minutes',
    'max_turns',
    'max_budget_usd',
    'driver',
    'command',
    'allow_workflow_files',
  ],
} satisfies Record<string, FieldName[]>

export function countErrors(errors: FieldErrors<ProjectForm>, fields: FieldName[]): number {
  return fields.filter((name) => errors[name] !== undefined).length
}

/** Where a token is made: on the host whose API this is ("" = the platform's own, github.com as a
 *  rule); null when that cannot be told from the address. */
export function tokenPage(apiUrl: string): string | null {
  const own = apiUrl.trim()
  const page = 'settings/personal-access-tokens/new'
  if (own === '' || own === 'https://api.github.com') return `https://github.com/${page}`
  const server = /^(https:\/\/[^/]+)\/api\/v3\/?$/.exec(own)
  return server ? `${server[1]}/${page}` : null
}

/** Never kept as a draft. */
export const secretFields: FieldName[] = ['github_token', 'anthropic_api_key']

export function emptyProject(language: 'ja' | 'en'): ProjectForm {
  return {
    name: '',
    repository: '',
    github_token: '',
    github_api_url: '',
    github_git_url: '',
    trigger_label: 'poppo',
    label_prefix: 'poppo:',
    poll_interval_seconds: '60',
    anthropic_api_key: '',
    anthropic_base_url: '',
    model: '',
    permission_mode: 'acceptEdits',
    allowed_tools: ['Bash', 'Edit', 'Read', 'Write', 'Glob', 'Grep'],
    disallowed_tools: [],
    max_turns: '',
    max_budget_usd: '',
    instructions: '',
    language,
    driver: 'claude',
    command: '',
    timeout_minutes: '60',
    silence_minutes: '10',
    max_concurrent: '1',
    queue_weight: '',
    retry_limit: '',
    active_hours: '',
    time_zone: '',
    allow_workflow_files: false,
  }
}

const limit = (value: number | null) => (value === null || value === 0 ? '' : String(value))

export function fromProject(project: Project): ProjectForm {
  return {
    name: project.name,
    repository: `${project.github_owner}/${project.github_repo}`,
    github_token: '',
    github_api_url: project.github_api_url,
    github_git_url: project.github_git_url,
    trigger_label: project.trigger_label,
    label_prefix: project.label_prefix,
    poll_interval_seconds: String(project.poll_interval_seconds),
    anthropic_api_key: '',
    anthropic_base_url: project.anthropic_base_url,
    model: project.model,
    permission_mode: project.permission_mode || 'acceptEdits',
    allowed_tools: project.allowed_tools,
    disallowed_tools: project.disallowed_tools,
    max_turns: limit(project.max_turns),
    max_budget_usd: limit(project.max_budget_usd),
    instructions: project.instructions,
    language: project.language,
    driver: project.driver,
    command: project.command.join('\n'),
    timeout_minutes: String(project.timeout_seconds / 60),
    silence_minutes: String(project.silence_timeout_seconds / 60),
    max_concurrent: String(project.max_concurrent),
    queue_weight: String(project.queue_weight),
    retry_limit: project.retry_limit === null ? '' : String(project.retry_limit),
    active_hours: project.active_hours,
    time_zone: project.time_zone,
    allow_workflow_files: project.allow_workflow_files,
  }
}

export interface Repository {
  owner: string
  repo: string
  /** The API of the host, when a whole address was given and it is not github.com. */
  apiUrl?: string
}

const namePart = /^[\w.-]+$/

/** "owner/repo", or an address as copied from a browser or from `git clone`. */
export function parseRepository(text: string): Repository | null {
  let rest = text.trim()
  let apiUrl: string | undefined
  const ssh = /^(?:ssh:\/\/)?git@([^:/]+)[:/](.+)$/.exec(rest)
  const web = /^(https?):\/\/([^/]+)\/(.+)$/.exec(rest)
  if (ssh) rest = ssh[2] ?? ''
  else if (web) rest = web[3] ?? ''
  const host = ssh ? ssh[1] : web?.[2]
  if (host && !['github.com', 'www.github.com'].includes(host))
    apiUrl = `${web?.[1] ?? 'https'}://${host}/api/v3`
  const [owner = '', name = '', ...more] = rest.split('/')
  if (!host && more.length > 0) return null
  const repo = name.replace(/\.git$/, '').replace(/[?#].*$/, '')
  if (!namePart.test(owner) || !namePart.test(repo)) return null
  return { owner, repo, apiUrl }
}

// --- checks ------------------------------------------------------------------------------------

/** A message is a key of the texts with its numbers: "form.range|1|100". */
const message = (key: string, ...numbers: number[]) => [key, ...numbers].join('|')

const text = (most: number) => z.string().check(z.maxLength(most, message('form.too_long', most)))
const needed = (most: number) =>
  text(most).check(z.refine((value) => value.trim() !== '', message('form.required')))

function number(least: number, most: number, options?: { optional?: boolean; whole?: boolean }) {
  return z.string().check(
    z.refine(
      (value) => {
        if (value.trim() === '') return options?.optional ?? false
        const n = Number(value)
        if (!Number.isFinite(n) || n < least || n > most) return false
        return !options?.whole || Number.isInteger(n)
      },
      message('form.range', least, most),
    ),
  )
}

const address = z
  .string()
  .check(
    z.refine(
      (value) => value.trim() === '' || /^https?:\/\/[^\s?#@]+$/.test(value.trim()),
      message('form.url'),
    ),
  )

const noComma = (value: string) => !value.includes(',')

const schema = z.object({
  name: text(100),
  repository: needed(300).check(
    z.refine((value) => parseRepository(value) !== null, message('form.repository')),
  ),
  github_token: text(1000),
  github_api_url: address,
  github_git_url: address,
  trigger_label: needed(50).check(z.refine(noComma, message('form.comma'))),
  label_prefix: needed(30).check(z.refine(noComma, message('form.comma'))),
  poll_interval_seconds: number(0.1, 86_400),
  anthropic_api_key: text(1000),
  anthropic_base_url: address,
  model: text(100),
  permission_mode: z.string(),
  allowed_tools: z.array(text(200)).check(z.maxLength(64, message('form.too_many', 64))),
  disallowed_tools: z.array(text(200)).check(z.maxLength(64, message('form.too_many', 64))),
  max_turns: number(1, 1000, { optional: true, whole: true }),
  max_budget_usd: number(0.01, 10_000, { optional: true }),
  instructions: text(20_000),
  language: z.enum(['ja', 'en']),
  driver: z.enum(['claude', 'command', 'noop']),
  command: text(4000),
  timeout_minutes: number(0.2, 1440),
  silence_minutes: number(0.1, 1440),
  max_concurrent: number(1, 100, { whole: true }),
  queue_weight: number(1, 100, { optional: true, whole: true }),
  retry_limit: number(0, 20, { optional: true, whole: true }),
  active_hours: text(500),
  time_zone: text(64),
  allow_workflow_files: z.boolean(),
})

function across(form: ProjectForm): FieldErrors<ProjectForm> {
  const errors: FieldErrors<ProjectForm> = {}
  const wrong = (key: string) => ({ type: 'check', message: key })
  if (form.driver === 'command' && form.command.trim() === '')
    errors.command = wrong('form.required')
  if (Number(form.silence_minutes) > Number(form.timeout_minutes))
    errors.silence_minutes = wrong('form.silence')
  if (form.label_prefix && form.trigger_label.startsWith(form.label_prefix))
    errors.trigger_label = wrong('form.label_prefix')
  return errors
}

export function checkProject(form: ProjectForm): FieldErrors<ProjectForm> {
  const errors = across(form)
  const result = z.safeParse(schema, form)
  for (const issue of result.error?.issues ?? []) {
    const field = issue.path[0] as FieldName
    errors[field] ??= { type: 'check', message: issue.message } as never
  }
  return errors
}

export const projectResolver: Resolver<ProjectForm> = (values) => {
  const errors = checkProject(values)
  return Object.keys(errors).length === 0 ? { values, errors: {} } : { values: {}, errors }
}

// --- to the server -------------------------------------------------------------------------------

/** What a project that says nothing has. */
const USUAL_WEIGHT = 10

const orNull = (value: string) => (value.trim() === '' ? null : Number(value))
const argv = (value: string) => value.split('\n').filter((line) => line !== '')

/** How each field goes into a request. */
const writers: Record<FieldName, (form: ProjectForm) => ProjectUpdate> = {
  name: (f) => ({ name: f.name.trim() }),
  repository: (f) => {
    const found = parseRepository(f.repository)
    return found ? { github_owner: found.owner, github_repo: found.repo } : {}
  },
  github_token: (f) => ({ github_token: f.github_token.trim() || null }),
  github_api_url: (f) => ({ github_api_url: f.github_api_url.trim() }),
  github_git_url: (f) => ({ github_git_url: f.github_git_url.trim() }),
  trigger_label: (f) => ({ trigger_label: f.trigger_label.trim() }),
  label_prefix: (f) => ({ label_prefix: f.label_prefix.trim() }),
  poll_interval_seconds: (f) => ({ poll_interval_seconds: Number(f.poll_interval_seconds) }),
  anthropic_api_key: (f) => ({ anthropic_api_key: f.anthropic_api_key.trim() || null }),
  anthropic_base_url: (f) => ({ anthropic_base_url: f.anthropic_base_url.trim() }),
  model: (f) => ({ model: f.model.trim() }),
  permission_mode: (f) => ({ permission_mode: f.permission_mode }),
  allowed_tools: (f) => ({ allowed_tools: f.allowed_tools }),
  disallowed_tools: (f) => ({ disallowed_tools: f.disallowed_tools }),
  max_turns: (f) => ({ max_turns: orNull(f.max_turns) }),
  max_budget_usd: (f) => ({ max_budget_usd: orNull(f.max_budget_usd) }),
  instructions: (f) => ({ instructions: f.instructions }),
  language: (f) => ({ language: f.language }),
  driver: (f) => ({ driver: f.driver }),
  command: (f) => ({ command: argv(f.command) }),
  timeout_minutes: (f) => ({ timeout_seconds: Math.round(Number(f.timeout_minutes) * 60) }),
  silence_minutes: (f) => ({
    silence_timeout_seconds: Math.round(Number(f.silence_minutes) * 60),
  }),
  max_concurrent: (f) => ({ max_concurrent: Number(f.max_concurrent) }),
  queue_weight: (f) => ({ queue_weight: Number(f.queue_weight) || USUAL_WEIGHT }),
  retry_limit: (f) => ({ retry_limit: orNull(f.retry_limit) }),
  active_hours: (f) => ({ active_hours: f.active_hours.trim() }),
  time_zone: (f) => ({ time_zone: f.time_zone.trim() }),
  allow_workflow_files: (f) => ({ allow_workflow_files: f.allow_workflow_files }),
}

/** Left out when empty: the platform's own default holds. */
const optionalOnCreate: FieldName[] = [
  'name',
  'github_token',
  'github_api_url',
  'github_git_url',
  'anthropic_api_key',
  'anthropic_base_url',
  'model',
  'max_turns',
  'max_budget_usd',
  'queue_weight',
  'retry_limit',
  'active_hours',
  'time_zone',
  'command',
]

export function toCreate(form: ProjectForm): ProjectCreate {
  const body: ProjectUpdate = {}
  for (const [field, write] of Object.entries(writers) as [FieldName, typeof writers.name][]) {
    if (optionalOnCreate.includes(field) && form[field] === '') continue
    Object.assign(body, write(form))
  }
  return body as ProjectCreate
}

/** Only what was changed. */
export function toUpdate(form: ProjectForm, changed: FieldName[]): ProjectUpdate {
  const body: ProjectUpdate = {}
  for (const field of changed) Object.assign(body, writers[field](form))
  return body
}

/** The field of the form that a field of the API belongs to. */
export function formField(field: string): FieldName | null {
  const names: Record<string, FieldName> = {
    id: 'repository',
    github_owner: 'repository',
    github_repo: 'repository',
    timeout_seconds: 'timeout_minutes',
    silence_timeout_seconds: 'silence_minutes',
  }
  const name = names[field] ?? field
  return name in writers ? (name as FieldName) : null
}
