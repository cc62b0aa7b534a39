/**
 * One error shape for everything that can go wrong between us and the platform, and the sentence a
 * person reads for it. The server's `code` is stable; its `detail` is English and shown as it is
 * only when the code is new to us.
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

/** code → sentence. Codes not listed fall back to their HTTP status, then to the server's words. */
const sentences: Record<string, Key> = {
  network: 'error.network',
  timeout: 'error.timeout',
  unauthenticated: 'error.unauthorized',
  token_missing: 'error.unauthorized',
  session_ended: 'error.unauthorized',
  session_reused: 'error.session_reused',
  login_failed: 'error.bad_credentials',
  login_delayed: 'error.too_many_attempts',
  setup_token: 'error.setup_token',
  setup_done: 'error.setup_done',
  plain_http: 'error.plain_http',
  cross_site: 'error.cross_site',
  denied: 'error.forbidden',
  role: 'error.forbidden',
  not_found: 'error.not_found',
  conflict: 'error.conflict',
  already_final: 'error.already_final',
  not_final: 'error.not_final',
  not_waiting: 'error.conflict',
  project_closed: 'error.project_closed',
  project_exists: 'error.project_exists',
  repository_taken: 'error.repository_taken',
  secret_missing: 'error.secret_missing',
  precondition: 'error.stale',
  invalid: 'error.invalid',
  too_large: 'error.too_large',
  limited: 'error.too_many_attempts',
  unreachable: 'error.unreachable',
  unavailable: 'error.overloaded',
  disk_full: 'error.disk_full',
  internal: 'error.internal',
}

const byStatus: Record<number, Key> = {
  401: 'error.unauthorized',
  403: 'error.forbidden',
  404: 'error.not_found',
  412: 'error.stale',
  413: 'error.too_large',
  429: 'error.too_many_attempts',
  500: 'error.internal',
  502: 'error.overloaded',
  503: 'error.overloaded',
  504: 'error.overloaded',
}

export function describe(error: unknown, t: Translate): string {
  if (!isApiError(error)) return t('error.unknown')
  const key = sentences[error.code] ?? (error.code.startsWith('http_') && byStatus[error.status])
  if (key) return t(key)
  if (error.detail) return error.detail
  return t(byStatus[error.status] ?? 'error.unknown')
}

const fieldSentences: Record<string, Key> = {
  required: 'field.required',
  too_long: 'field.too_long',
  too_short: 'field.too_short',
  duplicate: 'field.duplicate',
  reserved: 'field.reserved',
  characters: 'field.characters',
  choice: 'field.choice',
  format: 'field.format',
  range: 'field.range',
}

export function describeField(problem: FieldProblem, t: Translate): string {
  const key = fieldSentences[problem.code]
  if (!key) return problem.detail
  // The server's own words say which limit; they are worth keeping beside ours.
  return problem.detail ? t(key, { detail: problem.detail }) : t(key, { detail: '' })
}
