import { screen, waitFor, within } from '@testing-library/react'
import { beforeEach, describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
import './QueueDialog'
import './UrgencyDialog'
import { renderApp } from '../../../test/render'

const sent = (method: string, end: string) =>
  standIn().calls.findLast((c) => c.method === method && c.path.endsWith(end))

async function openQueue() {
  const app = renderApp('/executions?status=queued')
  await app.user.click(await screen.findByRole('button', { name: 'キュー' }))
  return { ...app, dialog: within(await screen.findByRole('dialog', { name: 'キュー' })) }
}

describe('the queue', () => {
  it('is paused with a reason that everybody sees, and resumed', async () => {
    const { user, dialog, address } = await openQueue()
    expect(address()).toBe('/executions?status=queued#queue')
    expect(dialog.getByText(/待機中 1 件、実行中 1 件/)).toBeInTheDocument()
    await user.type(dialog.getByLabelText(/^理由/), 'サーバーの保守')
    await user.click(dialog.getByRole('button', { name: 'キューを一時停止' }))
    await dialog.findByText('medamap が一時停止しました')
    expect(dialog.getByText('サーバーの保守')).toBeInTheDocument()
    expect(sent('POST', '/queue/pause')?.body).toEqual({ note: 'サーバーの保守' })
    await user.click(dialog.getByRole('button', { name: '閉じる' }))
    await waitFor(() => expect(address()).toBe('/executions?status=queued'))
    await user.click(await screen.findByRole('button', { name: 'キューは一時停止中' }))
    const again = within(await screen.findByRole('dialog'))
    await user.click(again.getByRole('button', { name: '再開' }))
    await again.findByRole('button', { name: 'キューを一時停止' })
    expect(standIn().world.queue.paused).toBe(false)
  })

  it('keeps limits as they were written', async () => {
    const { user, dialog } = await openQueue()
    await user.click(dialog.getByRole('button', { name: 'database の上限を削除' }))
    await user.click(dialog.getByRole('button', { name: '上限を追加' }))
    await user.selectOptions(dialog.getAllByLabelText('対象')[1] as HTMLElement, 'node')
    const projects = dialog.getAllByLabelText('プロジェクト')
    expect(projects[1]).toBeDisabled()
    await waitFor(() => within(projects[0] as HTMLElement).getByText('docs-site'))
    await user.selectOptions(
      dialog.getAllByLabelText('プロジェクト')[0] as HTMLElement,
      'docs-site',
    )
    const max = dialog.getAllByLabelText('同時実行数')[1] as HTMLElement
    await user.clear(max)
    await user.type(max, '6')
    await user.click(dialog.getByRole('button', { name: '上限を保存' }))
    await screen.findByText(/上限を保存しました/)
    expect(sent('PUT', '/queue/limits')?.body).toEqual({
      limits: [
        { kind: 'user', project: 'docs-site', subject: '*', max: 4 },
        { kind: 'node', project: null, subject: '*', max: 6 },
      ],
    })
  })

  it('says under a limit what is wrong with it, before the server is asked', async () => {
    const { user, dialog } = await openQueue()
    const [name] = dialog.getAllByLabelText(/^名前/)
    const [max] = dialog.getAllByLabelText('同時実行数')
    await user.clear(name as HTMLElement)
    await user.clear(max as HTMLElement)
    await user.type(max as HTMLElement, '20000')
    await user.click(dialog.getByRole('button', { name: '上限を保存' }))
    expect(name).toHaveAccessibleDescription('入力が必要です')
    expect(name).toHaveFocus()
    expect(max).toHaveAccessibleDescription('0 から 10,000 の数を入力します')
    expect(sent('PUT', '/queue/limits')).toBeUndefined()
    await user.type(name as HTMLElement, '*')
    expect(name).not.toHaveAttribute('aria-invalid')
    await user.selectOptions(dialog.getAllByLabelText('対象')[0] as HTMLElement, 'label')
    await user.click(dialog.getByRole('button', { name: '上限を保存' }))
    expect(name).toHaveAccessibleDescription(/ラベルの名前を入力します/)
  })

  it('is only looked at by who is no administrator', async () => {
    standIn().user = standIn().makeUser('hanako', 'user', 'ja')
    const { user, dialog } = await openQueue()
    const pause = dialog.getByRole('button', { name: /キューを一時停止/ })
    expect(pause).toHaveAccessibleName(/この操作を行う権限がありません/)
    await user.click(pause)
    expect(sent('POST', '/queue/pause')).toBeUndefined()
    expect(dialog.getAllByLabelText('同時実行数')[0]).toBeDisabled()
  })

  it('says on the first page that it is paused', async () => {
    standIn().world.queue.paused = true
    standIn().world.queue.pause = { by: 'admin', note: null, at: '2026-11-22T00:00:00Z' }
    renderApp('/')
    const link = await screen.findByRole('link', { name: '開く: キューが一時停止されています' })
    expect(link).toHaveAttribute('href', '/executions#queue')
    expect(screen.getByText('admin が一時停止しました')).toBeInTheDocument()
  })
})

describe('what is queued', () => {
  let queued: ReturnType<typeof standIn>['world']['executions'][number]

  beforeEach(() => {
    const found = standIn().world.executions.find((each) => each.status === 'queued')
    if (!found?.queued_reason) throw new Error('fixtures')
    queued = found
  })

  it('says why, its place, and how urgent it is', async () => {
    renderApp(`/executions/${queued.id}/summary`)
    await screen.findByText('待機している理由')
    expect(screen.getByText(/1 番目（このプロジェクトの待機は 1 件）/)).toBeInTheDocument()
    expect(screen.getByText('優先度').nextElementSibling).toHaveTextContent('通常')
    expect(screen.queryByRole('button', { name: '今すぐ再試行' })).not.toBeInTheDocument()
  })

  it('is made more urgent, with a deadline on the clock of the reader', async () => {
    const { user } = renderApp(`/executions/${queued.id}/summary`)
    await user.click(await screen.findByRole('button', { name: '優先度と期限を変更' }))
    const dialog = within(await screen.findByRole('dialog'))
    await user.selectOptions(dialog.getByLabelText('優先度'), 'high')
    await user.type(dialog.getByLabelText('期限'), '2026-12-01T09:30')
    await user.click(dialog.getByRole('button', { name: '保存' }))
    await waitFor(() => expect(queued.priority).toBe('high'))
    expect(sent('PATCH', queued.id)?.body).toEqual({
      priority: 'high',
      deadline_at: new Date('2026-12-01T09:30').toISOString(),
    })
    await waitFor(() =>
      expect(screen.getByText('優先度').nextElementSibling).toHaveTextContent('高'),
    )
  })

  it('keeps the seconds of a deadline that is not touched', async () => {
    queued.deadline_at = '2026-12-01T09:30:41Z'
    const { user } = renderApp(`/executions/${queued.id}/summary`)
    await user.click(await screen.findByRole('button', { name: '優先度と期限を変更' }))
    const dialog = within(await screen.findByRole('dialog'))
    await user.click(dialog.getByRole('button', { name: '保存' }))
    await waitFor(() => expect(sent('PATCH', queued.id)?.body).toEqual({ priority: 'normal' }))
  })

  it('does not wait for its next try when somebody asks', async () => {
    Object.assign(queued.queued_reason ?? {}, { code: 'not_yet', until: '2026-12-01T09:30:00Z' })
    const { user } = renderApp(`/executions/${queued.id}/summary`)
    await user.click(await screen.findByRole('button', { name: '今すぐ再試行' }))
    await waitFor(() => expect(sent('PATCH', queued.id)?.body).toEqual({ now: true }))
    await waitFor(() => expect(screen.queryByText('待機している理由')).not.toBeInTheDocument())
  })
})
