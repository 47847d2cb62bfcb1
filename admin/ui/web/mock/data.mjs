// What the mock warehouse holds: results made up row by row, never stored.

export const now = () => Date.now()
export const iso = (ms) => (ms === null ? null : new Date(ms).toISOString())

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
let counter = 7
/** An id that is the same on every start, so that pictures can be compared. */
export function newId(prefix) {
  let n = (++counter * 2654435761) >>> 0
  let out = ''
  for (let i = 0; i < 16; i++) {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0
    out += crockford[n >>> 27]
  }
  return prefix + '_' + out
}

const channels = ['search', 'direct', 'mail', 'partner', null, 'social']
const countries = ['Österreich', 'Brasil', '日本', 'Kenya', 'Canada', 'भारत']
const pad = (n, w = 2) => String(n).padStart(w, '0')

export const shapes = {
  enrol: {
    columns: [
      { name: 'id', type: 'int8', oid: 20 },
      { name: 'enrolled_at', type: 'timestamptz', oid: 1184 },
      { name: 'channel', type: 'text', oid: 25 },
      { name: 'country', type: 'text', oid: 25 },
      { name: 'course_id', type: 'int4', oid: 23 },
      { name: 'price', type: 'numeric', oid: 1700 },
      { name: 'discount', type: 'float8', oid: 701 },
      { name: 'paid', type: 'bool', oid: 16 },
      { name: 'note', type: 'text', oid: 25 },
      { name: 'profile', type: 'text', oid: 25 },
      { name: 'attributes', type: 'jsonb', oid: 3802 },
    ],
    row(i) {
      const day = (i * 7) % 92
      return [
        String(9007199254740993n + BigInt(i)),
        `2026-${pad(8 + Math.floor(day / 31))}-${pad(1 + (day % 31))} ${pad(i % 24)}:${pad((i * 13) % 60)}:${pad((i * 29) % 60)}.${pad(i % 1000, 3)}+00`,
        channels[i % 6],
        countries[(i * 5) % 6],
        String(100 + ((i * 37) % 900)),
        (((i * 7919) % 100000) / 100).toFixed(2),
        i % 9 === 0 ? 'NaN' : String(((i * 31) % 97) / 97).slice(0, 8),
        i % 3 === 0 ? 't' : 'f',
        i % 11 === 0 ? '' : i % 7 === 0 ? '<img src=x onerror=alert(1)>' : i % 5 === 0 ? 'two\nlines' : 'ok',
        i % 4 === 0 ? null : `https://example.com/people/${i}`,
        `{"seat": ${i % 40}, "tags": ["a", "b"]}`,
      ]
    },
  },
  daily: {
    columns: [
      { name: 'day', type: 'date', oid: 1082 },
      { name: 'channel', type: 'text', oid: 25 },
      { name: 'enrolments', type: 'int8', oid: 20 },
      { name: 'revenue', type: 'numeric', oid: 1700 },
    ],
    row(i) {
      const d = Math.floor(i / 4)
      const ch = i % 4
      const wave = Math.sin(d / 4 + ch) * 40 + Math.sin(d / 1.1) * 8
      const n = Math.round(160 + 70 * ch + wave + d * (1 + ch * 0.4))
      const date = new Date(Date.UTC(2026, 7, 1) + d * 86400e3).toISOString().slice(0, 10)
      return [date, ['search', 'direct', 'mail', 'partner'][ch], String(n), (n * 12.35).toFixed(2)]
    },
  },
  one: { columns: [{ name: 'people', type: 'int8', oid: 20 }], row: () => ['214'] },
  wide: {
    columns: Array.from({ length: 300 }, (_, i) => ({ name: `c${i}`, type: i % 3 ? 'text' : 'int4', oid: 25 })),
    row: (i) => Array.from({ length: 300 }, (_, c) => (c % 3 ? `v${i}.${c}` : String(i * c))),
  },
}

/** All rows of a result in the order and with the filter of a request, as a function of the position. */
export function view(result, sort, filter) {
  const shape = shapes[result.shape]
  const index = (name) => (/^c\d+$/.test(name) && result.shape !== 'wide' ? Number(name.slice(1)) : shape.columns.findIndex((c) => c.name === name))
  if (!sort && !filter) return { count: result.row_count, at: shape.row, filtered: null }
  const n = Math.min(result.row_count, 200000)
  let rows = Array.from({ length: n }, (_, i) => i)
  for (const f of filter ?? []) {
    const c = index(f.col)
    const numeric = /int|numeric|float/.test(shape.columns[c].type)
    const cmp = (a) => (numeric ? Number(a) - Number(f.value) : a < f.value ? -1 : a > f.value ? 1 : 0)
    const tests = {
      eq: (a) => a !== null && cmp(a) === 0, ne: (a) => a !== null && cmp(a) !== 0, lt: (a) => a !== null && cmp(a) < 0, le: (a) => a !== null && cmp(a) <= 0,
      gt: (a) => a !== null && cmp(a) > 0, ge: (a) => a !== null && cmp(a) >= 0, contains: (a) => a !== null && a.toLowerCase().includes(String(f.value).toLowerCase()),
      isnull: (a) => a === null, notnull: (a) => a !== null,
    }
    rows = rows.filter((i) => tests[f.op](shape.row(i)[c]))
  }
  const filtered = filter ? rows.length : null
  if (sort) {
    const [name, dir] = sort.split(',')[0].split(':')
    const c = index(name)
    const numeric = /int|numeric|float/.test(shape.columns[c].type)
    const key = new Map(rows.map((i) => [i, shape.row(i)[c]]))
    rows.sort((a, b) => {
      const x = key.get(a), y = key.get(b)
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1
      const d = numeric ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0
      return (dir === 'desc' ? -d : d) || a - b
    })
  }
  return { count: rows.length, at: (i) => shape.row(rows[i]), filtered }
}

