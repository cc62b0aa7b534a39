import { describe, expect, it } from 'vitest'
import { makeAttempt, makeExecution } from '../../../test/standin/fixtures'
import { steps } from './steps'

const states = (part: Parameters<typeof makeExecution>[0]) =>
  steps(makeExecution(part))
    .map((step) => step.state)
    .join(' ')

const at = '2026-11-22T10:00:00Z'
const reason = (kind: string) => ({ kind, en: '', ja: '', next: null, detail: null })

describe('steps', () => {
  it.each([
    ['queued', 'now ahead ahead ahead ahead'],
    ['preparing', 'done now ahead ahead ahead'],
    ['running', 'done done now ahead ahead'],
    ['waiting_input', 'done done waiting ahead ahead'],
    ['succeeded', 'done done done done done'],
    ['cancelled', 'done done cancelled skipped skipped'],
    ['failed', 'done done failed skipped skipped'],
    ['timed_out', 'done done failed skipped skipped'],
  ] as const)('%s', (status, expected) => {
    expect(states({ projectId: 'a', status, started_at: at })).toBe(expected)
  })

  it('shows publishing while the attempt publishes', () => {
    const attempts = [makeAttempt({ status: 'publishing' })]
    expect(states({ projectId: 'a', attempts })).toBe('done done done now ahead')
  })

  it('skips publishing when nothing changed', () => {
    expect(states({ projectId: 'a', status: 'succeeded', no_changes: true })).toBe(
      'done done done skipped done',
    )
  })

  it('puts a failure where it belongs', () => {
    const failed = { projectId: 'a', status: 'failed', started_at: at } as const
    expect(states({ ...failed, reason: reason('cli_missing') })).toBe(
      'done failed skipped skipped skipped',
    )
    expect(states({ ...failed, reason: reason('push_rejected') })).toBe(
      'done done done failed skipped',
    )
    expect(states({ ...failed, started_at: null })).toBe('failed skipped skipped skipped skipped')
  })
})
