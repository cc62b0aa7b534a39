/**
 * One error shape for everything that can go wrong between us and the platform, and the sentence a
 * person reads for it. The server's `code` is stable; its `detail` is English and stands beside our
 * sentence where that alone says too little.
 */
import type { Key, Translate } from '../i18n/t'
import type { ProblemDocument } from './types'

export interface FieldProblem {
  field: string
  code: string
  detail: string
}

export interface ApiError {
  /** HTTP status; 0 when no answer came. */
  status: number
  code: string
  detail: string
  field?: string
  errors: FieldProblem[]
  requestId?: string
  /** Milliseconds the server asks us to wait. */
  retryAfter?: number
}

export function networkError(detail: string): ApiError {
  return { status: 0, code: 'network', detail, errors: [] }
}

/** Reads a failed reply; a body that is no problem document (a proxy's page) still gives a code. */
export async function readProblem(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('Retry-After'))
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined
  const type = response.headers.get('Content-Type') ?? ''
  let problem: Partial<ProblemDocument> = {}
  if (type.includes('json')) {
    try {
      problem = (await response.json()) as Partial<ProblemDocument>
    } catch {
      problem = {} // cut in the middle: the status alone must do
    }
  }
  return {
    status: response.status,
    code: problem.code ?? `http_${response.status}`,
    detail: problem.detail ?? problem.title ?? response.statusText,
    field: problem.field,
    errors: problem.errors ?? [],
    requestId: problem.request_id ?? response.headers.get('X-Request-Id') ?? undefined,
    retryAfter,
  }
}

export function isApiError(value: unknown): value is ApiError {
  return typeof value === 'object' && value !== null && 'code' in value && 'status' in value
}

/** code → sentence, for every code a browser can be given (problem.test.ts reads them from the server's
 *  sources). A code that is newer than this page gets the sentence of its HTTP status. */
export const sentences: Record<string, Key> = {
  network: 'error.network',

  // the code of the error itself, where there is no finer one
  invalid: 'error.invalid',
  unauthenticated: 'error.unauthorized',
  denied: 'error.forbidden',
  not_found: 'error.not_found',
  conflict: 'error.conflict',
  precondition: 'error.stale',
  too_large: 'error.too_large',
  unsupported: 'error.unsupported',
  unprocessable: 'error.unprocessable',
  limited: 'error.too_many_attempts',
  internal: 'error.internal',
  unreachable: 'error.unreachable',
  unavailable: 'error.overloaded',
  timeout: 'error.timeout',

  // the request
  bad_request: 'error.unsupported',
  headers_too_large: 'error.unsupported',
  method_not_allowed: 'error.unsupported',
  method_unknown: 'error.unsupported',
  target_too_long: 'error.unsupported',
  http_version: 'error.unsupported',
  transfer_coding: 'error.unsupported',
  expectation: 'error.unsupported',

  // sign-in
  token_missing: 'error.unauthorized',
  token_invalid: 'error.unauthorized',
  token_expired: 'error.unauthorized',
  ticket_invalid: 'error.unauthorized',
  session_missing: 'error.unauthorized',
  session_ended: 'error.unauthorized',
  session_reused: 'error.session_reused',
  refresh_reused: 'error.session_reused',
  login_failed: 'error.bad_credentials',
  login_delayed: 'error.too_many_attempts',
  setup_token: 'error.setup_token',
  setup_done: 'error.setup_done',
  username_taken: 'error.username_taken',
  plain_http: 'error.plain_http',
  cross_site: 'error.cross_site',
  role: 'error.forbidden',

  // what is not there, what changed
  project_not_found: 'error.not_found',
  execution_not_found: 'error.not_found',
  attempt_not_found: 'error.not_found',
  work_item_not_found: 'error.not_found',
  node_not_found: 'error.not_found',
  user_not_found: 'error.not_found',
  schedule_not_found: 'error.not_found',
  changed_meanwhile: 'error.stale',

  // projects and executions
  project_closed: 'error.project_closed',
  project_exists: 'error.project_exists',
  repository_taken: 'error.repository_taken',
  secret_missing: 'error.secret_missing',
  secret_not_found: 'error.secret_missing',
  secret_needed: 'error.secret_needed',
  already_final: 'error.already_final',
  not_final: 'error.not_final',
  not_waiting: 'error.conflict',
  not_now: 'error.conflict',
  duplicate: 'error.conflict',
  queue_full: 'error.queue_full',
  schedule_exists: 'error.schedule_exists',
  too_many_schedules: 'error.too_many_schedules',
  issue_closed: 'error.issue_closed',
  issue_is_pull: 'error.issue_is_pull',
  issue_not_found: 'error.issue_not_found',
  agent_offline: 'error.agent_offline',
  agent_silent: 'error.agent_silent',
  agent_log: 'error.agent_log',
  log_damaged: 'error.log_damaged',
  log_removed: 'error.log_removed',
  regex_too_costly: 'error.regex_too_costly',

  // GitHub, asked while somebody waits
  github_token: 'error.github_token',
  github_denied: 'error.github_denied',
  github_missing: 'error.github_missing',
  github_gone: 'error.github_missing',
  github_archived: 'error.github_archived',
  github_no_issues: 'error.github_no_issues',
  github_limited: 'error.github_limited',
  github_down: 'error.github_down',
  github_moved_away: 'error.github_address',
  github_not_json: 'error.github_address',
  github_conflict: 'error.github_refused',
  github_exists: 'error.github_refused',
  github_refused: 'error.github_refused',

  // the way to another server
  dns: 'error.unreachable',
  refused: 'error.unreachable',
  tls: 'error.unreachable',
  cut: 'error.unreachable',
  protocol: 'error.unreachable',
  url: 'error.invalid',

  // the platform
  busy: 'error.overloaded',
  stopping: 'error.overloaded',
  memory: 'error.overloaded',
  too_much_data: 'error.too_large',
  not_utf8: 'error.invalid',
  disk_full: 'error.disk_full',
  database_down: 'error.database_down',
  outcome_unknown: 'error.outcome_unknown',
  store_failed: 'error.internal',
  store_corrupt: 'error.internal',
  foreign_key: 'error.internal',
  unique: 'error.internal',
}

