import { act, screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
import { renderApp } from '../../../test/render'
import { ago, makeRemark } from '../../../test/standin/fixtures'
import { problem } from '../../../test/standin/platform'
import type { Execution } from '../../api/types'
import { applyExecution } from '../../realtime/apply'

const execution = (status: Execution['status']): Execution => {
  const found = standIn().world.executions.find((each) => each.status === status)
  if (!found) throw new Error(status)
  return found
}

describe('an execution', () => {
  it('opens at its log while it runs and at its summary when it is over', async () => {
    const running = renderApp(`/executions/${execution('running').id}`)
    await screen.findByRole('log', { name: '実行ログ' })
    expect(running.address()).toMatch(/\/log$/)
    running.unmount()
    const done = renderApp(`/executions/${execution('succeeded').id}`)
    await screen.findByRole('heading', { name: '作業のまとめ' })
    expect(done.address()).toMatch(/\/summary$/)
  })

  it('shows what came of it', async () => {
    renderApp(`/executions/${execution('succeeded').id}`)
    const links = await screen.findAllByRole('link', { name: /プルリクエスト #219/ })
    expect(links[0]).toHaveAttribute('href', 'https://github.com/medamap/docs-site/pull/219')
    expect(screen.getByText('poppo/issue-484', { selector: 'a code' })).toBeInTheDocument()
    expect(screen.getByText('3 ファイル', { exact: false })).toHaveTextContent('+86 −12')
    expect(screen.getByRole('table', { name: '試行の記録' })).toHaveTextContent('応答なし')
    expect(screen.getByText('$1.27')).toBeInTheDocument()
  })

  it('says that the pull request is on its way, then links to it', async () => {
    const done = execution('succeeded')
    const pull_request = done.pull_request
    done.pull_request = null
    done.completed_at = done.updated_at = new Date().toISOString()
    const { store } = renderApp(`/executions/${done.id}`)
    await screen.findByText('プルリクエストを作成しています…')
    const updated_at = new Date().toISOString()
    Object.assign(done, { pull_request, updated_at })
    act(() => applyExecution(store, { ...done }))
    expect(await screen.findAllByRole('link', { name: /プルリクエスト #219/ })).not.toHaveLength(0)
    expect(screen.queryByText('プルリクエストを作成しています…')).not.toBeInTheDocument()
  })

  it('does not promise a pull request for ever, nor where none comes', async () => {
    const done = execution('succeeded')
    Object.assign(done, { pull_request: null, completed_at: '2026-11-22T00:00:00Z' })
    const late = renderApp(`/executions/${done.id}`)
    await screen.findByText(/プルリクエストはまだありません/)
    late.unmount()
    Object.assign(done, { issue_number: null, completed_at: new Date().toISOString() })
    renderApp(`/executions/${done.id}`)
    await screen.findByText(/プルリクエストは自動では作成されません/)
    expect(screen.queryByText('プルリクエストを作成しています…')).not.toBeInTheDocument()
  })

  it('without an issue says that there is a branch, and where to open a pull request', async () => {
    const done = execution('succeeded')
    const nothing = { pull_request: null, issue_number: null, issue_url: null }
    Object.assign(done, nothing, { branch: 'poppo/task-7#a' })
    renderApp(`/executions/${done.id}`)
    expect(
      await screen.findByRole('link', { name: /GitHub でプルリクエストを作成/ }),
    ).toHaveAttribute(
      'href',
      'https://github.com/medamap/docs-site/compare/poppo/task-7%23a?expand=1',
    )
    expect(screen.getByRole('link', { name: /poppo\/task-7#a/ })).toHaveAttribute(
      'href',
      'https://github.com/medamap/docs-site/tree/poppo/task-7%23a',
    )
  })

  it.each([
    ['waiting_input', 'ここまでの作業'],
    ['failed', '終了までの作業'],
    ['succeeded', '作業のまとめ'],
  ] as const)('calls what is reported by its state: %s', async (status, name) => {
    const found = execution(status)
    found.summary = 'Looked at the code.'
    renderApp(`/executions/${found.id}/summary`)
    await screen.findByRole('heading', { name })
    expect(screen.getByText('Looked at the code.')).toBeInTheDocument()
  })

  it('says that its log is gone, not that there was none', async () => {
    const done = execution('succeeded')
    done.log = { lines: 0, bytes: 0, complete: true, removed: true }
    renderApp(`/executions/${done.id}/log`)
    await screen.findByRole('heading', { name: 'ログは削除されました' })
    expect(screen.queryByRole('log')).not.toBeInTheDocument()
    expect(screen.queryByRole('button', { name: 'ダウンロード' })).not.toBeInTheDocument()
  })

  it('says why it failed, what happens next, and where it is mended', async () => {
    renderApp(`/executions/${execution('failed').id}`)
    await screen.findByText('Claude API がキーを受け付けませんでした。')
    expect(screen.getByText(/Claude API キーを置き換えて/)).toBeInTheDocument()
    expect(screen.getByText(/HTTP 401/)).toBeInTheDocument()
    expect(screen.getByRole('link', { name: '設定を開く' })).toHaveAttribute(
      'href',
      '/projects/mobile-app/settings',
    )
  })

  it('shows the question and where to answer', async () => {
    const asking = execution('waiting_input')
    renderApp(`/executions/${asking.id}`)
    const box = await screen.findByRole('region', { name: '確認したいことがあります' })
    expect(within(box).getByText('24 時間')).toBeInTheDocument()
    expect(within(box).getByRole('link', { name: /GitHub で回答する/ })).toHaveAttribute(
      'href',
      `${asking.issue_url}#issue-comment-box`,
    )
  })

  it('says so where nobody can answer', async () => {
    const asking = execution('waiting_input')
    Object.assign(asking, { issue_number: null, issue_url: null })
    renderApp(`/executions/${asking.id}`)
    const box = await screen.findByRole('region', { name: '確認したいことがあります' })
    expect(within(box).getByText(/Issue がないため、回答を受け付けられません/)).toBeInTheDocument()
    expect(within(box).queryByRole('link')).not.toBeInTheDocument()
  })

  it('tells who said what on GitHub, oldest first', async () => {
    renderApp(`/executions/${execution('succeeded').id}`)
    await screen.findByRole('heading', { name: 'やり取り' })
    const turns = screen.getByText('medamap さんのコメント').closest('ol')?.children ?? []
    expect([...turns].map((each) => each.querySelector('b')?.textContent)).toEqual([
      'medamap さんのコメント',
      'Claude からの質問',
      'hanako-yamada さんの回答',
    ])
    const answer = within(turns[2] as HTMLElement)
    expect(answer.getByText(/keep the script under 1 KiB/)).toBeInTheDocument()
    expect(answer.getByRole('link', { name: /コメントを開く/ })).toHaveAttribute(
      'href',
      'https://github.com/medamap/docs-site/issues/484#issuecomment-2',
    )
    expect(turns[2]?.querySelector('time')).toHaveAttribute('datetime', ago(1960))
  })

  it('hears an answer as it is given', async () => {
    const asking = execution('waiting_input')
    const { store } = renderApp(`/executions/${asking.id}`)
    await screen.findByText(/本番の仕様書/)
    const before = standIn().world.remarks[asking.id] ?? []
    standIn().world.remarks[asking.id] = [
      makeRemark({ number: 2, question: asking.question, text: '24 時間で。', said_by: 'taro' }),
      ...before,
    ]
    const updated_at = new Date().toISOString()
    Object.assign(asking, { status: 'queued', question: null, updated_at })
    act(() => applyExecution(store, { ...asking }))
    expect(await screen.findByText('taro さんの回答')).toBeInTheDocument()
    expect(screen.getByText('24 時間で。')).toBeInTheDocument()
    expect(screen.queryByRole('region', { name: '確認したいことがあります' })).toBeNull()
  })

  it('shows the rest when the conversation cannot be had', async () => {
    const done = execution('succeeded')
    const path = `/api/executions/${done.id}/remarks`
    standIn().plan('GET', path, problem(503, 'overloaded', 'Too much to do'))
    const { user } = renderApp(`/executions/${done.id}`)
    const alert = await screen.findByRole('alert')
    expect(alert).toHaveTextContent('やり取りを読み込めませんでした')
    expect(screen.getByRole('heading', { name: '作業のまとめ' })).toBeInTheDocument()
    standIn().planned.clear()
    await user.click(within(alert).getByRole('button', { name: 'もう一度試す' }))
    await screen.findByText('medamap さんのコメント')
  })

  it('counts the time at work, not the waiting', async () => {
    const asking = execution('waiting_input')
    asking.active_ms = 300_000
    asking.created_at = asking.started_at = '2026-11-22T00:00:00Z'
    const page = renderApp(`/executions/${asking.id}`)
    await screen.findByRole('heading', { name: '詳細' })
    const duration = screen.getByText('所要時間', { selector: 'dt' }).parentElement
    expect(duration).toHaveTextContent('所要時間5:00')
    page.unmount()
    renderApp('/executions')
    expect(await screen.findByRole('row', { name: /冪等キー/ })).toHaveTextContent('5:00')
  })

  it('says why it waits', async () => {
    renderApp(`/executions/${execution('queued').id}/summary`)
    await screen.findByText('待機している理由')
  })

  it('is cancelled after a question', async () => {
    const running = execution('running')
    const { user } = renderApp(`/executions/${running.id}/summary`)
    await user.click(await screen.findByRole('button', { name: '実行を中止' }))
    const dialog = await screen.findByRole('alertdialog', { name: 'この実行を中止しますか？' })
    expect(within(dialog).getByRole('button', { name: '実行を続ける' })).toHaveFocus()
    await user.click(within(dialog).getByRole('button', { name: '実行を中止' }))
    await screen.findByRole('button', { name: '中止しています…' })
    expect(running.status).toBe('cancelling')
  })

  it('is run again in the same or a fresh session', async () => {
    const failed = execution('failed')
    const { user, address } = renderApp(`/executions/${failed.id}`)
    await user.click(await screen.findByRole('button', { name: '再実行' }))
    const dialog = await screen.findByRole('dialog', { name: '再実行の方法' })
    await user.click(within(dialog).getByLabelText(/新しいセッションで最初から/))
    await user.click(within(dialog).getByRole('button', { name: '再実行' }))
    await waitFor(() => expect(address()).not.toContain(failed.id))
    const sent = standIn().calls.find((c) => c.path.endsWith('/retry'))
    expect(sent?.body).toEqual({ session: 'fresh' })
  })

  it('follows live events, and an old one changes nothing', async () => {
    const running = execution('running')
    const { store } = renderApp(`/executions/${running.id}/summary`)
    await screen.findByRole('button', { name: '実行を中止' })
    const done: Execution = {
      ...running,
      status: 'succeeded',
      summary: '直しました',
      completed_at: new Date().toISOString(),
      updated_at: new Date().toISOString(),
    }
    Object.assign(running, done)
    act(() => applyExecution(store, done))
    await screen.findByRole('button', { name: '再実行' })
    act(() =>
      applyExecution(store, { ...done, status: 'running', updated_at: '2020-01-01T00:00:00Z' }),
    )
    expect(screen.getByRole('button', { name: '再実行' })).toBeInTheDocument()
  })

  it('is not found', async () => {
    renderApp('/executions/01JD0000000000000000000000')
    await screen.findByRole('heading', { name: 'ページが見つかりません' })
  })

  it('names itself in the window title', async () => {
    renderApp(`/executions/${execution('failed').id}`)
    await waitFor(() => expect(document.title).toBe('#485 失敗 · mobile-app · PoppoBuilder'))
  })
})
