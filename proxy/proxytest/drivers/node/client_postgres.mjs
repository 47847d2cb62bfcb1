// postgres.js: everything is pipelined, across COMMIT too; named statements;
// describes with Flush.
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as m from './matrix.mjs'

const postgres = m.load('postgres')

const connect = (more = {}) =>
  postgres({
    host: m.host, port: m.port, user: m.user, password: m.password, database: m.database, ssl: m.ssl,
    max: 1, onnotice: () => {}, ...more,
  })

const connected = (act, more) => async () => {
  const sql = connect(more)
  await act(sql)
  await sql.end({ timeout: 5 })
}

const alive = async (sql) => m.expect((await sql`select 40 + ${2}::int as n`)[0].n, 42, 'next query')

async function failingTx(bad, code, text, more) {
  const sql = connect(more)
  await m.raises(code, sql.begin(async (tx) => {
    await tx`insert into scratch values (1)`
    await m.raises(code, bad(tx), text)
    await m.raises('25P02', tx`select 1`)
    await tx.savepoint(() => {}).catch(() => {})
  }), text)
  m.expect((await sql`select count(*)::int as n from scratch`)[0].n, 0, 'rows after rollback')
  await sql.begin(async (tx) => {
    await tx`insert into scratch values (1)`
    await m.raises(code, tx.savepoint((sp) => bad(sp)), text)
    await tx`insert into scratch values (2)`
  })
  m.expect((await sql`delete from scratch`).count, 2, 'rows after commit')
  await sql.end()
}

