/** Log ranges. Not in RTK Query: a log is a window over bytes, kept by logview/chunks.ts. */
import { withParams } from './base'
import { call } from './http'
import type { components } from './schema'

export type LogMark = components['schemas']['LogMark']
export type LogPlaces = components['schemas']['LogMarks']
export type LogHits = components['schemas']['LogHits']

export interface LogHead {
  lines: number
  bytes: number
  complete: boolean
}

export interface LogRange extends LogHead {
  from: number
  text: string
  /** Lines that were not kept because the log had reached its limit. */
  dropped?: number
  /** "first-last", from 1: lines among these that are lost. */
  damaged?: string | null
}

export interface LogPart {
  from?: number
  count?: number
  tail?: number
}

export interface SearchQuery {
  text: string
  regex: boolean
  exact: boolean
}

async function read(url: string, part: LogPart, signal?: AbortSignal): Promise<LogRange> {
  const response = await call(withParams(url, { ...part }), { signal })
  const text = await response.text()
  const header = (name: string) => Number(response.headers.get(name) ?? 0)
  return {
    from: header('X-Log-From'),
    lines: header('X-Log-Lines'),
    bytes: header('X-Log-Bytes'),
    complete: ['true', '1'].includes(response.headers.get('X-Log-Complete') ?? ''),
    dropped: header('X-Log-Dropped'),
    damaged: response.headers.get('X-Log-Damaged'),
    text,
  }
}

const logOf = (id: string) => `/api/executions/${encodeURIComponent(id)}/log`

export function readExecutionLog(id: string, part: LogPart, signal?: AbortSignal) {
  return read(logOf(id), part, signal)
}

export async function readExecutionMarks(
  id: string,
  from: number,
  signal?: AbortSignal,
): Promise<LogPlaces> {
  return (await call(withParams(`${logOf(id)}/marks`, { from }), { signal })).json()
}

/** Line numbers only. */
export async function searchExecutionLog(
  id: string,
  query: SearchQuery & { from: number; limit: number },
  signal?: AbortSignal,
): Promise<LogHits> {
  const { text: q, regex, exact, from, limit } = query
  const params = { q, regex: String(regex), case: String(exact), text: 'false', from, limit }
  return (await call(withParams(`${logOf(id)}/search`, params), { signal })).json()
}

export function readAgentLog(project: string, part: LogPart, signal?: AbortSignal) {
  return read(`/api/projects/${encodeURIComponent(project)}/logs`, part, signal)
}

/** The whole log as text, through our session (a plain link could not carry the token). */
export async function downloadExecutionLog(id: string): Promise<Blob> {
  const response = await call(`${logOf(id)}/raw`)
  return response.blob()
}
