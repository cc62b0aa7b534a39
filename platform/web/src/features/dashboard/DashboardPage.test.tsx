import { act, screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
import { renderApp } from '../../../test/render'
import { problem } from '../../../test/standin/platform'
import { applyExecution } from '../../realtime/apply'

describe('the dashboard', () => {
  it('puts what needs a person first', async () => {
    renderApp('/')
    const heading = await screen.findByRole('heading', { name: /対応が必要/ })
    expect(heading).toHaveTextContent('4')
    const list = heading.closest('section') as HTMLElement
    expect(within(list).getByRole('link', { name: /回答する: 冪等キー/ })).toBeInTheDocument()
    expect(list).toHaveTextContent('node-osaka-2')
    expect(list).toHaveTextContent('保存されている Claude API キーが受け付けられません。')
  })

  it('follows what begins and ceases to wait', async () => {
    const { store } = renderApp('/')
    await screen.findByRole('link', { name: /回答する: 冪等キー/ })
    const running = standIn().world.executions.find((each) => each.status === 'running')
    const asking = standIn().world.executions.find((each) => each.status === 'waiting_input')
    if (!running || !asking) throw new Error('fixtures')
    const updated_at = new Date().toISOString()
    act(() => applyExecution(store, { ...running, status: 'waiting_input', updated_at }))
    await screen.findByRole('link', { name: /回答する: 決済の再試行/ })
    act(() => applyExecution(store, { ...asking, status: 'succeeded', updated_at }))
    await waitFor(() =>
      expect(screen.queryByRole('link', { name: /回答する: 冪等キー/ })).not.toBeInTheDocument(),
    )
  })

  it('gives the figures of the day', async () => {
    renderApp('/')
    await screen.findByText('$84.71')
    expect(screen.getByText('93.9%')).toBeInTheDocument()
    const waits = screen.getByRole('link', { name: '回答待ち: 2' }).parentElement
    expect(waits).toHaveTextContent('うち制限の解除待ち 1')
  })

  it('offers no first steps while it cannot know that there is nothing', async () => {
    standIn().world.projects = []
    standIn().world.executions = []
    standIn().plan('GET', '/api/stats', problem(503, 'unavailable', 'Busy'))
    renderApp('/')
    await screen.findByRole('alert')
    await screen.findByText('まだ実行はありません')
    expect(screen.queryByRole('heading', { name: /最初のプロジェクト/ })).not.toBeInTheDocument()
  })

  it('shows the first steps while there is nothing', async () => {
    standIn().world.projects = []
    standIn().world.executions = []
    renderApp('/')
    await screen.findByRole('heading', { name: '最初のプロジェクトを作成しましょう' })
    expect(screen.getByRole('link', { name: /新規プロジェクト/ })).toBeInTheDocument()
  })
})
