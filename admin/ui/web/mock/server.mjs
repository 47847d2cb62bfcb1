// A mock of the office for looking at the page: it speaks the contract of /api/v1,
// serves ../dist with the real Content-Security-Policy, and plays all states.
//
//   node mock/server.mjs [port]
//
// A cookie "mock" chooses the world: empty, error, slow, signedout, member, nostream.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { breach } from './contract.mjs'
import { aggregate, completions, iso, me, newId, now, shapes, view } from './data.mjs'
import { changed, live, makeRun, runs, seed, settle, sqlDaily, touch } from './runs.mjs'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const routes = []
const route = (method, path, handler) => {
  const names = []
  const pattern = new RegExp('^' + path.replace(/\{(\w+)\}/g, (_, n) => (names.push(n), '([^/]+)')) + '$')
  routes.push({ method, pattern, names, handler })
}

class Refusal extends Error {
  constructor(status, code, title, extra = {}) {
    super(title)
    Object.assign(this, { status, code, extra })
  }
}
const missing = () => new Refusal(404, 'not-found', "This doesn't exist or isn't open to you.")
const find = (map, id) => map.get(id) ?? (() => { throw missing() })()
const list = (items, q) => {
  const limit = Math.min(Number(q.get('limit') ?? 50), 200)
  const from = Number(q.get('cursor') ?? 0)
  return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null }
}

// --- the world
seed()
const queries = new Map()
const versions = new Map()
function addQuery(q) {
  const full = {
    id: newId('q'), title: '', description: '', sql: '', params: [], chart: null, tags: [], team: null, draft: false, target: 'warehouse',
    owner: { id: me.id, login: me.login, name: me.name }, version: 1, rev: 1, starred: false, working: null, last_run: null, runs_30d: 0, released: [],
    created: iso(now() - 9e8), updated: iso(now() - 4e7), can: { edit: true, delete: true, run: true }, ...q,
  }
  queries.set(full.id, full)
  versions.set(full.id, [{ version: full.version, sql: full.sql, params: full.params, chart: full.chart, by: full.owner, at: full.updated, title: full.title }])
  return full
}
const bo = { id: 'p_0B00000000000000', login: 'bo', name: 'Bo Lindqvist' }
addQuery({ id: 'q_DA11Y00000000000', title: 'Enrolments by channel', sql: sqlDaily, params: [{ name: 'since', type: 'date', default: '2026-08-01' }], tags: ['growth', 'weekly'], team: 'growth', version: 3, starred: true, runs_30d: 41, last_run: { id: 'r_DA11Y00000000000', state: 'succeeded', at: iso(now() - 7e5) } })
versions.set('q_DA11Y00000000000', [3, 2, 1].map((v) => ({ version: v, sql: v === 3 ? sqlDaily : sqlDaily.replace(', sum(revenue) as revenue', '').replace('order by 1, 2', v === 1 ? '' : 'order by 1'), params: [], chart: null, by: v === 1 ? bo : { login: 'ana', name: 'Ana Sousa' }, at: iso(now() - v * 9e7), title: 'Enrolments by channel' })))
const names = ['Refunds over 100', 'Active people per week', 'Courses without a launch date', 'Revenue by country', 'Late loads', 'Mail campaign lift', 'Seats left', 'Duplicate emails', 'Retention after 30 days', 'Top universities']
names.forEach((title, i) => addQuery({ title, sql: `select * from fact_refund where amount > ${i * 10}`, owner: i % 3 ? bo : { id: me.id, login: 'ana', name: 'Ana Sousa' }, tags: [['growth', 'finance', 'quality'][i % 3]], team: i % 2 ? 'growth' : null, runs_30d: (i * 17) % 60, starred: i === 3, updated: iso(now() - i * 8.6e7), last_run: i % 4 ? { id: 'r_DA11Y00000000000', state: i % 5 === 0 ? 'failed' : 'succeeded', at: iso(now() - i * 5e6) } : null, can: { edit: i % 3 === 0, delete: i % 3 === 0, run: true } }))
addQuery({ id: 'q_DRAFT00000000000', draft: true, title: '', sql: "select channel, count(*)\nfrom fact_enroll e\nwhere e.enrolled_at >= :since\ngroup by 1;\n\nselect * from dim_course limit 10;\n", working: { sql: "select channel, count(*)\nfrom fact_enroll e\nwhere e.enrolled_at >= :since\ngroup by 1;\n\nselect * from dim_course limit 10;\n", params: [{ name: 'since', type: 'date', default: '2026-09-01' }], chart: null, at: iso(now() - 60e3) } })
addQuery({ draft: true, title: 'refund check', sql: 'select * from fact_refund', working: { sql: 'select * from fact_refund', params: [], chart: null, at: iso(now() - 36e5) } })

