// Colours have values in tokens.css only, every token that is used exists, and both themes set the same.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const src = fileURLToPath(new URL('../src', import.meta.url))
const tokens = readFileSync(`${src}/design/tokens.css`, 'utf8')
const problems = []

const names = (text) => new Set([...text.matchAll(/^\s*(--[\w-]+):/gm)].map((match) => match[1]))
const [light, dark, shared] = tokens.split(/^\}$/m).map(names)
for (const name of light) if (!dark.has(name)) problems.push(`${name}: not in the dark theme`)
for (const name of dark) if (!light.has(name)) problems.push(`${name}: not in the light theme`)
const known = new Set([...light, ...dark, ...shared])
/** Set by components on their own elements. */
const local = new Set(['--tone', '--tone-soft', '--log-digits', '--log-shift', '--log-height'])

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(css|tsx?)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !file.endsWith('tokens.css') && !/\.test\./.test(file))
for (const file of files) {
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, i) => {
      const where = `${file}:${i + 1}`
      if (
        /#[0-9a-f]{3,8}\b(?!['"]?\s*\])/i.test(line) &&
        /:\s*['"]?#|\(#|\s#[0-9a-f]{6}/i.test(line)
      )
        problems.push(`${where}: a colour outside tokens.css`)
      if (/\b(?:rgb|hsl)a?\(/.test(line)) problems.push(`${where}: a colour outside tokens.css`)
      for (const [, name] of line.matchAll(/var\((--[\w-]+)/g))
        if (!known.has(name) && !local.has(name)) problems.push(`${where}: ${name} is no token`)
    })
}
for (const problem of problems) console.error(problem)
console.log(`${known.size} tokens, ${problems.length} problems`)
process.exit(problems.length > 0 ? 1 : 0)