export function aggregate(result, spec) {
  const shape = shapes[result.shape]
  const col = (name) => shape.columns.findIndex((c) => c.name === name)
  const n = Math.min(result.row_count, 200000)
  const groups = new Map()
  const sx = spec.x ? col(spec.x) : -1
  const ss = spec.series ? col(spec.series) : -1
  for (let i = 0; i < n; i++) {
    const row = shape.row(i)
    const x = sx < 0 ? null : row[sx]
    const key = JSON.stringify([x, ss < 0 ? 0 : row[ss]])
    let g = groups.get(key)
    if (!g) {
      if (groups.size >= 5000) continue
      groups.set(key, (g = { x, s: ss < 0 ? null : row[ss], y: spec.y.map(() => []) }))
    }
    spec.y.forEach((y, k) => {
      const v = y.agg === 'count' ? 1 : Number(row[col(y.col)])
      if (Number.isFinite(v)) g.y[k].push(v)
    })
  }
  const fold = { sum: (v) => v.reduce((a, b) => a + b, 0), count: (v) => v.length, avg: (v) => v.reduce((a, b) => a + b, 0) / v.length, min: (v) => Math.min(...v), max: (v) => Math.max(...v), none: (v) => v[0] }
  const rows = [...groups.values()].map((g) => [
    ...(sx < 0 ? [] : [g.x]), ...(ss < 0 ? [] : [g.s]),
    ...g.y.map((v, k) => (v.length ? String(fold[spec.y[k].agg](v)) : null)),
  ])
  rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
  const columns = [
    ...(sx < 0 ? [] : [shape.columns[sx]]), ...(ss < 0 ? [] : [shape.columns[ss]]),
    ...spec.y.map((y) => ({ name: y.agg === 'none' ? y.col : `${y.agg}(${y.col})`, type: 'numeric', oid: 1700 })),
  ]
  return { columns, rows, from_rows: n, of_rows: result.row_count, truncated: groups.size >= 5000 ? { by: 'groups', limit: 5000 } : null, series_cut: false }
}

export const me = {
  id: 'p_0ANA00000000000A', kind: 'person', login: 'ana', name: 'Ana Sousa', email: 'ana@example.com', teams: ['growth', 'data-platform'],
  roles: { warehouse: 'admin' }, scopes: [], admin: true,
  targets: [{ name: 'warehouse', title: 'Warehouse', dialect: 'postgres', database: 'analytics', role: 'admin' }], actor: null,
}

export const completions = (() => {
  const t = (name, ...columns) => ({ name, kind: 'table', columns: columns.map((c) => c.split(' ')) })
  const analytics = [
    t('fact_enroll', 'id int8', 'enrolled_at timestamptz', 'channel text', 'country text', 'course_id int4', 'price numeric', 'discount float8', 'paid bool', 'person_id int8'),
    t('dim_course', 'course_id int4', 'title text', 'university text', 'launched date'),
    t('dim_person', 'person_id int8', 'country text', 'joined timestamptz', 'email text'),
    t('fact_refund', 'id int8', 'enroll_id int8', 'amount numeric', 'refunded_at timestamptz'),
    { ...t('v_daily', 'day date', 'channel text', 'enrolments int8', 'revenue numeric'), kind: 'view' },
    t('Odd Name', 'Mixed Case text', 'select int4'),
  ]
  const raw = Array.from({ length: 400 }, (_, i) => t(`events_${2020 + Math.floor(i / 52)}_w${pad(1 + (i % 52))}`, 'at timestamptz', 'person_id int8', 'kind text', 'payload jsonb'))
  return {
    schemas: [{ name: 'analytics', tables: analytics }, { name: 'public', tables: [t('exchange_rates', 'day date', 'currency text', 'rate numeric')] }, { name: 'raw', tables: raw }],
    search_path: ['analytics', 'public'],
    functions: ['count', 'sum', 'avg', 'min', 'max', 'date_trunc', 'coalesce', 'now', 'lower', 'upper', 'round', 'generate_series', 'row_number', 'string_agg', 'percentile_cont'],
    version: 1,
  }
})()
