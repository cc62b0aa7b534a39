// Pictures of every page: `npm run build && node tools/shots.mjs OUT [names…]`
// THEMES, LANGUAGES, WIDTHS narrow it down (comma-separated).
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const [out = '/tmp/poppo-shots', ...only] = process.argv.slice(2)
const list = (name, fallback) => (process.env[name] ?? fallback).split(',')
const vite = await createServer({ root, server: { middlewareMode: true }, logLevel: 'error' })
const { takeShots } = await vite.ssrLoadModule('/test/visual/shots.ts')
const complaints = await takeShots({
  root: `${root}/dist`,
  out,
  only: only.length > 0 ? only : undefined,
  themes: list('THEMES', 'light,dark'),
  languages: list('LANGUAGES', 'ja,en'),
  widths: list('WIDTHS', '1440,390').map(Number),
})
for (const complaint of complaints) console.error(complaint)
await vite.close()
process.exit(complaints.length > 0 ? 1 : 0)
