/** The stand-in of the API behind fetch. */
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { StandIn } from '../standin/platform'

let current = new StandIn()

export function standIn(): StandIn {
  return current
}

export function resetStandIn(): void {
  current = new StandIn()
}

const answer = http.all('*/api/*', async ({ request }) => {
  const url = new URL(request.url)
  const text = await request.text()
  const reply = current.answer({
    method: request.method,
    path: url.pathname,
    query: url.searchParams,
    body: text ? JSON.parse(text) : undefined,
    headers: Object.fromEntries(
      [...request.headers].map(([name, value]) => [name.toLowerCase(), value]),
    ),
  })
  const body = reply.text ?? (reply.json === undefined ? null : JSON.stringify(reply.json))
  return new HttpResponse(body, {
    status: reply.status,
    headers: { 'Content-Type': 'application/json', ...reply.headers },
  })
})

export const server = setupServer(answer)
