import { screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { standIn } from '../../../test/msw/server'
import { renderApp } from '../../../test/render'
import { makeProject } from '../../../test/standin/fixtures'
import { problem } from '../../../test/standin/platform'

describe('projects', () => {
  it('show status in words, counts and the last run', async () => {
    renderApp('/projects')
    const row = (await screen.findByRole('link', { name: 'mobile-app' })).closest('tr')
    expect(row).toHaveTextContent('設定エラー')
    expect(row).toHaveTextContent('medamap/mobile-app')
    expect(within(row as HTMLElement).getByText('失敗')).toBeInTheDocument()
  })

  it('say what to do while there are none', async () => {
    standIn().world.projects = []
    renderApp('/projects')
    await screen.findByRole('heading', { name: 'まだプロジェクトはありません' })
    expect(screen.getAllByRole('link', { name: /新規プロジェクト/ })[0]).toHaveAttribute(
      'href',
      '/projects/new',
    )
  })

  it('are filtered by what is typed, in the address', async () => {
    const { user, address } = renderApp('/projects')
    await screen.findByRole('link', { name: 'mobile-app' })
    await user.type(screen.getByRole('searchbox', { name: '名前・リポジトリで絞り込み' }), 'docs')
    await waitFor(() => expect(address()).toBe('/projects?q=docs'))
    await waitFor(() =>
      expect(screen.queryByRole('link', { name: 'mobile-app' })).not.toBeInTheDocument(),
    )
    expect(screen.getByRole('link', { name: 'docs-site' })).toBeInTheDocument()
  })

  it('offer to clear filters that match nothing', async () => {
    const { user, address } = renderApp('/projects?q=zzz')
    await screen.findByRole('heading', { name: '条件に合うものがありません' })
    await user.click(screen.getByRole('link', { name: '絞り込みを解除' }))
    await screen.findByRole('link', { name: 'mobile-app' })
    expect(address()).toBe('/projects')
  })

  it('are paged there and back', async () => {
    standIn().world.projects = Array.from({ length: 70 }, (_, i) => makeProject({ id: `p${i}` }))
    const { user } = renderApp('/projects')
    await screen.findByRole('link', { name: 'p0' })
    await user.click(screen.getByRole('button', { name: '次のページ' }))
    await screen.findByRole('link', { name: 'p69' })
    await user.click(screen.getByRole('button', { name: '前のページ' }))
    await screen.findByRole('link', { name: 'p0' })
  })

  it('say what failed, with the request id, and try again', async () => {
    standIn().plan('GET', '/api/projects', problem(503, 'unavailable', 'Busy'))
    const { user } = renderApp('/projects')
    const alert = await screen.findByRole('alert')
    expect(alert).toHaveTextContent('現在は処理できません')
    expect(alert).toHaveTextContent('01JDREQUEST000000000000001')
    standIn().planned.clear()
    await user.click(within(alert).getByRole('button', { name: 'もう一度試す' }))
    await screen.findByRole('link', { name: 'mobile-app' })
  })

  it('cannot be made by a viewer', async () => {
    standIn().user = standIn().makeUser('guest', 'viewer', 'ja')
    renderApp('/projects')
    await screen.findByRole('link', { name: 'mobile-app' })
    expect(screen.queryByRole('link', { name: /新規プロジェクト/ })).not.toBeInTheDocument()
  })
})
