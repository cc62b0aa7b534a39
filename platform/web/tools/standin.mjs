// The built UI over a stand-in of the API, for looking at pages: `npm run build && npm run standin`.
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const vite = await createServer({ root, server: { middlewareMode: true }, logLevel: 'error' })
const { startStandIn } = await vite.ssrLoadModule('/test/standin/server.ts')
const running = await startStandIn({ root: `${root}/dist`, port: Number(process.env.PORT ?? 3100) })
console.log(`stand-in: ${running.url} (any name, password "correct horse")`)
const target = running.standIn.world.executions.find((each) => each.status === 'running')
setInterval(() => running.addLines(target.id, 3), 500)
