// The life of runs in the mock: what the SQL says decides what happens.
import { iso, me, newId, now, shapes } from './data.mjs'

export const runs = new Map()
export const changed = new Set() // callbacks at every change

const sqlDaily = `-- enrolments by day and channel
select day, channel, sum(enrolments) as enrolments, sum(revenue) as revenue
from analytics.v_daily
where day >= :since
group by 1, 2
order by 1, 2`
const sqlEnrol = `select *
from fact_enroll
where enrolled_at >= '2026-08-01'`

export function touch(run) {
  run.version++
  for (const f of changed) f(run)
}

/** What a statement comes to, read off its words. */
function outcome(sql) {
  const s = sql.toLowerCase()
  if (/\bslow\b|\bqueue\b|\btempted\b/.test(s)) return { wait: true, shape: 'enrol', rows: 182334 }
  if (/\b(update|insert|delete|create)\b/.test(s)) return { tag: 'UPDATE 12' }
  if (/\bzero\b/.test(s)) return { shape: 'daily', rows: 0 }
  if (/\bhuge\b/.test(s)) return { shape: 'enrol', rows: 10_000_000 }
  if (/\bwide\b/.test(s)) return { shape: 'wide', rows: 5000 }
  if (/\bcapped\b/.test(s)) return { shape: 'enrol', rows: 100000, truncated: { by: 'max_rows', limit: 100000 } }
  if (/\bone\b|count\(\*\)/.test(s)) return { shape: 'one', rows: 1 }
  if (/v_daily/.test(s)) return { shape: 'daily', rows: 240 }
  return { shape: 'enrol', rows: 182334 }
}

const codePoints = (s) => [...s].length

/** The statements of a text, well enough for a mock: cut at semicolons. */
function pieces(sql) {
  const out = []
  let from = 0
  for (const part of sql.split(';')) {
    const lead = part.length - part.trimStart().length
    const body = part.trim()
    if (body) out.push({ body, start: from + lead })
    from += part.length + 1
  }
  return out
}

