import { describe, expect, it } from 'vitest'
import { makeProject } from '../../test/standin/fixtures'
import {
  checkProject,
  countErrors,
  emptyProject,
  formField,
  fromProject,
  newParts,
  parseRepository,
  settingsParts,
  toCreate,
  tokenPage,
  toUpdate,
} from './project'

describe('parseRepository', () => {
  it.each([
    ['owner/repo', 'owner', 'repo'],
    [' owner/repo.js ', 'owner', 'repo.js'],
    ['https://github.com/owner/repo', 'owner', 'repo'],
    ['https://github.com/owner/repo.git', 'owner', 'repo'],
    ['https://github.com/owner/repo/issues/12', 'owner', 'repo'],
    ['git@github.com:owner/repo.git', 'owner', 'repo'],
    ['ssh://git@github.com/owner/repo.git', 'owner', 'repo'],
  ])('reads %s', (text, owner, repo) => {
    expect(parseRepository(text)).toMatchObject({ owner, repo })
    expect(parseRepository(text)?.apiUrl).toBeUndefined()
  })

  it('knows the API of another host', () => {
    expect(parseRepository('https://ghe.example/owner/repo')?.apiUrl).toBe(
      'https://ghe.example/api/v3',
    )
    expect(parseRepository('git@ghe.example:owner/repo.git')?.apiUrl).toBe(
      'https://ghe.example/api/v3',
    )
  })

  it.each(['', 'owner', 'owner/', '/repo', 'owner/repo/more', 'own er/repo', 'owner/re:po'])(
    'refuses %j',
    (text) => {
      expect(parseRepository(text)).toBeNull()
    },
  )
})

describe('checkProject', () => {
  const good = { ...emptyProject('ja'), repository: 'owner/repo' }
  const messages = (part: Partial<typeof good>) => {
    const errors = checkProject({ ...good, ...part })
    return Object.fromEntries(Object.entries(errors).map(([key, error]) => [key, error?.message]))
  }

  it('finds nothing wrong with the defaults', () => {
    expect(messages({})).toEqual({})
  })

  it.each([
    [{ repository: '' }, { repository: 'form.required' }],
    [{ repository: 'nonsense' }, { repository: 'form.repository' }],
    [{ max_concurrent: '0' }, { max_concurrent: 'form.range|1|100' }],
    [{ max_concurrent: '1.5' }, { max_concurrent: 'form.range|1|100' }],
    [{ max_concurrent: '' }, { max_concurrent: 'form.range|1|100' }],
    [{ max_turns: 'x' }, { max_turns: 'form.range|1|1000' }],
    [{ timeout_minutes: '9' }, { silence_minutes: 'form.silence' }],
    [{ trigger_label: 'a,b' }, { trigger_label: 'form.comma' }],
    [{ trigger_label: 'poppo:go' }, { trigger_label: 'form.label_prefix' }],
    [{ github_api_url: 'ftp://x' }, { github_api_url: 'form.url' }],
    [{ github_api_url: 'https://user@x' }, { github_api_url: 'form.url' }],
    [{ driver: 'command' as const }, { command: 'form.required' }],
    [{ model: 'x'.repeat(101) }, { model: 'form.too_long|100' }],
  ])('finds %j', (part, expected) => {
    expect(messages(part)).toEqual(expected)
  })

  it('lets optional numbers be empty', () => {
    expect(messages({ max_turns: '', max_budget_usd: '' })).toEqual({})
  })
})

describe('requests', () => {
  it('leave out what is empty on creation', () => {
    const body = toCreate({ ...emptyProject('en'), repository: 'o/r', github_token: ' t ' })
    expect(body).toMatchObject({
      github_owner: 'o',
      github_repo: 'r',
      github_token: 't',
      timeout_seconds: 3600,
      silence_timeout_seconds: 600,
      poll_interval_seconds: 60,
    })
    for (const absent of ['name', 'github_api_url', 'anthropic_api_key', 'model', 'max_turns'])
      expect(body).not.toHaveProperty(absent)
  })

  it('hold only what was changed on an update', () => {
    const form = { ...fromProject(makeProject({ id: 'a' })), max_turns: '', command: 'x\ny' }
    expect(toUpdate(form, ['max_turns', 'command'])).toEqual({
      max_turns: null,
      command: ['x', 'y'],
    })
  })

  it('survive the way through the form unchanged', () => {
    const project = makeProject({ id: 'a', command: ['run', 'it'], max_turns: 40 })
    const all = Object.keys(emptyProject('ja')) as (keyof ReturnType<typeof emptyProject>)[]
    const body = toUpdate(fromProject(project), all)
    for (const [name, value] of Object.entries(body)) {
      if (name.endsWith('_token') || name.endsWith('_key')) expect(value).toBeNull()
      else expect(project[name as keyof typeof project]).toEqual(value)
    }
  })

  it('know the field of a finding', () => {
    expect(formField('github_repo')).toBe('repository')
    expect(formField('timeout_seconds')).toBe('timeout_minutes')
    expect(formField('model')).toBe('model')
    expect(formField('nothing')).toBeNull()
  })
})

describe('the parts of a form', () => {
  it.each([
    ['creation', newParts],
    ['settings', settingsParts],
  ])('have every field once: %s', (_name, parts) => {
    const fields = Object.keys(emptyProject('en')).sort()
    expect(Object.values(parts).flat().sort()).toEqual(fields)
  })

  it('count what is wrong in them', () => {
    const errors = checkProject({ ...emptyProject('en'), max_turns: '0', max_concurrent: 'x' })
    expect(countErrors(errors, newParts.execution)).toBe(2)
    expect(countErrors(errors, newParts.repository)).toBe(1) // none was entered
    expect(countErrors(errors, newParts.claude)).toBe(0)
  })
})

describe('tokenPage', () => {
  it.each([
    ['', 'https://github.com/settings/personal-access-tokens/new'],
    ['https://api.github.com', 'https://github.com/settings/personal-access-tokens/new'],
    ['https://ghe.example/api/v3/', 'https://ghe.example/settings/personal-access-tokens/new'],
    ['http://127.0.0.1:3080', null],
    ['javascript:alert(1)//api/v3', null],
  ])('of %s', (api, page) => {
    expect(tokenPage(api)).toBe(page)
  })
})
