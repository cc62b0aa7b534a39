import { screen, waitFor } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { describe, expect, it } from 'vitest'
import { server, standIn } from '../../../test/msw/server'
import { renderApp } from '../../../test/render'

describe('executions', () => {
  it('say why they wait or failed', async () => {
    renderApp('/executions')
    await screen.findByText(/同時実行数の上限に達しています/)
    expect(screen.getByText('Claude API がキーを受け付けませんでした。')).toBeInTheDocument()
  })

  it('are filtered by status, in the address', async () => {
    const { user, address } = renderApp('/executions')
    await screen.findByRole('link', { name: 'Dark mode flickers on first load' })
    await user.click(screen.getByRole('link', { name: '失敗' }))
    await waitFor(() =>
      expect(
        screen.queryByRole('link', { name: 'Dark mode flickers on first load' }),
      ).not.toBeInTheDocument(),
    )
    expect(address()).toBe('/executions?status=failed%2Ctimed_out%2Cbudget_exhausted')
    expect(screen.getByRole('link', { name: '失敗' })).toHaveAttribute('aria-current', 'true')
  })

  it('are filtered by project', async () => {
    const { user, address } = renderApp('/executions')
    await screen.findByRole('option', { name: 'docs-site' })
    await user.selectOptions(screen.getByLabelText('プロジェクト'), 'docs-site')
    await waitFor(() => expect(address()).toBe('/executions?project=docs-site'))
    await waitFor(() =>
      expect(screen.queryByText('クラッシュレポートを Sentry に送る')).not.toBeInTheDocument(),
    )
  })

  describe('when searched', () => {
    /** A server that looks at one execution for each request: `pages` of them, the last has the hit. */
    const searching = (pages: number) => {
      const hit = standIn().world.executions[0]
      const asked: string[] = []
      server.use(
        http.get('*/api/executions', ({ request }) => {
          const query = new URL(request.url).searchParams
          const at = Number(query.get('cursor') ?? 0)
          asked.push(query.get('q') ?? '')
          const last = at + 1 >= pages
          return HttpResponse.json({
            items: last ? [hit] : [],
            next_cursor: last ? null : String(at + 1),
          })
        }),
      )
      return { hit, asked }
    }

    it('go on until they are found', async () => {
      const { hit, asked } = searching(7)
      renderApp('/executions?q=needle')
      await screen.findByRole('link', { name: hit?.title })
      expect(asked).toEqual(Array(7).fill('needle'))
    })

    it('stop after a while and say how to go on', async () => {
      const { hit, asked } = searching(25)
      const { user } = renderApp('/executions?q=needle')
      await user.click(await screen.findByRole('button', { name: 'さらに古い実行を検索' }))
      await screen.findByRole('link', { name: hit?.title })
      expect(asked).toHaveLength(25)
    })
  })

  it('never link to what is no web address', async () => {
    const done = standIn().world.executions.find((each) => each.pull_request?.number === 219)
    if (!done) throw new Error('fixtures')
    done.pull_request = { number: 219, url: 'javascript:alert(1)' }
    renderApp('/executions')
    await screen.findByText('#219')
    expect(screen.queryByRole('link', { name: /#219/ })).not.toBeInTheDocument()
  })

  it('link to their pull request in a new tab', async () => {
    renderApp('/executions')
    const link = await screen.findByRole('link', { name: /#219/ })
    expect(link).toHaveAttribute('href', 'https://github.com/medamap/docs-site/pull/219')
    expect(link).toHaveAttribute('rel', expect.stringContaining('noreferrer'))
  })

  it('say what to do while there are none', async () => {
    standIn().world.executions = []
    renderApp('/executions')
    await screen.findByRole('heading', { name: 'まだ実行はありません' })
  })

  it('move with J and K and open with Enter', async () => {
    const { user } = renderApp('/executions')
    const first = await screen.findByRole('link', { name: 'Webhook の署名検証を追加する' })
    const { handleKey } = await import('../../keys/registry')
    handleKey(new KeyboardEvent('keydown', { key: 'j' }), true)
    expect(first).toHaveFocus()
    handleKey(new KeyboardEvent('keydown', { key: 'j' }), true)
    expect(first).not.toHaveFocus()
    handleKey(new KeyboardEvent('keydown', { key: 'k' }), true)
    expect(first).toHaveFocus()
    await user.keyboard('{Enter}')
    await screen.findByRole('heading', { name: /Webhook の署名検証を追加する/ })
  })
})
