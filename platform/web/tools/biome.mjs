// Runs Biome from its platform package. The umbrella package is not used: it names packages for systems we do not
// build on, and a registry that lacks one of them makes `npm ci` refuse the whole lock file.
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const program = path.resolve(
  import.meta.dirname,
  `../node_modules/@biomejs/cli-linux-${process.arch}/biome`,
)
const { status, error } = spawnSync(program, process.argv.slice(2), { stdio: 'inherit' })
if (error) console.error(`biome: ${error.message}`)
process.exit(status ?? 1)
