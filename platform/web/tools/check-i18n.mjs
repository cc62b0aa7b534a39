// The two languages have the same keys and placeholders, every key is used, every used key exists, and
// no text for people stands in the source. No form leaves its complaints to the browser.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const src = fileURLToPath(new URL('../src', import.meta.url))
const read = (language) => JSON.parse(readFileSync(`${src}/i18n/${language}.json`, 'utf8'))
const ja = read('ja')
const en = read('en')
const problems = []

const forms = (text) => (typeof text === 'string' ? [text] : [text.one, text.other])
const placeholders = (text) =>
  [...new Set(forms(text).flatMap((form) => [...form.matchAll(/\{(\w+)\}/g)].map((m) => m[1])))]
    .sort()
    .join(',')

for (const key of new Set([...Object.keys(ja), ...Object.keys(en)])) {
  if (!(key in ja)) problems.push(`${key}: missing in ja.json`)
  else if (!(key in en)) problems.push(`${key}: missing in en.json`)
  else if (placeholders(ja[key]) !== placeholders(en[key]))
    problems.push(`${key}: {${placeholders(ja[key])}} in ja, {${placeholders(en[key])}} in en`)
}
for (const [name, texts] of Object.entries({ ja, en })) {
  for (const [key, text] of Object.entries(texts))
    if (forms(text).some((form) => !form || form.trim() !== form))
      problems.push(`${key}: empty or padded in ${name}.json`)
  const keys = Object.keys(texts)
  if (keys.join() !== [...keys].sort().join()) problems.push(`${name}.json is not sorted`)
}

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test\./.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !file.endsWith('schema.d.ts'))

const used = new Set()
const prefixes = new Set()
const japanese = /[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]/
for (const file of files) {
  const text = readFileSync(file, 'utf8')
  for (const match of text.matchAll(/['"]([a-z]+(?:\.[A-Za-z_]+)+)['"]/g)) used.add(match[1])
  for (const match of text.matchAll(/`([a-z]+(?:\.[a-z_]+)*\.)\$\{/g)) prefixes.add(match[1])
  for (const [form] of text.matchAll(/<form\b[\s\S]*?>\n/g))
    if (!form.includes('noValidate'))
      problems.push(
        `${file}: a form without noValidate: the browser would complain in its language`,
      )
  text.split('\n').forEach((line, i) => {
    const code = line.replace(/^\s*(\/\/|\*|\/\*).*$/, '')
    const allowed = /日本語|'[日分秒時間]+'/.test(code)
    if (japanese.test(code) && !allowed)
      problems.push(`${file}:${i + 1}: Japanese text in the source`)
  })
}
for (const key of Object.keys(ja)) {
  const byPrefix = [...prefixes].some((prefix) => key.startsWith(prefix))
  if (!used.has(key) && !byPrefix) problems.push(`${key}: not used`)
}
for (const problem of problems) console.error(problem)
console.log(`${Object.keys(ja).length} texts, ${problems.length} problems`)
process.exit(problems.length > 0 ? 1 : 0)
