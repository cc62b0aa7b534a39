// What the browser has to fetch, against budget.json. Sizes are of the compressed files beside each
// asset, so this runs after tools/precompress.mjs.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = process.argv[2] ?? `${root}/dist`
const budget = JSON.parse(readFileSync(`${root}/budget.json`, 'utf8'))
const chunks = JSON.parse(readFileSync(`${root}/node_modules/.cache/build.json`, 'utf8'))
const byFile = new Map(chunks.map((chunk) => [chunk.file, chunk]))

let failed = false
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`

function check(name, bytes, fail, warn = fail) {
  const word = bytes > fail ? 'FAIL' : bytes > warn ? 'warn' : 'ok'
  if (word === 'FAIL') failed = true
  console.log(`${word.padEnd(5)}${name.padEnd(58)}${kib(bytes).padStart(10)} of ${kib(fail)}`)
}

function size(file, suffix) {
  const packed = `${dist}/${file}${suffix}`
  return statSync(existsSync(packed) ? packed : `${dist}/${file}`).size
}

/** A chunk and everything it imports statically. */
function graph(file, seen = new Set()) {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const next of byFile.get(file)?.imports ?? []) graph(next, seen)
  return seen
}

const fileOf = (page) => {
  const chunk = chunks.find((each) => each.page === page)
  if (!chunk) throw new Error(`no chunk for ${page}`)
  return chunk.file
}
const entry = chunks.find((chunk) => chunk.entry).file
const language = ['ja', 'en']
  .map((name) => fileOf(`src/i18n/${name}.json`))
  .sort((a, b) => size(b, '.gz') - size(a, '.gz'))[0]

for (const page of budget.initial.pages) {
  const files = [...new Set([...graph(entry), ...graph(fileOf(page)), ...graph(language)])]
  const sum = (suffix) => files.reduce((total, file) => total + size(file, suffix), 0)
  const { gzip, brotli } = budget.initial
  check(`initial JS, gzip: ${page}`, sum('.gz'), gzip.fail, gzip.warn)
  check(`initial JS, brotli: ${page}`, sum('.br'), brotli.fail, brotli.warn)
  for (const { id } of files.flatMap((file) => byFile.get(file).modules)) {
    const wrong = budget.forbiddenInInitial.find((name) => id.includes(`node_modules/${name}`))
    if (!wrong) continue
    failed = true
    console.log(`FAIL ${wrong} is in the first view of ${page}: ${id}`)
  }
}

const assets = readdirSync(`${dist}/assets`)
const css = assets.filter((file) => file.endsWith('.css'))
check(
  'CSS, gzip',
  css.reduce((n, file) => n + size(`assets/${file}`, '.gz'), 0),
  budget.css.gzip,
)
check('index.html', statSync(`${dist}/index.html`).size, budget.html.raw)

const initial = graph(entry)
const scripts = assets.filter((file) => file.endsWith('.js')).map((file) => `assets/${file}`)
for (const file of scripts) {
  const bytes = size(file, '.gz')
  if (!initial.has(file) && bytes > 8192) check(`lazy chunk ${file}`, bytes, budget.lazyChunk.gzip)
}
check(
  'all JS, gzip',
  scripts.reduce((n, file) => n + size(file, '.gz'), 0),
  budget.total.gzip,
)

process.exit(failed ? 1 : 0)
