import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import type { UserEvent } from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
// The form's chunk is large: load it before the clock of the first test runs.
import './NewForm'
import { renderApp } from '../../../test/render'
import { problem } from '../../../test/standin/platform'

/** As from a clipboard: one change, so that nothing is asked about half a name. */
async function fill(user: UserEvent, field: HTMLElement, text: string) {
  await user.click(field)
  await user.paste(text)
}

const submit = () => screen.getByRole('button', { name: /プロジェクトを作成/ })
const checks = () => screen.findByRole('list', { name: 'リポジトリの確認結果' })

describe('making a project', () => {
  it('checks the repository while typing and makes the project', async () => {
    const { user, address } = renderApp('/projects/new')
    await fill(
      user,
      await screen.findByRole('textbox', { name: 'リポジトリ' }),
      'medamap/shop-front',
    )
    await fill(user, screen.getByLabelText('GitHub アクセストークン'), 'github_pat_1')
    expect(await checks()).toHaveTextContent('見つかりました')
    await fill(user, screen.getByLabelText('Claude API キー'), 'sk-ant-good')
    await screen.findByText('キーは有効です')
    await waitFor(() => expect(submit()).not.toHaveAttribute('aria-disabled'))
    await user.click(submit())
    await waitFor(() => expect(address()).toBe('/projects/shop-front'))
    const sent = standIn().calls.find((c) => c.method === 'POST' && c.path === '/api/projects')
    expect(sent?.body).toMatchObject({
      github_owner: 'medamap',
      github_repo: 'shop-front',
      github_token: 'github_pat_1',
      anthropic_api_key: 'sk-ant-good',
      trigger_label: 'poppo',
    })
  })

  it('asks when typing stops, not at every letter', async () => {
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    const field = screen.getByRole('textbox', { name: 'リポジトリ' })
    const name = 'medamap/shop-front'
    for (
      let end = 1;
      end <= name.length;
      end++ // at once: no pause in between, however slow it is
    )
      fireEvent.change(field, { target: { value: name.slice(0, end) } })
    await checks()
    const asked = standIn().calls.filter((c) => c.path === '/api/checks/github')
    expect(asked.map((call) => call.body)).toMatchObject([{ github_repo: 'shop-front' }])
  })

  it('does not make a project whose repository is not there', async () => {
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    await fill(user, screen.getByRole('textbox', { name: 'リポジトリ' }), 'medamap/missing')
    expect(await checks()).toHaveTextContent('medamap/missing が見つかりません')
    expect(submit()).toHaveAttribute('aria-disabled', 'true')
    await user.click(submit())
    expect(standIn().calls.some((c) => c.method === 'POST' && c.path === '/api/projects')).toBe(
      false,
    )
  })

  it('shows what the server finds at its field', async () => {
    standIn().plan(
      'POST',
      '/api/projects',
      problem(400, 'invalid', 'Bad', {
        errors: [{ field: 'trigger_label', code: 'duplicate', detail: 'is taken' }],
      }),
    )
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    await fill(user, screen.getByRole('textbox', { name: 'リポジトリ' }), 'medamap/shop-front')
    await checks()
    await user.click(submit())
    const field = screen.getByLabelText('トリガーのラベル')
    await waitFor(() => expect(field).toHaveAttribute('aria-invalid', 'true'))
    expect(field).toHaveAccessibleDescription(/すでに使われています/)
  })

  it('says that a repository is taken', async () => {
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    await fill(user, screen.getByRole('textbox', { name: 'リポジトリ' }), 'medamap/docs-site')
    expect(await checks()).toHaveTextContent('すでにプロジェクト「docs-site」があります')
    expect(submit()).toHaveAttribute('aria-disabled', 'true')
  })

  it('counts what is wrong in the part where its field is', async () => {
    standIn().plan(
      'POST',
      '/api/projects',
      problem(409, 'repository_taken', 'Taken meanwhile', { field: 'github_repo' }),
    )
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    await fill(user, screen.getByRole('textbox', { name: 'リポジトリ' }), 'medamap/shop-front')
    await checks()
    await waitFor(() => expect(submit()).not.toHaveAttribute('aria-disabled'))
    await user.click(submit())
    const part = (name: string) => screen.getByRole('link', { name }).closest('li') as HTMLElement
    await waitFor(() => expect(part('リポジトリ')).toHaveTextContent('問題 1 件'))
    expect(part('実行の設定')).not.toHaveTextContent('件')
    expect(screen.getByRole('textbox', { name: 'リポジトリ' })).toHaveAccessibleDescription(
      /このリポジトリのプロジェクトはすでにあります/,
    )
  })

  it('unfolds what is wrong and folded away', async () => {
    standIn().plan(
      'POST',
      '/api/projects',
      problem(400, 'invalid', 'Bad', {
        errors: [{ field: 'github_git_url', code: 'format', detail: 'Must be an address' }],
      }),
    )
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByLabelText('GitHub アクセストークン'), 'github_pat_1')
    await fill(user, screen.getByRole('textbox', { name: 'リポジトリ' }), 'medamap/shop-front')
    await checks()
    const field = screen.getByLabelText('Git のアドレス')
    expect(field.closest('details')?.open).toBe(false)
    await user.click(submit())
    await waitFor(() => expect(field.closest('details')?.open).toBe(true))
    await waitFor(() => expect(field).toHaveFocus())
  })

  it('says where a token and a key are made', async () => {
    const { user } = renderApp('/projects/new')
    const link = await screen.findByRole('link', { name: /GitHub で作成/ })
    expect(link).toHaveAttribute('href', 'https://github.com/settings/personal-access-tokens/new')
    expect(screen.getByRole('link', { name: /Claude Console で作成/ })).toHaveAttribute(
      'href',
      'https://platform.claude.com/settings/keys',
    )
    await user.click(screen.getByRole('textbox', { name: 'リポジトリ' }))
    await user.paste('https://ghe.example/team/app')
    await waitFor(() =>
      expect(screen.getByRole('link', { name: /GitHub で作成/ })).toHaveAttribute(
        'href',
        'https://ghe.example/settings/personal-access-tokens/new',
      ),
    )
  })

  it('keeps a draft without secrets', async () => {
    const first = renderApp('/projects/new')
    await fill(
      first.user,
      await screen.findByRole('textbox', { name: 'リポジトリ' }),
      'medamap/shop-front',
    )
    await fill(first.user, screen.getByLabelText('GitHub アクセストークン'), 'github_pat_secret')
    await checks()
    first.unmount()
    expect(JSON.stringify(sessionStorage)).not.toContain('github_pat_secret')
    renderApp('/projects/new')
    await screen.findByText('下書きを復元しました')
    expect(screen.getByRole('textbox', { name: 'リポジトリ' })).toHaveValue('medamap/shop-front')
    expect(screen.getByLabelText('GitHub アクセストークン')).toHaveValue('')
  })

  it('finds the API of another host in a pasted address', async () => {
    const { user } = renderApp('/projects/new')
    await user.click(await screen.findByRole('textbox', { name: 'リポジトリ' }))
    await user.paste('https://ghe.example/team/app')
    await user.click(screen.getByText('プロジェクト名と GitHub の接続先'))
    const address = screen.getByLabelText('GitHub API のアドレス')
    expect(address).toHaveValue('https://ghe.example/api/v3')
  })

  it('forgets that host with its address, but not one that was typed', async () => {
    const { user } = renderApp('/projects/new')
    const repository = await screen.findByRole('textbox', { name: 'リポジトリ' })
    await fill(user, repository, 'https://ghe.example/team/app')
    await user.click(screen.getByText('プロジェクト名と GitHub の接続先'))
    const address = screen.getByLabelText('GitHub API のアドレス')
    await user.clear(repository)
    await fill(user, repository, 'octo/x')
    expect(address).toHaveValue('')
    await user.clear(repository)
    await fill(user, repository, 'https://other.example/team/app')
    expect(address).toHaveValue('https://other.example/api/v3')
    await user.clear(address)
    await fill(user, address, 'https://typed.example/api')
    await user.clear(repository)
    await fill(user, repository, 'octo/y')
    expect(address).toHaveValue('https://typed.example/api')
  })

  it('tells a viewer why not', async () => {
    standIn().user = standIn().makeUser('guest', 'viewer', 'ja')
    renderApp('/projects/new')
    await screen.findByText('この操作を行う権限がありません')
    expect(screen.queryByRole('textbox', { name: 'リポジトリ' })).not.toBeInTheDocument()
  })

  it('asks for a token before it asks GitHub', async () => {
    const { user } = renderApp('/projects/new')
    await fill(user, await screen.findByRole('textbox', { name: 'リポジトリ' }), 'medamap/app')
    expect(submit()).toHaveAccessibleName(/先にリポジトリとアクセストークンを入力します/)
    expect(standIn().calls.some((c) => c.path === '/api/checks/github')).toBe(false)
  })

  it('marks a wrong number at once', async () => {
    const { user } = renderApp('/projects/new')
    const field = await screen.findByLabelText('同時実行数')
    await user.clear(field)
    await user.type(field, '0')
    await user.tab()
    await waitFor(() => expect(field).toHaveAccessibleDescription(/1 から 100/))
    expect(within(document.body).getByRole('main')).toBeInTheDocument()
  })
})
