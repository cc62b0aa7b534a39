// Writes FILE.br and FILE.gz beside every text file of a folder, where they are smaller.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const folder = process.argv[2] ?? 'dist'
const texts = /\.(js|css|html|svg|json|txt)$/
const least = 256

const brotli = (body) =>
  brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !texts.test(entry.name)) continue
  const file = join(entry.parentPath, entry.name)
  const body = readFileSync(file)
  if (body.length < least) continue
  for (const [suffix, pack] of [
    ['.br', brotli],
    ['.gz', (bytes) => gzipSync(bytes, { level: 9 })],
  ]) {
    const packed = pack(body)
    if (packed.length < body.length) writeFileSync(file + suffix, packed)
  }
}
