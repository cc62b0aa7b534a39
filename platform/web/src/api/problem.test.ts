/** Every code the server can send has a sentence: the codes are read from its sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it, describe as suite } from 'vitest'
import en from '../i18n/en.json'
import ja from '../i18n/ja.json'
import { type Key, setLanguage, t } from '../i18n/t'
import { type ApiError, describe, describeField, fieldSentences, sentences } from './problem'

const platform = `${import.meta.dirname}/../../..`

function sources(...folders: string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(`${platform}/${folder}`, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.[ch]$/.test(entry.name))
        .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8')),
    )
    .join('\n')
}

const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/"([a-z0-9_]+)"/g)].map((word) => word[1] ?? ''),
  )

/** Reasons of errors, however they are given. */
function reasons(): string[] {
  const text = sources('base', 'net', 'model', 'server')
  return [
    ...found(readFileSync(`${platform}/base/error.h`, 'utf8'), /X\(\w+, \d+, ("\w+")\)/g),
    ...found(text, /pb_fail_reason\(\s*[^;]*?PB_ERROR_\w+,\s*([^,]+),/g),
    ...found(text, /PB_ERROR_\w+,\s*("[a-z0-9_]+")\}/g),
    ...found(text, /(?:memcpy|snprintf)\(err->reason,[^;]*?("[a-z0-9_]+")/g),
    ...found(text, /refuse\(\w+, \d+,(?: "[^"]*",)? ("[a-z0-9_]+"),/g),
    ...found(text, /REFUSAL\(\w+, \d+, ("[a-z0-9_]+")/g),
  ]
}

/** Told to nodes, to the person who starts the platform, to a live connection, or acted on inside. */
const elsewhere = new Set([
  'address_in_use',
  'already_running',
  'cancelled',
  'database_in_use',
  'disk_error',
  'gap',
  'github_no_commits',
  'github_no_draft',
  'github_no_reactions',
  'github_unlabelled',
  'key_file_missing',
  'key_file_wrong',
  'no_installation',
  'node_key',
  'schema_changed',
  'schema_newer',
  'schema_older',
  'stale_fence',
  'target_not_empty',
  'unknown_topic',
  'unwanted',
  'usage',
])

const error = (part: Partial<ApiError>): ApiError => ({
  status: 400,
  code: 'invalid',
  detail: '',
  errors: [],
  ...part,
})

suite('sentences of errors', () => {
  it('are there for every code of the server', () => {
    const codes = new Set(reasons())
    expect(codes.size).toBeGreaterThan(70)
    for (const sample of ['conflict', 'repository_taken', 'github_no_draft', 'dns', 'not_now'])
      expect(codes).toContain(sample)
    const silent = [...codes].filter((code) => !elsewhere.has(code) && !(code in sentences))
    expect(silent, 'give them a sentence in problem.ts, or name them in `elsewhere`').toEqual([])
  })

  it('are not kept for codes that are gone', () => {
    const codes = new Set(reasons())
    expect(Object.keys(sentences).filter((code) => !codes.has(code))).toEqual(['network'])
  })

  it('are there for everything found wrong with a field', () => {
    const codes = new Set([
      'invalid',
      ...found(sources('model'), /PB_FINDING\(\s*\w+,\s*[^,]+,\s*([^,]+),/g),
      ...found(sources('server/api'), /snprintf\(err\.reason,[^;]*?("[a-z_]+")/g),
    ])
    expect(codes.size).toBeGreaterThan(8)
    expect([...codes].filter((code) => !(code in fieldSentences))).toEqual([])
  })

  it('exist in both languages', () => {
    const keys: Key[] = [...Object.values(sentences), ...Object.values(fieldSentences)]
    expect(keys.filter((key) => !(key in ja) || !(key in en))).toEqual([])
  })

  it('fall back to the status, in the language of the page', async () => {
    await setLanguage('ja')
    const words = describe(error({ status: 409, code: 'newer_than_us', detail: 'So it is' }), t)
    expect(words).toBe('現在の状態ではこの操作はできません。（So it is）')
    expect(describe(error({ status: 502, code: 'http_502', detail: 'Bad Gateway' }), t)).toBe(
      '現在は処理できません。少し待ってから、もう一度お試しください。',
    )
    expect(describeField({ field: 'x', code: 'newer', detail: 'Odd' }, t)).toBe(
      '正しくありません（Odd）',
    )
  })

  it('keep what the server says where ours says too little', async () => {
    await setLanguage('en')
    expect(describe(error({ detail: 'The cursor is not ours' }), t)).toBe(
      'Some of the input is not valid. (The cursor is not ours)',
    )
  })
})
