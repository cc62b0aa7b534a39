/**
 * fetch with our session. The access token lives in this module's memory only; the refresh cookie is
 * HttpOnly. A 401 renews the token once and repeats the call. Tabs share the cookie, which is
 * replaced at each use, so a lock makes them renew one after the other.
 */
import { type ApiError, isApiError, networkError, readProblem } from './problem'
import type { Session } from './types'

const timeoutMs = 30_000

let accessToken: string | null = null
let renewal: Promise<Session> | null = null
let onSessionEnd: () => void = () => {}
let onSession: (session: Session) => void = () => {}

export function setAccessToken(token: string | null): void {
  accessToken = token
}

/** How the store hears of a renewed or ended session (set once, at start). */
export function watchSession(handlers: {
  renewed: (session: Session) => void
  ended: () => void
}): void {
  onSession = handlers.renewed
  onSessionEnd = handlers.ended
}

/** fetch that always ends, and throws an ApiError when no reply came. */
async function bounded(path: string, init: RequestInit): Promise<Response> {
  const limit = AbortSignal.timeout(timeoutMs)
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit
  try {
    return await fetch(new URL(path, location.origin), {
      ...init,
      signal,
      credentials: 'same-origin',
    })
  } catch (error) {
    if (init.signal?.aborted) throw error // the caller changed its mind
    if (limit.aborted) throw { ...networkError('No answer in time'), code: 'timeout' } as ApiError
    throw networkError(error instanceof Error ? error.message : String(error))
  }
}

async function renewOnce(): Promise<Session> {
  const response = await bounded('/api/auth/refresh', { method: 'POST' })
  if (!response.ok) throw await readProblem(response)
  const session = (await response.json()) as Session
  accessToken = session.access_token
  onSession(session)
  return session
}

/** A new access token from the refresh cookie; callers at the same time share one renewal. */
export function renewSession(): Promise<Session> {
  if (!renewal) {
    const run =
      typeof navigator !== 'undefined' && navigator.locks
        ? navigator.locks.request('poppo.refresh', renewOnce)
        : renewOnce()
    renewal = Promise.resolve(run).finally(() => {
      renewal = null
    })
  }
  return renewal
}

function withToken(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers)
  if (accessToken) headers.set('Authorization', `Bearer ${accessToken}`)
  return { ...init, headers }
}

/** A signed-in call. Throws ApiError when there is no good reply. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const used = accessToken
  let response = await bounded(path, withToken(init))
  if (response.status === 401) {
    try {
      if (accessToken === used) await renewSession() // another call may have renewed it meanwhile
    } catch (error) {
      if (isApiError(error) && (error.status === 401 || error.status === 403)) {
        accessToken = null
        onSessionEnd()
        throw await readProblem(response)
      }
      throw error
    }
    response = await bounded(path, withToken(init))
    if (response.status === 401) onSessionEnd()
  }
  if (!response.ok) throw await readProblem(response)
  return response
}

/** A call without a session (setup, login). */
export async function callPublic(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await bounded(path, init)
  if (!response.ok) throw await readProblem(response)
  return response
}

export function jsonBody(body: unknown, method = 'POST'): RequestInit {
  return {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }
}