await m.run({
  connect: connected(async (sql) => {
    m.expect((await sql`select pg_backend_pid() as pid`)[0].pid > 0, true)
    m.expect(sql.parameters.server_encoding ?? (await sql`show server_encoding`)[0].server_encoding, 'UTF8')
  }),

  query: async () => {
    const notices = []
    const sql = connect({ onnotice: (n) => notices.push(n.message) })
    const rows = await sql`select i, 'row ' || i as t from generate_series(1, ${1000}::int) i`
    m.expect([rows.length, { ...rows[999] }], [1000, { i: 1000, t: 'row 1000' }])
    const several = await sql`select 1 as a; select 2 as a`.simple()
    m.expect(several.map((r) => r[0].a), [1, 2])
    await sql`drop table if exists nothing_here`
    await sql.unsafe('')
    await sql.unsafe('-- nothing but a comment')
    await alive(sql)
    m.expect(notices, ['table "nothing_here" does not exist, skipping'])
    await sql.end()
  },

  bind_types: connected(async (sql) => {
    const when = new Date(1709168523004)
    const [row] = await sql`select ${1}::int4 as a, ${'1099511627776'}::int8 as b, ${'123.4500'}::numeric as c, ${1.5}::float8 as d,
      ${true}::bool as e, ${'ünï\'\\ "x" \u4e16'}::text as f, ${Buffer.from([0, 1, 255])}::bytea as g, ${when}::timestamptz as h,
      ${'00000000-0000-0000-0000-000000000007'}::uuid as i, ${sql.json({ a: [1, null] })}::jsonb as j, ${[1, 2, 3]}::int4[] as k,
      ${['a', 'b"c']}::text[] as l, ${null}::text as n`
    m.expect({ ...row, g: [...row.g], k: [...row.k], l: [...row.l] }, {
      a: 1, b: '1099511627776', c: '123.4500', d: 1.5, e: true, f: 'ünï\'\\ "x" \u4e16', g: [0, 1, 255], h: when,
      i: '00000000-0000-0000-0000-000000000007', j: { a: [1, null] }, k: [1, 2, 3], l: ['a', 'b"c'], n: null,
    })
  }),

  prepared_many: connected(async (sql) => {
    for (let i = 0; i < 500; i++) m.expect((await sql`select ${i}::int * 2 as n`)[0].n, i * 2)
    for (let i = 0; i < 100; i++) m.expect((await sql.unsafe(`select ${i} + $1::int as n`, [1], { prepare: true }))[0].n, i + 1)
    m.expect((await sql`select count(*)::int as n from pg_prepared_statements`)[0].n >= 101, true)
  }),

  copy_in: connected(async (sql) => {
    const stream = await sql`copy scratch from stdin`.writable()
    await pipeline(Readable.from((function* () { for (let i = 0; i < 10000; i++) yield `${i}\tline ${i}\n` })()), stream)
    m.expect((await sql`delete from scratch`).count, 10000)
  }),

  // Few lines: the driver stops reading its socket when a stream is full, and
  // does not start again if the end was in the same piece.
  copy_out: connected(async (sql) => {
    let lines = 0
    const stream = await sql`copy (select i, repeat('y', 100) from generate_series(1, 100) i) to stdout`.readable()
    for await (const chunk of stream) for (const b of chunk) if (b === 10) lines++
    m.expect(lines, 100, 'lines')
    await m.raises('42501', sql`copy forbidden to stdout`.readable(), m.refusal)
    await alive(sql)
  }),

  // The stream of the driver swallows what the server says of a COPY IN.
  copy_fail: () => Promise.reject(new m.Skip("the driver's stream does not report errors")),

  server_cursor: connected(async (sql) => {
    let sum = 0
    for await (const rows of sql`select generate_series(1, ${10000}::int) as n`.cursor(100)) for (const r of rows) sum += r.n
    m.expect(sum, 50005000)
    for await (const rows of sql`select generate_series(1, 1000000)`.cursor(10)) {
      m.expect(rows.length, 10)
      break
    }
    await alive(sql)
  }),

  pipeline: connected(async (sql) => {
    const sent = [1, 2, 3].flatMap((n) => [
      sql`select ${n}::int as n`, sql`select * from forbidden where i = ${n}`, sql`select * from no_such_table where i = ${n}`,
    ])
    const got = (await Promise.allSettled([...sent, sql`select 4 as n`])).map((q) => q.value?.[0].n ?? q.reason.code)
    m.expect(got, [1, '42501', '42P01', 2, '42501', '42P01', 3, '42501', '42P01', 4])
    const [, count] = await sql.begin((tx) => [tx`insert into scratch values (1)`, tx`select count(*)::int as n from scratch`])
    m.expect(count[0].n, 1)
    const across = await Promise.all([
      sql.begin((tx) => [tx`insert into scratch values (2)`, tx`select 1 as n`]),
      sql`select 2 as n`, sql`select 3 as n`, sql`delete from scratch`,
    ])
    m.expect([across[1][0].n, across[2][0].n], [2, 3])
    await m.raises('42501', sql.begin((tx) => [tx`insert into scratch values (3)`, tx`select * from forbidden`, tx`select 1`]))
    m.expect((await sql`select count(*)::int as n from scratch where i = 3`)[0].n, 0, 'rows of a refused pipeline')
    await sql`delete from scratch`
  }),

  notify: connected(async (sql) => {
    let heard
    const news = new Promise((done) => (heard = done))
    const { unlisten } = await sql.listen('matrix_news', heard)
    await sql.notify('matrix_news', 'read all about it')
    m.expect(await news, 'read all about it')
    await unlisten()
  }),

  cancel: connected(async (sql) => {
    const sleeping = sql`select pg_sleep(${30})`
    setTimeout(() => sleeping.cancel(), 300)
    await m.lasts(0.3, () => m.raises('57014', sleeping))
    await alive(sql)
  }),

  error: connected(async (sql) => {
    await m.raises('42P01', sql`select * from no_such_table where i = ${1}`)
    await m.raises(m.unreadable, sql.unsafe('selec 1'))
    await m.raises('22012', sql`select 1/(i - 500) from generate_series(1, 1000) i`)
    await sql`select 1` // the driver hands the rows before the error to the next query
    await alive(sql)
  }),

  error_in_tx: () => failingTx((tx) => tx`select * from no_such_table where i = ${1}`, '42P01'),

  refuse: connected(async (sql) => {
    await m.raises('42501', sql`select * from forbidden`.simple(), m.refusal)
    await m.raises('42501', sql`select * from forbidden where i = ${1}`, m.refusal)
    await m.raises('42501', sql`select * from forbidden where i = ${1}`, m.refusal)
    await alive(sql)
  }),

  refuse_in_tx: () => failingTx((tx) => tx`select * from forbidden where i = ${1}`, '42501', m.refusal),

  timeout: connected(async (sql) => {
    await m.lasts(m.limit, () => m.raises('57014', sql`select pg_sleep(${30})`, 'statement timeout'))
    await alive(sql)
  }, { user: m.slowUser }),

  timeout_in_tx: () =>
    m.lasts(2 * m.limit, () =>
      failingTx((tx) => tx`select pg_sleep(${30})`, '57014', 'statement timeout', { user: m.slowUser })),

  large_result: connected(async (sql) => {
    m.expect((await sql.unsafe(`select ${m.largeSQL} as t`))[0].t === m.largeText(), true, '64 MiB the same')
    await alive(sql)
  }),

  large_bind: connected(async (sql) => {
    const [row] = await sql.unsafe(`select $1::text = ${m.largeSQL} as same`, [m.largeText()])
    m.expect(row.same, true, '64 MiB the same')
    await alive(sql)
  }),

  oversize_text: connected(async (sql) => {
    for (const sent of [sql.unsafe(m.oversizeSQL()), sql.unsafe(m.oversizeSQL(), [], { prepare: true })]) {
      await (m.governed ? m.raises('54000', sent) : sent)
      await alive(sql)
    }
  }),

  kill_reconnect: connected(async (sql) => {
    const [{ pid }] = await sql`select pg_backend_pid() as pid`
    m.killBackend(pid)
    for (let tries = 0; ; tries++) { // it reconnects by itself; a query in between may fail
      try {
        await alive(sql)
        break
      } catch (err) {
        if (tries > 5) throw err
        await m.sleep(50)
      }
    }
  }),
})
