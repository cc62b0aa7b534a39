import { describe, expect, it } from 'vitest'
import { parseAnsi, stripAnsi } from './ansi'

const esc = '\x1b'

describe('parseAnsi', () => {
  it('gives plain text as one run', () => {
    expect(parseAnsi('hello')).toEqual([{ text: 'hello', style: '' }])
    expect(parseAnsi('')).toEqual([])
  })

  it('colours runs and goes back', () => {
    expect(parseAnsi(`a ${esc}[32mok${esc}[0m b`)).toEqual([
      { text: 'a ', style: '' },
      { text: 'ok', style: 'fg-green' },
      { text: ' b', style: '' },
    ])
  })

  it('combines and ends single attributes', () => {
    expect(parseAnsi(`${esc}[1;31mX${esc}[22mY${esc}[39mZ`)).toEqual([
      { text: 'X', style: 'fg-red a-bold' },
      { text: 'Y', style: 'fg-red' },
      { text: 'Z', style: '' },
    ])
  })

  it('treats an empty parameter as a reset', () => {
    expect(parseAnsi(`${esc}[31mX${esc}[mY`)[1]).toEqual({ text: 'Y', style: '' })
  })

  it('maps 256 colours and true colours to names', () => {
    expect(parseAnsi(`${esc}[38;5;196mX`)[0]?.style).toBe('fg-red')
    expect(parseAnsi(`${esc}[38;2;20;220;30mX`)[0]?.style).toBe('fg-green')
    expect(parseAnsi(`${esc}[48;5;21mX`)[0]?.style).toBe('bg-blue')
    expect(parseAnsi(`${esc}[38;5;244mX`)[0]?.style).toBe('fg-white')
  })

  it('goes on after an extended colour', () => {
    expect(parseAnsi(`${esc}[38;5;196;1mX`)[0]?.style).toBe('fg-red a-bold')
  })

  it('drops every other sequence', () => {
    const text = `a${esc}[2Kb${esc}]8;;https://evil.test\x07link${esc}]8;;\x07c${esc}(Bd${esc}7e`
    expect(parseAnsi(text)).toEqual([{ text: 'ablinkcde', style: '' }])
  })

  it('drops sequences that are cut off', () => {
    expect(parseAnsi(`a${esc}[31`)).toEqual([{ text: 'a', style: '' }])
    expect(parseAnsi(`a${esc}]0;title`)).toEqual([{ text: 'a', style: '' }])
    expect(parseAnsi(`a${esc}`)).toEqual([{ text: 'a', style: '' }])
  })

  it('makes direction overrides visible', () => {
    expect(parseAnsi('a\u202eb')).toEqual([{ text: 'a\ufffdb', style: '' }])
  })

  it('keeps markup as text', () => {
    expect(parseAnsi('<img onerror=x>')[0]?.text).toBe('<img onerror=x>')
  })

  it('ends in good time on a hostile line', () => {
    const line = `${esc}[`.repeat(8000)
    const begin = performance.now()
    parseAnsi(line)
    expect(performance.now() - begin).toBeLessThan(200)
  })
})

describe('stripAnsi', () => {
  it('leaves the text', () => {
    expect(stripAnsi(`${esc}[1mBold${esc}[0m text`)).toBe('Bold text')
  })
})
