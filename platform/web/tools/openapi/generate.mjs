// openapi.yaml -> src/api/schema.d.ts. `--check` compares instead of writing (a test in CI).
// Its packages live in this folder: run `npm ci` here once.
import { readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../../../server/api/openapi.yaml', import.meta.url)
const target = new URL('../../src/api/schema.d.ts', import.meta.url)
const header = '// Made from platform/server/api/openapi.yaml by `npm run codegen`. Do not edit.\n'

const made = header + astToString(await openapiTS(source, { defaultNonNullable: false }))
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== made) {
    console.error('src/api/schema.d.ts is older than openapi.yaml: run `npm run codegen`')
    process.exit(1)
  }
} else {
  writeFileSync(target, made)
}
