import { screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../test/msw/server'
import { renderApp } from '../../test/render'
import { sessionExpired } from '../api/session'

describe('the way in', () => {
  it('sends everybody to setup while there is no administrator', async () => {
    standIn().signedIn = false
    standIn().setupRequired = true
    const { user, address } = renderApp('/projects')
    await screen.findByRole('heading', { name: 'PoppoBuilder へようこそ' })
    expect(address()).toBe('/setup')
    await user.type(screen.getByLabelText('設定コード'), 'bad-token')
    await user.type(screen.getByLabelText('パスワード'), 'long enough')
    await user.click(screen.getByRole('button', { name: '作成して始める' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('設定用のリンクが無効です')
    await user.clear(screen.getByLabelText('設定コード'))
    await user.type(screen.getByLabelText('設定コード'), 'good-token')
    await user.click(screen.getByRole('button', { name: '作成して始める' }))
    await screen.findByRole('heading', { name: 'ダッシュボード' })
    const sent = standIn().calls.find(
      (each) => each.path === '/api/setup' && each.method === 'POST',
    )
    expect(sent?.body).toMatchObject({ username: 'admin', language: 'ja' })
  })

  it('says in its own words what is missing', async () => {
    standIn().signedIn = false
    const { user } = renderApp('/login')
    const name = await screen.findByLabelText('ユーザー名')
    await user.click(screen.getByRole('button', { name: 'ログイン' }))
    expect(name).toHaveAccessibleDescription('入力が必要です')
    expect(screen.getByLabelText('パスワード')).toHaveAccessibleDescription('入力が必要です')
    expect(name.closest('form')).toHaveAttribute('novalidate')
    expect(standIn().calls.some((each) => each.path === '/api/auth/login')).toBe(false)
  })

  it('refuses a short password before asking the server', async () => {
    standIn().signedIn = false
    standIn().setupRequired = true
    const { user } = renderApp('/setup')
    await user.type(await screen.findByLabelText('設定コード'), 'good-token')
    await user.type(screen.getByLabelText('パスワード'), 'short')
    await user.click(screen.getByRole('button', { name: '作成して始める' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('8 文字以上')
    expect(
      standIn().calls.some((each) => each.method === 'POST' && each.path === '/api/setup'),
    ).toBe(false)
  })

  it('says that setup is done', async () => {
    standIn().signedIn = false
    renderApp('/setup')
    await screen.findByRole('heading', { name: '初期設定は完了しています' })
  })

  it('comes back to the page that was asked for', async () => {
    standIn().signedIn = false
    const { user, address } = renderApp('/executions?status=failed')
    await user.type(await screen.findByLabelText('ユーザー名'), 'medamap')
    await user.type(screen.getByLabelText('パスワード'), 'wrong')
    await user.click(screen.getByRole('button', { name: 'ログイン' }))
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'ユーザー名またはパスワードが違います',
    )
    await user.clear(screen.getByLabelText('パスワード'))
    await user.type(screen.getByLabelText('パスワード'), 'correct horse')
    await user.click(screen.getByRole('button', { name: 'ログイン' }))
    await screen.findByRole('heading', { name: '実行' })
    await waitFor(() => expect(address()).toBe('/executions?status=failed'))
  })

  it.each(['//evil.test', 'https://evil.test', '/\\evil.test'])(
    'does not leave the site for %s',
    async (next) => {
      const { address } = renderApp(`/login?next=${encodeURIComponent(next)}`)
      await screen.findByRole('heading', { name: 'ダッシュボード' })
      expect(address()).toBe('/')
    },
  )

  it('asks to sign in over the page when the session ends', async () => {
    const { user, store } = renderApp('/nodes')
    await screen.findByText('node-osaka-2')
    standIn().signedIn = false
    store.dispatch(sessionExpired())
    const dialog = await screen.findByRole('alertdialog', { name: 'もう一度ログインしてください' })
    expect(screen.getByText('node-osaka-2')).toBeInTheDocument()
    await user.type(within(dialog).getByLabelText('パスワード'), 'correct horse')
    await user.click(within(dialog).getByRole('button', { name: 'ログイン' }))
    await waitFor(() => expect(screen.queryByRole('alertdialog')).not.toBeInTheDocument())
  })

  it('signs out and forgets what was shown', async () => {
    const { user, store, address } = renderApp('/nodes')
    await screen.findByText('node-osaka-2')
    await user.click(screen.getByRole('button', { name: 'medamap のメニュー' }))
    await user.click(await screen.findByRole('menuitem', { name: /ログアウト/ }))
    await screen.findByRole('heading', { name: 'ログイン' })
    expect(address()).toMatch(/^\/login/)
    expect(Object.keys(store.getState().api.queries)).toHaveLength(0)
  })

  it('switches the language of page and account', async () => {
    const { user } = renderApp('/nodes')
    await user.click(await screen.findByRole('button', { name: 'English' }))
    await screen.findByRole('heading', { name: 'Nodes' })
    expect(document.documentElement.lang).toBe('en')
    await waitFor(() => expect(standIn().user.language).toBe('en'))
  })
})
