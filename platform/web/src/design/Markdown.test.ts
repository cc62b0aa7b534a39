import { describe, expect, it } from 'vitest'
import { parseBlocks } from './Markdown'

describe('parseBlocks', () => {
  it('reads paragraphs, headings, lists and fences', () => {
    expect(parseBlocks('# T\n\none\ntwo\n\n- a\n- b\n1. c\n```sh\nx\n\ny\n```\nend')).toEqual([
      { kind: 'heading', text: 'T' },
      { kind: 'text', text: 'one\ntwo' },
      { kind: 'list', ordered: false, items: ['a', 'b'] },
      { kind: 'list', ordered: true, items: ['c'] },
      { kind: 'code', text: 'x\n\ny' },
      { kind: 'text', text: 'end' },
    ])
  })

  it('keeps markup and links as text', () => {
    expect(parseBlocks('<script>x</script> [a](javascript:b)')).toEqual([
      { kind: 'text', text: '<script>x</script> [a](javascript:b)' },
    ])
  })

  it('leaves out the question, which has its own place', () => {
    expect(parseBlocks('a\n```poppo-question\nb?\n```\nc')).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'text', text: 'c' },
    ])
  })

  it('takes an open fence to the end', () => {
    expect(parseBlocks('```\nx')).toEqual([{ kind: 'code', text: 'x' }])
  })
})