const tokens = [{ id: newId('k'), name: 'nightly report', scopes: ['runs:read', 'runs:write'], queries: [], service: null, created: iso(now() - 9e8), expires_at: iso(now() + 9e9), last_used: iso(now() - 4e6) }]
const passwords = [{ id: newId('d'), tool: 'DBeaver', login: 'ana', created: iso(now() - 9e6), expires_at: iso(now() + 3e7), last_used: iso(now() - 1e6) }]
const people = [
  { id: me.id, login: 'ana', name: 'Ana Sousa', email: 'ana@example.com', teams: ['growth', 'data-platform'], disabled: false, admin: true, last_seen: iso(now() - 6e4) },
  { id: bo.id, login: 'bo', name: 'Bo Lindqvist', email: 'bo@example.com', teams: ['growth'], disabled: false, last_seen: iso(now() - 9e6) },
  { id: newId('p'), login: 'chidi', name: 'Chidi Okafor', email: 'chidi@example.com', teams: [], disabled: true, last_seen: null },
]
const teams = [{ id: newId('t'), name: 'growth', members: ['ana', 'bo'] }, { id: newId('t'), name: 'data-platform', members: ['ana'] }]
const services = [{ id: newId('s'), name: 'experiments', team: 'growth', description: 'Reads results of A/B tests' }]
const grants = [{ id: newId('g'), principal: { id: teams[0].id, name: 'growth', kind: 'team' }, target: 'warehouse', role: 'member', warehouse_login: 'lk_growth' }, { id: newId('g'), principal: { id: me.id, login: 'ana', kind: 'person' }, target: 'warehouse', role: 'admin', warehouse_login: 'lk_admin' }]
let seen = []
tokens.push({ id: newId('k'), name: 'weekly mail', scopes: ['queries:run'], queries: [{ id: 'q_DA11Y00000000000', version: 1 }], service: services[0].id, created: iso(now() - 9e8), expires_at: iso(now() + 9e9), last_used: null })
queries.get('q_DA11Y00000000000').released = [{ service: services[0].id, version: 2, by: 'ana', at: iso(now() - 5e8) }]
addQuery({ id: 'q_CHART00000000000', title: 'Revenue by channel, charted', sql: sqlDaily, params: [{ name: 'since', type: 'date', default: '2026-08-01' }, { name: 'channel', type: 'text', default: 'mail', choices: ['search', 'direct', 'mail', 'partner'] }], chart: { v: 1, type: 'bar', x: 'channel', y: [{ col: 'revenue', agg: 'sum' }], sort: 'x', nulls: 'gap', limit_series: 20 }, version: 2, last_run: { id: 'r_DA11Y00000000000', state: 'succeeded', at: iso(now() - 7e5) } })

