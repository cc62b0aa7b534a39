import { beforeEach, describe, expect, it, vi } from 'vitest'
import { standIn } from '../../test/msw/server'
import { problem } from '../../test/standin/platform'
import { call, renewSession, setAccessToken, watchSession } from './http'
import type { ApiError } from './problem'

const renewals = () => standIn().calls.filter((each) => each.path === '/api/auth/refresh').length
const unauthorized = problem(401, 'session_ended', 'Sign in')
const stats = () => ({ status: 200, json: standIn().world.stats })

describe('call', () => {
  const ended = vi.fn()
  beforeEach(() => {
    ended.mockReset()
    setAccessToken('old')
    watchSession({ renewed: () => {}, ended })
  })

  it('renews the token once and repeats the call', async () => {
    standIn().plan('GET', '/api/stats', unauthorized, stats())
    await call('/api/stats')
    expect(renewals()).toBe(1)
    expect(standIn().calls.at(-1)?.headers.authorization).toBe('Bearer stand-in')
  })

  it('renews once for calls that fail together', async () => {
    standIn().plan('GET', '/api/stats', unauthorized, unauthorized, unauthorized, stats())
    await Promise.all([call('/api/stats'), call('/api/stats'), call('/api/stats')])
    expect(renewals()).toBe(1)
  })

  it('says that the session ended when it cannot be renewed', async () => {
    standIn().signedIn = false
    await expect(call('/api/stats')).rejects.toMatchObject({ status: 401 })
    expect(ended).toHaveBeenCalledTimes(1)
  })

  it('does not end the session when the platform cannot be reached', async () => {
    standIn().plan('GET', '/api/stats', unauthorized)
    standIn().plan('POST', '/api/auth/refresh', problem(503, 'unavailable', 'Busy'))
    await expect(call('/api/stats')).rejects.toMatchObject({ status: 503 })
    expect(ended).not.toHaveBeenCalled()
  })

  it('reads problem documents', async () => {
    standIn().plan(
      'GET',
      '/api/stats',
      problem(400, 'invalid', 'Bad', {
        errors: [{ field: 'name', code: 'required', detail: 'missing' }],
      }),
    )
    const error = (await call('/api/stats').catch((e: unknown) => e)) as ApiError
    expect(error).toMatchObject({
      code: 'invalid',
      requestId: '01JDREQUEST000000000000001',
      errors: [{ field: 'name' }],
    })
  })

  it('gives a code to a page that is not ours', async () => {
    standIn().plan('GET', '/api/stats', {
      status: 502,
      text: '<html>',
      headers: { 'Content-Type': 'text/html', 'Retry-After': '3' },
    })
    await expect(call('/api/stats')).rejects.toMatchObject({ code: 'http_502', retryAfter: 3000 })
  })

  it('keeps the token of a renewal', async () => {
    await renewSession()
    await call('/api/stats')
    expect(standIn().calls.at(-1)?.headers.authorization).toBe('Bearer stand-in')
  })
})
