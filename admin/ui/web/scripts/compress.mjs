// Writes a .gz beside each script and stylesheet, so that the server compresses nothing.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const assets = fileURLToPath(new URL('../../dist/assets/', import.meta.url))
for (const name of readdirSync(assets)) {
  if (/\.(js|css)$/.test(name)) writeFileSync(assets + name + '.gz', gzipSync(readFileSync(assets + name), { level: 9 }))
}