// --- session
route('GET', '/session', ({ world }) => ({ signed_in: world !== 'signedout', methods: { password: true, oidc: { name: 'Example ID' }, header: false }, external_url: 'http://127.0.0.1:8099' }))
route('POST', '/session', ({ body, res }) => {
  if (body.password === 'slow') throw new Refusal(429, 'rate-limited', 'Too many attempts.')
  if (body.password !== 'open sesame') throw new Refusal(401, 'unauthenticated', 'Login or password is wrong.')
  res.setHeader('Set-Cookie', 'mock=; Path=/; Max-Age=0')
  return me
})
route('POST', '/session/link', ({ body, res }) => {
  if (body.token !== 'GOOD') throw new Refusal(401, 'unauthenticated', 'This link was used or is too old.')
  res.setHeader('Set-Cookie', 'mock=; Path=/; Max-Age=0')
  return me
})
route('DELETE', '/session', ({ res }) => { res.setHeader('Set-Cookie', 'mock=signedout; Path=/') })
route('GET', '/me', ({ world }) => {
  if (world === 'member') return { ...me, admin: false, roles: { warehouse: 'member' } }
  if (world === 'notarget') return { ...me, targets: [] }
  return me
})
route('PUT', '/me/password', () => undefined)
route('GET', '/targets', () => me.targets)