function statements(sql) {
  return pieces(sql).map(({ body, start }, index) => {
    const o = outcome(body)
    const bad = /\bselct\b|no_such/.exec(body)
    const from = codePoints(sql.slice(0, start))
    const st = {
      index, kind: body.split(/\s+/)[0].toLowerCase(), range: [from, from + codePoints(body)], state: 'pending', result: null, error: null,
      notices: /notice/.test(body) ? [{ severity: 'NOTICE', message: 'the lock of <b>etl</b> was waited for', detail: null, hint: 'nothing to do' }] : [],
      outcome: o,
    }
    if (bad) {
      const at = start + bad.index
      const before = sql.slice(0, at)
      st.failure = {
        code: 'sql-error', sqlstate: bad[0] === 'selct' ? '42601' : '42P01', message: bad[0] === 'selct' ? 'syntax error at or near "selct"' : 'relation "no_such" does not exist',
        detail: null, hint: bad[0] === 'selct' ? null : 'Did you mean "fact_enroll"?', statement: index, retriable: false,
        position: { offset: codePoints(before), line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') },
      }
    }
    return st
  })
}

const result = (o) => o.tag
  ? { row_count: 0, bytes: 0, columns: [], command_tag: o.tag, truncated: null, formats: [] }
  : { row_count: o.rows, bytes: o.rows * 70, columns: shapes[o.shape].columns, command_tag: `SELECT ${o.rows}`, truncated: o.truncated ?? null, formats: ['csv', 'tsv', 'json', 'ndjson', 'xlsx', 'parquet'] }

export function makeRun(body, over = {}) {
  const id = over.id ?? newId('r')
  const run = {
    id, url: `http://127.0.0.1:8099/r/${id.slice(2)}`, state: 'queued', target: 'warehouse', access: body.access ?? 'read_only', multi: !!body.multi, via: over.via ?? 'web',
    title: body.title ?? '', urgency: 'interactive', keep: body.keep ?? false, tags: {}, submitter: over.submitter ?? { id: me.id, kind: 'person', login: me.login, name: me.name, on_behalf_of: null },
    sql: body.sql, params: body.params ?? [], query: body.query ?? null,
    times: { submitted: iso(over.at ?? now()), started: null, finished: null }, elapsed_ms: 0, queue_ms: 0,
    wait: { reason: 'starting', position: null, ahead: null, class: 'interactive', detail: '', eta_ms: null }, progress: null,
    statements: statements(body.sql), error: null, cancel: null, open_transaction: false, pinned: false, deleted: false,
    expires_at: iso(now() + 90 * 86400e3), rows_expired: false, viewers_only: null,
    can: { cancel: true, delete: true, pin: true, share: true, rows: true, sql: true }, version: 1, viewers: [],
  }
  runs.set(id, run)
  return run
}

function finishStatement(run, st) {
  if (st.failure) {
    st.state = 'failed'
    st.error = run.error = st.failure
    for (const later of run.statements.slice(st.index + 1)) later.state = 'skipped'
    return false
  }
  st.state = 'succeeded'
  st.result = result(st.outcome)
  return true
}

export function settle(run, state, at = now()) {
  if (['succeeded', 'failed', 'canceled'].includes(run.state)) return
  run.state = state
  run.wait = run.progress = null
  run.times.started ??= iso(at)
  run.times.finished = iso(at)
  run.elapsed_ms = Date.parse(run.times.finished) - Date.parse(run.times.started)
  touch(run)
}

/** Lives the run in real time. */
export function live(run) {
  const waits = run.statements.some((s) => s.outcome.wait)
  const later = (ms, f) => setTimeout(() => { if (!['succeeded', 'failed', 'canceled'].includes(run.state)) f() }, ms).unref()
  const start = () => {
    run.state = 'running'
    run.times.started = iso(now())
    run.queue_ms = now() - Date.parse(run.times.submitted)
    run.wait = null
    run.progress = { rows: 0, bytes: 0, elapsed_ms: 0, phase: 'running' }
    if (run.statements[0]) run.statements[0].state = 'running'
    touch(run)
    later(waits ? 60000 : 120, () => {
      let good = true
      for (const st of run.statements) if (!(good = finishStatement(run, st))) break
      settle(run, good ? 'succeeded' : 'failed')
    })
  }
  if (!waits) return later(60, start)
  run.wait = { reason: 'throttle', position: 7, ahead: 6, class: 'interactive', detail: 'interactive is limited to 4 by ops until 15:00Z: loads are catching up', eta_ms: 42000 }
  for (let p = 6; p >= 1; p--) later((7 - p) * 4000, () => { run.wait = { ...run.wait, position: p, ahead: p - 1, eta_ms: p * 6000 }; touch(run) })
  later(28000, start)
}

/** A finished run of the past. */
export function past(body, minutesAgo, over = {}) {
  const at = now() - minutesAgo * 60e3
  const run = makeRun(body, { ...over, at })
  run.times.started = iso(at + 400)
  let good = true
  for (const st of run.statements) if (!(good = finishStatement(run, st))) break
  run.state = over.state ?? (good ? 'succeeded' : 'failed')
  run.wait = null
  run.queue_ms = 400
  run.elapsed_ms = over.took ?? 8200
  run.times.finished = iso(at + 400 + run.elapsed_ms)
  Object.assign(run, over.set ?? {})
  return run
}

export function seed() {
  const bo = { id: 'p_0B00000000000000', kind: 'person', login: 'bo', name: 'Bo Lindqvist', on_behalf_of: null }
  const since = [{ name: 'since', type: 'date', value: '2026-08-01' }]
  past({ sql: sqlDaily, title: 'Enrolments by channel', params: since, query: { id: 'q_DA11Y00000000000', version: 3, title: 'Enrolments by channel' } }, 12, { id: 'r_DA11Y00000000000' })
  past({ sql: sqlEnrol, title: 'All enrolments since August' }, 48, { id: 'r_ENR0100000000000', took: 12400 })
  past({ sql: 'select * from huge' }, 70, { id: 'r_HVGE000000000000', took: 64000 })
  past({ sql: 'select * from capped' }, 90, { id: 'r_CAPPED0000000000' })
  past({ sql: 'select * from wide' }, 95, { id: 'r_W1DE000000000000' })
  past({ sql: 'select * from zero' }, 100, { id: 'r_ZER0000000000000', took: 210 })
  past({ sql: 'select one' , title: 'People this week' }, 110, { id: 'r_0NE0000000000000', took: 95 })
  past({ sql: 'select *\nfrom no_such\nwhere 1 = 1' }, 120, { id: 'r_FA1LED0000000000', took: 40 })
  past({ sql: "update dim_person set country = 'Kenya' where false", access: 'read_write' }, 130, { id: 'r_VPDATE0000000000' })
  past({ sql: 'select 1 from v_daily /* notice */; select one; select * from no_such; select 4', multi: true, title: 'Three of four' }, 140, { id: 'r_MVLT100000000000' })
  past({ sql: sqlEnrol, title: 'Old numbers' }, 60 * 24 * 120, { id: 'r_0LD0000000000000', set: { rows_expired: true, expires_at: iso(now() - 86400e3), can: { cancel: false, delete: true, pin: false, share: false, rows: false, sql: true } } })
  past({ sql: sqlEnrol, title: 'Mistake' }, 60 * 30, { id: 'r_DE1ETED000000000', set: { deleted: true, sql: null, can: { cancel: false, delete: false, pin: false, share: false, rows: false, sql: false } } })
  past({ sql: 'select pg_sleep(900)' }, 150, { id: 'r_CANCE1ED00000000', state: 'canceled', set: { cancel: { by: 'ana', reason: '', at: iso(now() - 9e6) }, error: { code: 'canceled', sqlstate: '57014', message: 'canceling statement due to user request', detail: null, hint: null, position: null, statement: 0, retriable: true } } })
  past({ sql: sqlDaily, title: 'Revenue for the board', params: since }, 300, { id: 'r_B0000000000000AA', submitter: bo, via: 'api', set: { pinned: true, expires_at: null, can: { cancel: false, delete: false, pin: false, share: false, rows: true, sql: true } } })
  const waiting = makeRun({ sql: 'select * from slow' , title: 'Waiting run'}, { id: 'r_WA1T1NG000000000' })
  waiting.wait = { reason: 'throttle', position: 7, ahead: 6, class: 'interactive', detail: 'interactive is limited to 4 by ops until 15:00Z: loads are catching up', eta_ms: 42000 }
  const running = makeRun({ sql: 'select * from slow', title: 'Running run' }, { id: 'r_RVNN1NG000000000' })
  Object.assign(running, { state: 'running', wait: null, times: { ...running.times, started: iso(now()) }, progress: { rows: 120000, bytes: 8400000, elapsed_ms: 4000, phase: 'reading' } })
  running.statements[0].state = 'running'
}
export { sqlDaily, sqlEnrol }
