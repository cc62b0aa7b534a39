/** Log ranges. Not in RTK Query: a log is a window over bytes, kept by logview/chunks.ts. */
import { withParams } from './base'
import { call } from './http'

export interface LogHead {
  lines: number
  bytes: number
  complete: boolean
}

export interface LogRange extends LogHead {
  from: number
  text: string
}

export interface LogPart {
  from?: number
  count?: number
  tail?: number
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
    text,
  }
}

export function readExecutionLog(id: string, part: LogPart, signal?: AbortSignal) {
  return read(`/api/executions/${encodeURIComponent(id)}/log`, part, signal)
}

export function readAgentLog(project: string, part: LogPart, signal?: AbortSignal) {
  return read(`/api/projects/${encodeURIComponent(project)}/logs`, part, signal)
}

/** The whole log as text, through our session (a plain link could not carry the token). */
export async function downloadExecutionLog(id: string): Promise<Blob> {
  const response = await call(`/api/executions/${encodeURIComponent(id)}/log/raw`)
  return response.blob()
}