// --- runs
const terminal = (run) => ['succeeded', 'failed', 'canceled'].includes(run.state)
const shown = (run) => {
  const { viewers: _, ...rest } = run
  if (run.state === 'running' && run.times.started) {
    rest.elapsed_ms = now() - Date.parse(run.times.started)
    if (rest.progress) rest.progress = { ...rest.progress, elapsed_ms: rest.elapsed_ms }
  }
  return { ...rest, statements: run.statements.map(({ outcome: _o, failure: _f, ...st }) => st) }
}
function settled(run, req, since) {
  const wanted = /wait=(\d+)/.exec(req.headers.prefer ?? '')
  const ms = wanted ? Math.min(Number(wanted[1]), 55) * 1000 : 0
  if (terminal(run) || ms === 0 || (since !== null && since !== run.version)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => { changed.delete(check); clearTimeout(timer); resolve() }
    const check = (r) => { if (r === run && (terminal(run) || since !== null)) done() }
    const timer = setTimeout(done, ms)
    changed.add(check)
    req.on('close', done)
  })
}
async function start(ctx, body) {
  if (!body.sql?.trim()) throw new Refusal(422, 'bad-request', 'There is no SQL in it.', { detail: 'Write a statement.' })
  const run = makeRun(body)
  if (!body.multi && run.statements.length > 1) throw new Refusal(422, 'multiple-statements', 'Several statements need multi.')
  live(run)
  await settled(run, ctx.req, null)
  ctx.status = terminal(run) ? 201 : 202
  ctx.res.setHeader('Location', `/api/v1/runs/${run.id}`)
  return shown(run)
}
route('POST', '/runs', (ctx) => {
  const pick = ctx.body.query
  if (!pick) return start(ctx, ctx.body)
  const q = find(queries, pick.id)
  return start(ctx, { ...ctx.body, sql: versions.get(q.id).find((v) => v.version === pick.version)?.sql ?? q.sql, query: { ...pick, title: q.title } })
})
const newestRuns = () => [...runs.values()].sort((a, b) => (a.times.submitted < b.times.submitted ? 1 : -1))
route('GET', '/runs', ({ q, world }) => {
  if (world === 'empty') return { items: [], next: null }
  let items = newestRuns()
  if (q.get('submitter') === 'me') items = items.filter((r) => r.submitter.login === 'ana')
  if (q.get('state')) items = items.filter((r) => r.state === q.get('state'))
  if (q.get('query')) items = items.filter((r) => r.query?.id === q.get('query'))
  if (q.get('q')) items = items.filter((r) => (r.title + r.sql).toLowerCase().includes(q.get('q').toLowerCase()))
  return list(items.map(shown), q)
})
route('GET', '/runs/{id}', async (ctx) => {
  const run = find(runs, ctx.id)
  const match = /"(\d+)"/.exec(ctx.req.headers['if-none-match'] ?? '')
  await settled(run, ctx.req, match ? Number(match[1]) : null)
  ctx.res.setHeader('ETag', `"${run.version}"`)
  if (match && Number(match[1]) === run.version) ctx.status = 304
  return shown(run)
})
route('PATCH', '/runs/{id}', ({ id, body }) => { const run = find(runs, id); Object.assign(run, body); if ('pinned' in body) run.expires_at = body.pinned ? null : iso(now() + 90 * 86400e3); touch(run); return shown(run) })
route('DELETE', '/runs/{id}', ({ id }) => { const run = find(runs, id); Object.assign(run, { deleted: true, sql: null, can: { cancel: false, delete: false, pin: false, share: false, rows: false, sql: false } }); touch(run) })
route('POST', '/runs/{id}/cancel', (ctx) => {
  const run = find(runs, ctx.id)
  if (terminal(run)) return shown(run)
  ctx.status = 202
  run.cancel = { by: 'ana', reason: ctx.body?.reason ?? '', at: iso(now()) }
  touch(run)
  setTimeout(() => {
    run.error = { code: 'canceled', sqlstate: '57014', message: 'canceling statement due to user request', detail: null, hint: null, position: null, statement: 0, retriable: true }
    for (const st of run.statements) if (['running', 'pending'].includes(st.state)) st.state = 'canceled'
    settle(run, 'canceled')
  }, 150)
  return shown(run)
})
route('POST', '/runs/{id}/lease', () => undefined)
route('GET', '/runs/{id}/viewers', ({ id }) => ({ items: find(runs, id).viewers }))
route('PUT', '/runs/{id}/viewers/{login}', ({ id, login }) => {
  if (!people.some((p) => p.login === login)) throw new Refusal(422, 'bad-request', 'Nobody has that login.', { detail: `Nobody has the login ${login}.` })
  const run = find(runs, id)
  run.viewers = run.viewers.filter((v) => v.login !== login).concat({ id: newId('p'), login, name: people.find((p) => p.login === login).name, by: 'ana', at: iso(now()) })
})
route('DELETE', '/runs/{id}/viewers/{login}', ({ id, login }) => { const run = find(runs, id); run.viewers = run.viewers.filter((v) => v.login !== login) })
const resultOf = (id, q) => {
  const run = find(runs, id)
  if (run.rows_expired || run.deleted) throw new Refusal(410, 'result-expired', 'The rows are gone.')
  const n = Number(q.get('statement') ?? 0)
  const st = run.statements[n]
  if (!st?.result) throw new Refusal(409, 'run-not-finished', 'No rows yet.', { state: run.state })
  return { run, n, res: { ...st.result, shape: st.outcome.shape } }
}
route('GET', '/runs/{id}/rows', ({ id, q }) => {
  const { run, n, res } = resultOf(id, q)
  const v = view(res, q.get('sort'), q.get('filter') ? JSON.parse(q.get('filter')) : null)
  const offset = Number(q.get('offset') ?? 0)
  const end = Math.min(offset + Math.min(Number(q.get('limit') ?? 200), 10000), v.count)
  const rows = []
  for (let i = offset; i < end; i++) rows.push(v.at(i))
  return { run: run.id, statement: n, offset, count: rows.length, row_count: res.row_count, filtered_count: v.filtered, columns: res.columns, rows, truncated: res.truncated, next: null }
})
route('POST', '/runs/{id}/aggregate', ({ id, q, body }) => aggregate(resultOf(id, q).res, body))
route('GET', '/runs/{id}/result.{format}', ({ id, q, format, res }) => {
  const r = resultOf(id, q).res
  res.setHeader('Content-Type', 'text/csv; charset=utf-8')
  res.setHeader('Content-Disposition', `attachment; filename="${id}.${format}"`)
  const rows = Array.from({ length: Math.min(r.row_count, 1000) }, (_, i) => shapes[r.shape].row(i).map((c) => (c === null ? '' : JSON.stringify(c))).join(','))
  res.end([r.columns.map((c) => c.name).join(','), ...rows].join('\n'))
  return 'sent'
})
const planText = `Sort  (cost=52831.10..52831.60 rows=200 width=48)
  Sort Key: (count(*)) DESC
  ->  HashAggregate  (cost=52821.00..52823.50 rows=200 width=48)
        Group Key: e.channel
        ->  Hash Join  (cost=37.00..42311.00 rows=2102000 width=12)
              Hash Cond: (e.course_id = c.course_id)
              ->  Seq Scan on fact_enroll e  (cost=0.00..36511.00 rows=2102000 width=16)
                    Filter: (enrolled_at >= '2026-08-01'::date)
              ->  Hash  (cost=22.00..22.00 rows=1200 width=4)
                    ->  Seq Scan on dim_course c  (cost=0.00..22.00 rows=1200 width=4)`
