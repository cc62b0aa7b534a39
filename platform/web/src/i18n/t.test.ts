import { beforeEach, describe, expect, it } from 'vitest'
import { currentLanguage, pick, setLanguage, t } from './t'

describe('t', () => {
  beforeEach(() => setLanguage('en'))

  it('fills placeholders and formats numbers', () => {
    expect(t('form.range', { min: 1, max: 10_000 })).toBe('Enter a number from 1 to 10,000')
  })

  it('leaves a placeholder that was not given', () => {
    expect(t('run.title')).toBe('Run in {name}')
  })

  it('does not fill what a value itself contains', () => {
    expect(t('run.title', { name: '{name}' })).toBe('Run in {name}')
  })

  it('chooses the English plural', () => {
    expect(t('log.lines', { count: 1 })).toBe('1 line')
    expect(t('log.lines', { count: 1204 })).toBe('1,204 lines')
    expect(t('log.lines', { count: 0 })).toBe('0 lines')
  })

  it('has one form in Japanese', async () => {
    await setLanguage('ja')
    expect(currentLanguage()).toBe('ja')
    expect(t('log.lines', { count: 1 })).toBe('1 行')
    expect(t('log.lines', { count: 1204 })).toBe('1,204 行')
  })

  it('picks the sentence of the language, else the English one', () => {
    expect(pick({ en: 'a', ja: 'b' }, 'ja')).toBe('b')
    expect(pick({ en: 'a', ja: '' }, 'ja')).toBe('a')
  })
})
