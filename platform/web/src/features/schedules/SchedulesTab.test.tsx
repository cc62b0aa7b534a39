import { screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
import './ScheduleDialog'
import { renderApp } from '../../../test/render'

const sent = (method: string) =>
  standIn().calls.findLast((c) => c.method === method && c.path.includes('/schedules'))

const row = async (name: string) => {
  const found = (await screen.findByText(name)).closest('tr')
  if (!found) throw new Error(name)
  return within(found)
}

describe('schedules', () => {
  it('say when they run, how it went last, and that they are off', async () => {
    renderApp('/projects/payments-api/schedules')
    const nightly = await row('夜間の依存関係更新')
    expect(nightly.getByText('30 2 * * *')).toBeInTheDocument()
    expect(nightly.getByText('Asia/Tokyo')).toBeInTheDocument()
    expect(nightly.getByRole('link')).toHaveAttribute(
      'href',
      expect.stringMatching(/^\/executions\//),
    )
    const weekly = await row('週次の棚卸し')
    expect(weekly.getByText('オフ')).toBeInTheDocument()
    expect(weekly.getByText('Issue #12')).toBeInTheDocument()
    expect(weekly.getByText('前回の実行が続いていたため見送りました')).toBeInTheDocument()
  })

  it('are explained while there are none', async () => {
    standIn().world.schedules = []
    renderApp('/projects/payments-api/schedules')
    await screen.findByText('スケジュールはまだありません')
  })

  it('show their next times as they are typed, and are made', async () => {
    const { user } = renderApp('/projects/payments-api/schedules')
    await user.click(await screen.findByRole('button', { name: 'スケジュールを追加' }))
    const dialog = within(await screen.findByRole('dialog'))
    await waitFor(() => expect(dialog.getAllByRole('listitem')).toHaveLength(5))
    const when = dialog.getByLabelText('時刻')
    await user.clear(when)
    await user.type(when, 'soon')
    await dialog.findByText(/Five fields are needed/)
    await user.click(dialog.getByRole('button', { name: '平日の朝' }))
    await waitFor(() => expect(dialog.getAllByRole('listitem')).toHaveLength(5))
    await user.type(dialog.getByLabelText('名前'), '朝の掃除')
    await user.clear(dialog.getByLabelText('タイムゾーン'))
    await user.type(dialog.getByLabelText('タイムゾーン'), 'Europe/Berlin')
    await user.type(dialog.getByLabelText('件名'), '掃除')
    await user.type(dialog.getByLabelText('依頼内容'), '掃除してください')
    await user.selectOptions(dialog.getByLabelText('優先度'), 'low')
    await user.click(dialog.getByRole('button', { name: '保存' }))
    await row('朝の掃除')
    expect(sent('POST')?.body).toEqual({
      name: '朝の掃除',
      cron: '0 9 * * mon-fri',
      time_zone: 'Europe/Berlin',
      priority: 'low',
      overlap: 'skip',
      missed: 'run_once',
      jitter_seconds: 0,
      issue_number: null,
      title: '掃除',
      prompt: '掃除してください',
    })
  })

  it('say what is wrong when they are not saved', async () => {
    const { user } = renderApp('/projects/payments-api/schedules')
    await user.click(await screen.findByRole('button', { name: '夜間の依存関係更新 を編集' }))
    const dialog = within(await screen.findByRole('dialog'))
    const schedule = standIn().world.schedules[0]
    if (schedule) schedule.version++
    await user.click(dialog.getByRole('button', { name: '保存' }))
    expect(await dialog.findByRole('alert')).toHaveTextContent('スケジュールを保存できませんでした')
  })

  it('are switched off and on, run by hand and deleted', async () => {
    const { user, address } = renderApp('/projects/payments-api/schedules')
    await user.click((await row('夜間の依存関係更新')).getByRole('button', { name: 'オフにする' }))
    await waitFor(() => expect(sent('PUT')?.body).toEqual({ enabled: false }))
    expect(sent('PUT')?.headers['if-match']).toBe('"1"')
    await user.click(await screen.findByRole('button', { name: '週次の棚卸し を削除' }))
    await user.click(
      within(await screen.findByRole('alertdialog')).getByRole('button', { name: '削除する' }),
    )
    await waitFor(() => expect(screen.queryByText('週次の棚卸し')).not.toBeInTheDocument())
    await user.click((await row('夜間の依存関係更新')).getByRole('button', { name: '今すぐ実行' }))
    await waitFor(() => expect(address()).toMatch(/^\/executions\//))
  })

  it('are only looked at by viewers', async () => {
    standIn().user = standIn().makeUser('guest', 'viewer', 'ja')
    renderApp('/projects/payments-api/schedules')
    const nightly = await row('夜間の依存関係更新')
    expect(nightly.getByRole('button', { name: /今すぐ実行/ })).toHaveAttribute(
      'aria-disabled',
      'true',
    )
    expect(screen.queryByRole('button', { name: /を削除/ })).not.toBeInTheDocument()
  })
})
