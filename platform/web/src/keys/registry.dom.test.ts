import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handleKey, keyName, register } from './registry'

const press = (key: string, init: KeyboardEventInit = {}, target: Element = document.body) => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init })
  Object.defineProperty(event, 'target', { value: target })
  handleKey(event, true)
  return event
}

describe('shortcuts', () => {
  const run = vi.fn()
  const go = vi.fn()
  let leave: () => void

  beforeEach(() => {
    vi.useFakeTimers()
    run.mockReset()
    go.mockReset()
    leave = register('global', [
      { keys: 'f', label: 'keys.help', run },
      { keys: 'Shift+x', label: 'keys.cancel', run },
      { keys: 'g p', label: 'keys.go_projects', run: go },
      { keys: '?', label: 'keys.help', run },
    ])
  })
  afterEach(() => {
    leave()
    document.body.innerHTML = ''
    vi.useRealTimers()
  })

  it('run for their key', () => {
    expect(press('f').defaultPrevented).toBe(true)
    press('X', { shiftKey: true })
    press('?', { shiftKey: true })
    expect(run).toHaveBeenCalledTimes(3)
  })

  it('run for a sequence, within its time', () => {
    press('g')
    press('p')
    expect(go).toHaveBeenCalledTimes(1)
    press('g')
    vi.advanceTimersByTime(2000)
    press('p')
    expect(go).toHaveBeenCalledTimes(1)
  })

  it('are silent while an input method composes', () => {
    press('f', { isComposing: true })
    press('f', { keyCode: 229 } as KeyboardEventInit)
    expect(run).not.toHaveBeenCalled()
  })

  it('are silent in text fields, with modifiers, and when turned off', () => {
    const input = document.createElement('input')
    const area = document.createElement('textarea')
    document.body.append(input, area)
    press('f', {}, input)
    press('f', {}, area)
    press('f', { ctrlKey: true })
    handleKey(new KeyboardEvent('keydown', { key: 'f' }), false)
    expect(run).not.toHaveBeenCalled()
  })

  it('are silent under a dialog', () => {
    document.body.innerHTML = '<div role="dialog"></div>'
    press('f')
    expect(run).not.toHaveBeenCalled()
  })

  it('are gone with their component', () => {
    leave()
    press('f')
    expect(run).not.toHaveBeenCalled()
  })
})

describe('keyName', () => {
  it('ignores Shift for signs', () => {
    expect(keyName(new KeyboardEvent('keydown', { key: '?', shiftKey: true }))).toBe('?')
    expect(keyName(new KeyboardEvent('keydown', { key: 'R', shiftKey: true }))).toBe('Shift+r')
  })
})
