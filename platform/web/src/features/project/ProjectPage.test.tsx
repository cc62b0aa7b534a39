import { screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
// The form's chunk is large: load it before the clock of the first test runs.
import './SettingsTab'
import { renderApp } from '../../../test/render'

const project = (id: string) => {
  const found = standIn().world.projects.find((each) => each.id === id)
  if (!found) throw new Error(id)
  return found
}

const updates = () => standIn().calls.filter((c) => c.method === 'PUT')

describe('a project', () => {
  it('shows what stands in the way, and where it is mended', async () => {
    renderApp('/projects/mobile-app')
    await screen.findByText('保存されている Claude API キーが受け付けられません。')
    expect(screen.getByRole('link', { name: '設定を開く' })).toHaveAttribute(
      'href',
      '/projects/mobile-app/settings',
    )
  })

  it('says how to start while nothing ran', async () => {
    renderApp('/projects/new-project')
    await screen.findByText(/poppo ラベルを付けると/)
    expect(screen.getByRole('button', { name: 'ラベル名をコピー' })).toBeInTheDocument()
  })

  it('is stopped after a question and started at once', async () => {
    const { user } = renderApp('/projects/payments-api')
    await user.click(await screen.findByRole('button', { name: '停止' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog).toHaveTextContent('実行中の 1 件は中止されます')
    await user.click(within(dialog).getByRole('button', { name: '停止' }))
    await user.click(await screen.findByRole('button', { name: '開始' }))
    await screen.findByRole('button', { name: '停止' })
    expect(project('payments-api').status).toBe('active')
  })

  it('runs an issue by its number', async () => {
    const { user, address } = renderApp('/projects/payments-api')
    await user.click(await screen.findByRole('button', { name: '実行する' }))
    const dialog = await screen.findByRole('dialog')
    await user.type(within(dialog).getByLabelText('Issue 番号'), '404')
    await user.click(within(dialog).getByRole('button', { name: '実行する' }))
    expect(await within(dialog).findByRole('alert')).toHaveTextContent('見つかりませんでした')
    await user.clear(within(dialog).getByLabelText('Issue 番号'))
    await user.type(within(dialog).getByLabelText('Issue 番号'), '12')
    await user.click(within(dialog).getByRole('button', { name: '実行する' }))
    await waitFor(() => expect(address()).toMatch(/^\/executions\/01JD/))
    const sent = standIn().calls.findLast((c) => c.path.endsWith('/payments-api/executions'))
    expect(sent?.body).toEqual({ issue_number: 12, priority: 'normal' })
    expect(sent?.headers['idempotency-key']).toBeTruthy()
  })

  it('says in its own words what a run still needs', async () => {
    const { user } = renderApp('/projects/payments-api')
    await user.click(await screen.findByRole('button', { name: '実行する' }))
    const dialog = within(await screen.findByRole('dialog'))
    const run = dialog.getByRole('button', { name: '実行する' })
    expect(run.closest('form')).toHaveAttribute('novalidate')
    await user.click(run)
    const issue = dialog.getByLabelText('Issue 番号')
    expect(issue).toHaveAccessibleDescription('入力が必要です')
    expect(issue).toHaveFocus()
    await user.type(issue, 'abc')
    expect(issue).toHaveAccessibleDescription('123 のような番号を入力します')
    await user.clear(issue)
    await user.type(issue, '#12')
    expect(issue).not.toHaveAttribute('aria-invalid')
    await user.click(dialog.getByRole('button', { name: '作業内容を書く' }))
    await user.type(dialog.getByLabelText('件名'), '   ')
    await user.click(run)
    expect(dialog.getByLabelText('件名')).toHaveAccessibleDescription('入力が必要です')
    expect(dialog.getByLabelText('依頼内容')).toHaveAccessibleDescription('入力が必要です')
    expect(standIn().calls.some((c) => c.path.endsWith('/payments-api/executions'))).toBe(false)
  })

  it('says which secret is missing and where it is entered', async () => {
    project('new-project').secrets.github_token.set = false
    renderApp('/projects/new-project')
    await screen.findByText('GitHub アクセストークンが設定されていません')
    expect(screen.getByText(/設定の「基本情報」で入力してください/)).toBeInTheDocument()
    expect(screen.getByRole('link', { name: '設定を開く' })).toHaveAttribute(
      'href',
      '/projects/new-project/settings#general',
    )
  })

  it('without a name of its own says its repository once', async () => {
    project('payments-api').name = 'medamap/payments-api'
    const page = renderApp('/projects/payments-api')
    await screen.findByRole('heading', { name: /medamap\/payments-api/ })
    expect(screen.getByRole('link', { name: /GitHub リポジトリ/ })).toBeInTheDocument()
    expect(page.container.querySelector('header.page-head')?.textContent).toMatch(
      /^(?!.*payments-api.*payments-api)/,
    )
    page.unmount()
    renderApp('/projects')
    const row = await screen.findByRole('row', { name: /medamap\/payments-api/ })
    expect(row.textContent?.match(/payments-api/g)).toHaveLength(1)
  })

  it('is not found', async () => {
    renderApp('/projects/nope')
    await screen.findByRole('heading', { name: 'ページが見つかりません' })
  })

  it('gives a viewer the reason for buttons that are off', async () => {
    standIn().user = standIn().makeUser('guest', 'viewer', 'ja')
    const { user } = renderApp('/projects/payments-api')
    const stop = await screen.findByRole('button', { name: /停止/ })
    expect(stop).toHaveAttribute('aria-disabled', 'true')
    expect(stop).toHaveAccessibleName(/この操作を行う権限がありません/)
    await user.click(stop)
    expect(screen.queryByRole('alertdialog')).not.toBeInTheDocument()
  })
})

describe('settings', () => {
  it('save what was changed and nothing else', async () => {
    const { user } = renderApp('/projects/payments-api/settings')
    const field = await screen.findByLabelText('同時実行数')
    await user.clear(field)
    await user.type(field, '5')
    await screen.findByText('未保存の変更 1 件')
    await user.click(screen.getByRole('button', { name: '保存' }))
    await screen.findByText('保存しました。次回の実行から反映されます。')
    expect(updates()[0]?.body).toEqual({ max_concurrent: 5 })
    expect(updates()[0]?.headers['if-match']).toBe('"3"')
    await waitFor(() => expect(screen.queryByText(/未保存の変更/)).not.toBeInTheDocument())
  })

  it('hold when the queue gives it a turn, and how often it tries again', async () => {
    const { user } = renderApp('/projects/payments-api/settings')
    await user.click(await screen.findByText('稼働時間・順番・自動再試行'))
    await user.type(screen.getByLabelText('稼働時間'), 'mon-fri 09:00-18:00')
    await user.type(screen.getByLabelText('タイムゾーン'), 'Asia/Tokyo')
    await user.type(screen.getByLabelText('自動再試行の上限'), '0')
    await user.click(screen.getByRole('button', { name: '保存' }))
    await waitFor(() => expect(updates()).toHaveLength(1))
    expect(updates()[0]?.body).toEqual({
      active_hours: 'mon-fri 09:00-18:00',
      time_zone: 'Asia/Tokyo',
      retry_limit: 0,
    })
  })

  it('name their foldouts by what they hold', async () => {
    const { container } = renderApp('/projects/payments-api/settings')
    await screen.findByLabelText('同時実行数')
    const names = [...container.querySelectorAll('summary')].map((each) => each.textContent)
    expect(names.length).toBeGreaterThan(1)
    expect(new Set(names).size).toBe(names.length)
  })

  it('go back', async () => {
    const { user } = renderApp('/projects/payments-api/settings')
    const field = await screen.findByLabelText('同時実行数')
    await user.type(field, '7')
    await user.click(await screen.findByRole('button', { name: '元に戻す' }))
    expect(field).toHaveValue('2')
  })

  it('never show a secret, only replace it', async () => {
    const { user } = renderApp('/projects/payments-api/settings')
    const replace = await screen.findAllByRole('button', { name: '置き換える' })
    expect(screen.queryByLabelText('GitHub アクセストークン')).not.toBeInTheDocument()
    await user.click(replace[0] as HTMLElement)
    await user.type(screen.getByLabelText('GitHub アクセストークン'), 'github_pat_new')
    await user.click(screen.getByRole('button', { name: '保存' }))
    await waitFor(() => expect(updates()).toHaveLength(1))
    expect(updates()[0]?.body).toEqual({ github_token: 'github_pat_new' })
    await waitFor(() =>
      expect(screen.queryByLabelText('GitHub アクセストークン')).not.toBeInTheDocument(),
    )
  })

  it('keep what is typed when somebody else saved first', async () => {
    const { user } = renderApp('/projects/payments-api/settings')
    const field = await screen.findByLabelText('同時実行数')
    await user.clear(field)
    await user.type(field, '5')
    Object.assign(project('payments-api'), { version: 9, trigger_label: 'robot' })
    await user.click(screen.getByRole('button', { name: '保存' }))
    await screen.findByText('ほかの人が先に保存しました')
    expect(field).toHaveValue('5')
  })

  it('delete only after the name is typed', async () => {
    const { user, address } = renderApp('/projects/docs-site/settings')
    await user.click(await screen.findByRole('button', { name: 'プロジェクトを削除' }))
    const dialog = await screen.findByRole('alertdialog')
    const button = within(dialog).getByRole('button', { name: /docs-site を削除/ })
    await user.click(button)
    expect(standIn().world.projects.some((each) => each.id === 'docs-site')).toBe(true)
    await user.type(within(dialog).getByLabelText(/docs-site と入力/), 'docs-site')
    await user.click(button)
    await waitFor(() => expect(address()).toBe('/projects'))
    expect(standIn().world.projects.some((each) => each.id === 'docs-site')).toBe(false)
  })

  it('are read only for a viewer', async () => {
    standIn().user = standIn().makeUser('guest', 'viewer', 'ja')
    renderApp('/projects/payments-api/settings')
    expect(await screen.findByLabelText('同時実行数')).toBeDisabled()
    expect(screen.queryByRole('button', { name: 'プロジェクトを削除' })).not.toBeInTheDocument()
  })
})
