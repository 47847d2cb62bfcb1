// Reads the built manifest and fails when a page asks for too much JavaScript on
// its first load. The sizes are gzip, in KB of 1000 bytes.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
const manifest = JSON.parse(readFileSync(dist + '.vite/manifest.json', 'utf8'))
const size = (file) => gzipSync(readFileSync(dist + file), { level: 9 }).length

/** A chunk with all that it imports at once. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key]?.imports ?? []) closure(next, seen)
  return seen
}
const chunk = (name) => Object.keys(manifest).find((k) => k.endsWith(name)) ?? fail(`no chunk for ${name} in the manifest`)
const total = (...keys) => {
  const all = new Set()
  for (const k of keys) for (const x of closure(k)) all.add(manifest[x].file)
  return [...all].filter((f) => f.endsWith('.js')).reduce((n, f) => n + size(f), 0)
}
function fail(text) {
  console.error(text)
  process.exit(1)
}

const entry = chunk('index.html')
const page = (name) => total(entry, chunk(`src/pages/${name}.tsx`))
const run = chunk('src/pages/RunPage.tsx')
const query = chunk('src/pages/QueryPage.tsx')
const editor = chunk('src/editor/create.ts')
const chart = [chunk('src/chart/ChartPanel.tsx'), chunk('src/chart/Drawing.tsx')]
const rows = [
  ['sign-in (entry)', total(entry), 240], ['/ home', page('Home'), 450], ['/r table', page('RunPage'), 240], ['/r chart', total(entry, run, ...chart), 450], ['/new, /d, /q', total(entry, query, editor), 420], ['/q on a chart', total(entry, query, ...chart), 450],
  ['/library', page('Library'), 450], ['/history', page('History'), 450], ['/connect', page('Connect'), 450], ['/people', page('People'), 450],
  ['chart chunks', total(entry, run, ...chart) - total(entry, run), 230],
]
let over = false
for (const [name, bytes, limit] of rows) {
  const kb = bytes / 1000
  if (kb > limit) over = true
  console.log(`${name.padEnd(18)} ${kb.toFixed(1).padStart(7)} KB of ${limit}${kb > limit ? '  OVER' : ''}`)
}
if (over) fail('over budget')
// The formatter must stay out of every first load.
const eager = [entry, ...Object.keys(manifest).filter((k) => k.startsWith('src/pages/'))]
// So must the editor out of a query that opens on its chart.
if ([entry, query, ...chart].some((k) => [...closure(k)].some((x) => /codemirror/.test(x) || x === editor))) fail('the editor is loaded at once')
if (eager.some((k) => [...closure(k)].some((x) => /sql-formatter/.test(x) || /sql-formatter/.test(manifest[x].file)))) fail('the formatter is loaded at once')