route('POST', '/explain', ({ body }) => {
  const sql = body.sql.trim()
  if (!sql) throw new Refusal(422, 'bad-request', 'There is no SQL in it.')
  const writes = /^(update|insert|delete)\b/i.test(sql)
  const ddl = /^(create|drop|alter)\b/i.test(sql)
  const denied = /dim_person/.test(sql)
  const bad = /no_such/.exec(body.sql)
  const before = bad ? body.sql.slice(0, bad.index) : ''
  return {
    statements: [{
      index: 0, range: [0, [...body.sql].length], kind: ddl ? 'ddl' : writes ? 'write' : 'read', verbs: [ddl ? 'create' : writes ? 'update' : 'select'], reads: ['analytics.fact_enroll', 'analytics.dim_course'], writes: writes ? ['analytics.fact_enroll'] : [], functions: ['pg_catalog.count'],
      unknown: false, verdict: denied ? 'deny' : /slow/.test(sql) ? 'queue' : writes ? 'warn' : 'allow', class: 'interactive', rules: denied ? ['no-personal-data'] : [], limits: { 'statement-timeout': '10m', 'rows-returned': '1000000' },
      message: denied ? 'dim_person holds personal data; ask data-platform for access.' : /slow/.test(sql) ? 'would wait now: interactive has 4 of 4 places taken' : writes ? 'Loads run until 15:00; this write may wait for their locks.' : '',
    }],
    plan: ddl ? null : denied ? { error: { code: 'policy-denied', sqlstate: '42501', message: 'dim_person holds personal data; ask data-platform for access.', detail: null, hint: null, position: null, statement: null, retriable: false } }
      : bad ? { error: { code: 'sql-error', sqlstate: '42P01', message: 'relation "no_such" does not exist', detail: null, hint: 'Did you mean "fact_enroll"?', statement: null, retriable: false, position: { offset: [...before].length, line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') } } }
      : { text: planText },
    params: body.params.map((p) => ({ name: p.name, type: p.type })),
  }
})

// --- queries
const etag = (ctx, q) => { ctx.res.setHeader('ETag', `"v${q.rev}"`); return q }
route('GET', '/queries', ({ q, world }) => {
  if (world === 'empty') return { items: [], next: null }
  const on = (name) => q.get(name) === 'true'
  const words = (x) => [x.title, x.description, x.sql, x.owner.login, x.owner.name, ...x.tags].join('\n').toLowerCase()
  const items = [...queries.values()].filter((x) =>
    (!q.get('draft') || x.draft === on('draft')) && (!on('mine') || x.owner.id === me.id) && (!on('starred') || x.starred) &&
    (!q.get('team') || x.team === q.get('team')) && (!on('my_teams') || me.teams.includes(x.team)) &&
    (!q.get('tag') || x.tags.includes(q.get('tag'))) && words(x).includes((q.get('q') ?? '').toLowerCase()),
  ).sort((a, b) => b.updated.localeCompare(a.updated))
  return list(items, q)
})
route('POST', '/queries', (ctx) => { ctx.status = 201; const b = ctx.body; return etag(ctx, addQuery({ ...b, created: iso(now()), updated: iso(now()), working: null })) })
route('GET', '/queries/{id}', (ctx) => etag(ctx, find(queries, ctx.id)))
route('PATCH', '/queries/{id}', (ctx) => {
  const q = find(queries, ctx.id)
  const match = ctx.req.headers['if-match']
  if (!match) throw new Refusal(428, 'if-match-required', 'Send If-Match.')
  if (match.replace(/"/g, '') !== `v${q.rev}`) throw new Refusal(412, 'version-conflict', 'Somebody changed it meanwhile.')
  const { working, ...rest } = ctx.body
  const wasDraft = q.draft
  const newVersion = !wasDraft && ['sql', 'params', 'chart'].some((k) => k in rest && JSON.stringify(rest[k]) !== JSON.stringify(q[k]))
  Object.assign(q, rest, { rev: q.rev + 1, updated: iso(now()) })
  if ('sql' in rest) q.working = null
  if (working) q.working = { ...working, at: iso(now()) }
  if (newVersion) {
    q.version++
    versions.get(q.id).unshift({ version: q.version, sql: q.sql, params: q.params, chart: q.chart, by: q.owner, at: q.updated, title: q.title })
  }
  return etag(ctx, q)
})
route('DELETE', '/queries/{id}', ({ id }) => { find(queries, id); queries.delete(id) })
route('GET', '/queries/{id}/versions', ({ id }) => { find(queries, id); return { items: versions.get(id), next: null } })
route('GET', '/queries/{id}/versions/{n}', ({ id, n }) => versions.get(id)?.find((v) => v.version === Number(n)) ?? (() => { throw missing() })())
route('POST', '/queries/{id}/fork', (ctx) => { ctx.status = 201; const q = find(queries, ctx.id); return addQuery({ ...q, id: newId('q'), title: q.title + ' (copy)', version: 1, rev: 1, starred: false, team: null, can: { edit: true, delete: true, run: true }, owner: { id: me.id, login: 'ana', name: 'Ana Sousa' } }) })
route('POST', '/queries/{id}/runs', (ctx) => { const q = find(queries, ctx.id); return start(ctx, { ...ctx.body, sql: q.sql, query: { id: q.id, version: q.version, title: q.title }, title: q.title }) })
route('POST', '/queries/{id}/release', ({ id, body }) => {
  const q = find(queries, id)
  if (!services.some((x) => x.id === body.service)) throw new Refusal(403, 'forbidden', 'Only who holds the service can release a version to it.')
  q.released = q.released.filter((r) => r.service !== body.service || r.version !== body.version).concat({ service: body.service, version: body.version, by: 'ana', at: iso(now()) }).sort((a, b) => a.service.localeCompare(b.service) || a.version - b.version)
  return q
})
route('GET', '/queries/{id}/latest', (ctx) => {
  find(queries, ctx.id)
  const run = newestRuns().find((r) => r.query?.id === ctx.id && r.state === 'succeeded' && !r.deleted)
  if (!run) throw missing()
  ctx.status = 303
  ctx.res.setHeader('Location', `/api/v1/runs/${run.id}`)
})
route('PUT', '/queries/{id}/star', ({ id }) => { find(queries, id).starred = true })
route('DELETE', '/queries/{id}/star', ({ id }) => { find(queries, id).starred = false })

// --- catalog
route('GET', '/targets/{t}/completions', ({ world }) => (world === 'empty' ? { schemas: [], search_path: [], functions: [], version: 0 } : completions))
route('GET', '/targets/{t}/tables', ({ q }) => list(completions.schemas.flatMap((s) => s.tables.map((x) => ({ schema: s.name, name: x.name, kind: x.kind, rows: 1000, comment: null }))).filter((x) => x.name.includes(q.get('q') ?? '')), q))
route('GET', '/targets/{t}/tables/{schema}/{table}', ({ schema, table }) => {
  const x = completions.schemas.find((s) => s.name === schema)?.tables.find((y) => y.name === decodeURIComponent(table))
  if (!x) throw missing()
  return { schema, name: x.name, kind: x.kind, comment: x.name === 'fact_enroll' ? 'One row per enrolment, loaded every hour' : null, rows: 2104882311, bytes: 4.1e11, columns: x.columns.map(([name, type], i) => ({ name, type, nullable: i > 0, comment: null, position: i + 1 })) }
})

// --- tokens, passwords, people
const crud = (path, items, make) => {
  route('GET', path, ({ world, q }) => (world === 'empty' ? { items: [], next: null } : list(items, q)))
  route('POST', path, (ctx) => { ctx.status = 201; const { item, answer } = make(ctx.body); items.unshift(item); return answer })
  route('DELETE', path + '/{id}', ({ id }) => { const i = items.findIndex((x) => x.id === id); if (i < 0) throw missing(); items.splice(i, 1) })
}
route('GET', '/tokens', ({ world, q }) => (world === 'empty' ? { items: [], next: null } : list(tokens.filter((k) => (k.service ?? '') === (q.get('service') ?? '')), q)))
crud('/tokens', tokens, (b) => { const item = { id: newId('k'), name: b.name, scopes: b.scopes, queries: b.queries ?? [], service: b.service ?? null, created: iso(now()), expires_at: iso(now() + b.expires_in_days * 86400e3), last_used: null }; return { item, answer: { token: 'lk_pat_' + randomBytes(20).toString('hex'), item } } })
crud('/db-passwords', passwords, (b) => {
  const item = { id: newId('d'), tool: b.tool, login: 'ana', created: iso(now()), expires_at: iso(now() + b.hours * 36e5), last_used: null }
  setTimeout(() => { seen = [{ tool: b.tool, addr: '192.0.2.17', at: iso(now()), name: 'analytics' }]; for (const f of changed) f(null) }, 2500).unref()
  return { item, answer: { password: randomBytes(18).toString('base64url'), login: 'ana', item } }
})
crud('/people', people, (b) => { const item = { id: newId('p'), disabled: false, last_seen: null, ...b }; return { item, answer: { ...item, link: 'http://127.0.0.1:8099/signin#link=GOOD' } } })
crud('/teams', teams, (b) => { const item = { id: newId('t'), members: [], ...b }; return { item, answer: item } })
crud('/services', services, (b) => { const item = { id: newId('s'), ...b }; return { item, answer: item } })
crud('/grants', grants, (b) => { const item = { id: newId('g'), ...b, warehouse_password: undefined }; return { item, answer: item } })
route('PATCH', '/people/{id}', ({ id, body }) => Object.assign(people.find((p) => p.id === id) ?? (() => { throw missing() })(), body))
route('POST', '/people/{id}/link', () => ({ link: 'http://127.0.0.1:8099/signin#link=GOOD' }))
route('DELETE', '/people/{id}/sessions', () => undefined)
route('PUT', '/teams/{id}/members/{login}', ({ id, login }) => { teams.find((x) => x.id === id).members.push(login) })
route('DELETE', '/teams/{id}/members/{login}', ({ id, login }) => { const x = teams.find((y) => y.id === id); x.members = x.members.filter((m) => m !== login) })
route('GET', '/connect', () => ({ host: 'lk.example.com', port: 5432, database: 'analytics', sslmode: 'verify-full', login: 'ana', web_url: 'https://lk.example.com' }))

// --- events
let version = 0
function events(req, res) {
  const topics = new URL(req.url, 'http://x').searchParams.get('topics')?.split(',') ?? []
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  const push = () => {
    version++
    const data = { runs: [...runs.values()].filter((r) => !terminal(r) && r.submitter.login === 'ana').map(shown), me, connect: seen }
    for (const topic of topics) res.write(`event: ${topic}\nid: ${version}\ndata: ${JSON.stringify({ topic, version, data: data[topic] })}\n\n`)
  }
  push()
  changed.add(push)
  const beat = setInterval(() => res.write(': beat\n\n'), 15000)
  req.on('close', () => { changed.delete(push); clearInterval(beat) })
}

// --- HTTP
async function api(req, res, url, world) {
  const path = url.pathname.slice('/api/v1'.length)
  let body
  if (req.method !== 'GET') {
    let text = ''
    for await (const chunk of req) text += chunk
    body = text ? JSON.parse(text) : undefined
  }
  const hit = routes.map((r) => ({ r, m: r.method === req.method && r.pattern.exec(path) })).find((x) => x.m)
  const ctx = { req, res, q: url.searchParams, body, world, status: 200 }
  if (world === 'signedout' && !path.startsWith('/session')) throw new Refusal(401, 'unauthenticated', 'Sign in first.')
  if (world === 'error' && !['/session', '/me', '/events'].includes(path)) throw new Refusal(500, 'internal', 'Something broke inside the office.', { request_id: '01J8ZQ5M3V' })
  if (world === 'slow' && !['/session', '/me'].includes(path)) await new Promise((r) => setTimeout(r, 8000).unref())
  if (path === '/events') {
    if (world === 'nostream') throw new Refusal(503, 'target-down', 'No stream.')
    return events(req, res)
  }
  const wrong = breach(req.method, url.pathname, url.searchParams, body)
  if (wrong) {
    console.error('BREACH', wrong)
    throw new Refusal(400, 'bad-request', wrong)
  }
  if (!hit) throw missing()
  hit.r.names.forEach((n, i) => { ctx[n] = decodeURIComponent(hit.m[i + 1]) })
  const answer = await hit.r.handler(ctx)
  if (answer === 'sent') return
  if ([303, 304].includes(ctx.status)) return res.writeHead(ctx.status).end()
  if (answer === undefined) return res.writeHead(204).end()
  const text = JSON.stringify(answer)
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Cache-Control', 'private, no-cache')
  res.writeHead(ctx.status).end(text)
}

const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html; charset=utf-8' }
function page(req, res, url) {
  const file = join(dist, normalize(url.pathname))
  if (url.pathname !== '/' && file.startsWith(dist) && existsSync(file) && statSync(file).isFile()) {
    res.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream')
    res.setHeader('Cache-Control', 'public, max-age=31536000, immutable')
    if (/gzip/.test(req.headers['accept-encoding'] ?? '') && /\.(js|css)$/.test(file)) {
      res.setHeader('Content-Encoding', 'gzip')
      return res.end(gzipSync(readFileSync(file)))
    }
    return createReadStream(file).pipe(res)
  }
  if (url.pathname.startsWith('/assets/')) return res.writeHead(404).end()
  const nonce = randomBytes(16).toString('base64')
  res.setHeader('Content-Security-Policy', `default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'self' 'nonce-${nonce}'`)
  res.setHeader('Content-Type', types['.html'])
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.end(readFileSync(join(dist, 'index.html'), 'utf8').replaceAll('__CSP_NONCE__', nonce))
}

export function serve(port) {
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://127.0.0.1')
    const world = /(?:^|; )mock=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? ''
    try {
      if (url.pathname.startsWith('/api/v1/')) await api(req, res, url, world)
      else page(req, res, url)
    } catch (err) {
      if (!(err instanceof Refusal)) console.error(err)
      const status = err.status ?? 500
      if (res.headersSent) return res.end()
      res.writeHead(status, { 'Content-Type': 'application/problem+json' })
      res.end(JSON.stringify({ type: 'about:blank', title: err.message, status, detail: err.message, code: err.code ?? 'internal', request_id: '01J8ZQ5M3V', ...err.extra }))
    }
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.argv[2] ?? 8099)
  await serve(port)
  console.log(`mock office at http://127.0.0.1:${port}`)
}
