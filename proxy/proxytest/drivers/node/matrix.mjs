// What the Node clients of the matrix share: the environment, a few words to
// say what is expected, and run(), which prints one line for each check:
//
//     ok NAME MILLISECONDS
//     FAIL NAME reason
//     skip NAME reason
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isDeepStrictEqual, inspect } from 'node:util'

const env = process.env
export const host = env.LK_HOST
export const port = Number(env.LK_PORT)
export const user = env.LK_USER
export const slowUser = env.LK_SLOW_USER // its statements are cut off after limit seconds
export const password = env.LK_PASSWORD ?? ''
export const database = env.LK_DB
export const tls = (env.LK_SSLMODE ?? 'disable') !== 'disable'
export const ssl = tls ? { ca: readFileSync(env.LK_CA), rejectUnauthorized: true } : false
export const governed = env.LK_GOVERNED === '1'

export const limit = 2.0 // seconds a statement of slowUser may run
const slack = 3.0 // seconds a busy machine may add: less than the grace before a cancel is repeated
export const largeSQL = "repeat('abcdefgh', 8388608)"
export const largeText = () => 'abcdefgh'.repeat(8388608)
export const oversizeSQL = () => 'select 1 as one /* ' + 'x'.repeat(17 << 20) + ' */'
export const unreadable = governed ? '42501' : '42601' // what cannot be parsed meets every deny rule it might fall under
export const refusal = governed ? 'forbidden is closed here' : 'permission denied'

// The packages lie in the cache, not beside this file.
export const load = createRequire(env.LK_NODE_MODULES + '/')

const order = `connect query bind_types prepared_many copy_in copy_out copy_fail server_cursor pipeline notify
  cancel error error_in_tx refuse refuse_in_tx timeout timeout_in_tx large_result large_bind
  oversize_text kill_reconnect`.split(/\s+/)

export class Skip extends Error {}

export function expect(got, want, what = 'value') {
  if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: got ${short(got)}, want ${short(want)}`)
}

function short(value) {
  const text = inspect(value, { breakLength: Infinity })
  return text.length < 200 ? text : text.slice(0, 200) + '...'
}

// raises wants the promise to fail with a SQLSTATE, and text among its words.
export async function raises(want, promise, text) {
  let err
  try {
    await promise
  } catch (e) {
    err = e
  }
  if (!err) throw new Error(`no error, want ${want}`)
  if (err.code !== want) throw new Error(`SQLSTATE ${err.code}, want ${want}: ${err.message}`)
  if (text && !err.message.includes(text)) throw new Error(`${want} without "${text}": ${err.message}`)
}

// lasts wants act to take about that many seconds.
export async function lasts(want, act) {
  const start = performance.now()
  await act()
  const took = (performance.now() - start) / 1000
  if (took < want - 0.1 || took > want + slack) throw new Error(`took ${took.toFixed(2)} s, want ${want.toFixed(1)} s`)
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

// killBackend ends a backend from beside the door, as an operator at the
// warehouse would.
export function killBackend(pid) {
  execFileSync('psql', ['-XqAt', env.LK_KILL, '-c', `select pg_terminate_backend(${Number(pid)}, 5000)`])
}

export async function run(suite) {
  const wanted = env.LK_CHECKS ? env.LK_CHECKS.split(',') : null
  const own = Object.keys(suite).filter((name) => name.startsWith('x_'))
  let failed = false
  for (const name of [...order, ...own]) {
    if (wanted && !wanted.includes(name)) continue
    const start = performance.now()
    try {
      if (!suite[name]) throw new Skip('the driver has none')
      await within(60, suite[name]())
      console.log('ok', name, Math.round(performance.now() - start))
    } catch (err) {
      if (err instanceof Skip) {
        console.log('skip', name, err.message)
        continue
      }
      failed = true
      if (env.LK_TRACE) console.error(err)
      console.log('FAIL', name, `${err.name}: ${err.message}`.replace(/\s+/g, ' ').slice(0, 400))
    }
  }
  process.exit(failed ? 1 : 0)
}

function within(seconds, promise) {
  let timer
  const late = new Promise((_, no) => {
    timer = setTimeout(() => no(new Error(`not done after ${seconds} s`)), seconds * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