const byStatus: Record<number, Key> = {
  400: 'error.invalid',
  401: 'error.unauthorized',
  403: 'error.forbidden',
  404: 'error.not_found',
  405: 'error.unsupported',
  408: 'error.timeout',
  409: 'error.conflict',
  412: 'error.stale',
  413: 'error.too_large',
  415: 'error.unsupported',
  422: 'error.unprocessable',
  429: 'error.too_many_attempts',
  431: 'error.unsupported',
  500: 'error.internal',
  502: 'error.overloaded',
  503: 'error.overloaded',
  504: 'error.overloaded',
}

export function describe(error: unknown, t: Translate): string {
  if (!isApiError(error)) return t('error.unknown')
  const known = sentences[error.code]
  const sentence = t(known ?? byStatus[error.status] ?? 'error.unknown')
  // The server's own words are all there is to tell one of these from another.
  const vague = known === undefined || known === 'error.invalid'
  const fromProxy = /^http_\d+$/.test(error.code)
  if (!vague || fromProxy || error.detail === '' || error.errors.length > 0) return sentence
  return t('error.with_detail', { sentence, detail: error.detail })
}

/** What the checks of platform/model and of the body's table find (see problem.test.ts). */
export const fieldSentences: Record<string, Key> = {
  required: 'field.required',
  too_long: 'field.too_long',
  too_short: 'field.too_short',
  duplicate: 'field.duplicate',
  reserved: 'field.reserved',
  characters: 'field.characters',
  choice: 'field.choice',
  format: 'field.format',
  range: 'field.range',
  invalid: 'field.invalid',
  unknown_member: 'field.invalid',
}

export function describeField(problem: FieldProblem, t: Translate): string {
  // The server's own words say which limit; they are worth keeping beside ours.
  return t(fieldSentences[problem.code] ?? 'field.invalid', { detail: problem.detail })
}
