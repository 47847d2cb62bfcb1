// node-postgres: simple protocol without values, extended with them, cursors
// by portals and Flush, COPY streams, a pool.
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as m from './matrix.mjs'

const pg = m.load('pg')
const Cursor = m.load('pg-cursor')
const copy = m.load('pg-copy-streams')

const options = (user = m.user) => ({
  host: m.host, port: m.port, user, password: m.password, database: m.database, ssl: m.ssl,
})

async function connect(user) {
  const client = new pg.Client(options(user))
  client.on('error', () => {}) // a connection that dies while idle says so here
  await client.connect()
  return client
}

// connected gives act a connection for its time.
const connected = (act, user) => async () => {
  const client = await connect(user)
  await act(client)
  await client.end()
}

const one = async (client, sql, values) => Object.values((await client.query(sql, values)).rows[0])[0]
const alive = async (client) => m.expect(await one(client, 'select 40 + $1::int', [2]), 42, 'next query')

async function failingTx(sql, code, text, user) {
  const client = await connect(user)
  await client.query('begin')
  await client.query('insert into scratch values (1)')
  await m.raises(code, client.query(sql, [1]), text)
  await m.raises('25P02', client.query('select 1'))
  await client.query('rollback')
  m.expect(await one(client, 'select count(*)::int from scratch'), 0, 'rows after rollback')
  await client.query('begin')
  await client.query('insert into scratch values (1)')
  await client.query('savepoint here')
  await m.raises(code, client.query(sql, [1]), text)
  await client.query('rollback to savepoint here')
  await client.query('insert into scratch values (2)')
  await client.query('commit')
  m.expect((await client.query('delete from scratch')).rowCount, 2, 'rows after commit')
  await client.end()
}

await m.run({
  connect: connected(async (client) => {
    m.expect(client.connection.stream.encrypted === true, m.tls, 'TLS')
    m.expect(await one(client, 'select pg_backend_pid()'), client.processID, 'backend pid')
  }),

  query: connected(async (client) => {
    const notices = []
    client.on('notice', (n) => notices.push(n.message))
    const { rows } = await client.query("select i, 'row ' || i as t from generate_series(1, 1000) i")
    m.expect([rows.length, rows[999]], [1000, { i: 1000, t: 'row 1000' }])
    const several = await client.query('select 1 as a; select 2 as a; select 3 as a')
    m.expect(several.map((r) => r.rows[0].a), [1, 2, 3])
    await client.query("drop table if exists nothing_here")
    await client.query('')
    await client.query('-- nothing but a comment')
    await client.query('', [])
    await alive(client)
    m.expect(notices, ['table "nothing_here" does not exist, skipping'])
  }),

  bind_types: connected(async (client) => {
    const kinds = {
      int4: 1, int8: '1099511627776', numeric: '123.4500', float8: 1.5, bool: true, text: 'ünï\'\\ "x" \u4e16',
      bytea: Buffer.from([0, 1, 255]), date: new Date(2024, 1, 29), timestamptz: new Date(1709168523004),
      uuid: '00000000-0000-0000-0000-000000000007', jsonb: { a: [1, null] }, 'int4[]': [1, 2, 3], 'text[]': ['a', 'b"c', null],
    }
    const columns = Object.keys(kinds).map((kind, i) => `$${i + 1}::${kind} as c${i}`)
    const { rows } = await client.query(`select ${columns}, $${columns.length + 1}::text as z`, [...Object.values(kinds), null])
    m.expect(Object.values(rows[0]), [...Object.values(kinds), null])
    const binary = { text: 'select $1::int4 as a, $2::text as b, null as c', values: [1, 'ü'], binary: true }
    m.expect((await client.query(binary)).rows, [{ a: 1, b: 'ü', c: null }], 'binary')
  }),

  prepared_many: connected(async (client) => {
    for (let i = 0; i < 500; i++) {
      const { rows } = await client.query({ name: 'twice', text: 'select $1::int * 2 as n', values: [i] })
      m.expect(rows[0].n, i * 2)
    }
    for (let i = 0; i < 100; i++) {
      const { rows } = await client.query({ name: `plus_${i}`, text: `select ${i} + $1::int as n`, values: [1] })
      m.expect(rows[0].n, i + 1)
    }
    m.expect(await one(client, 'select count(*)::int from pg_prepared_statements'), 101)
  }),

  copy_in: connected(async (client) => {
    await client.query('begin')
    const stream = client.query(copy.from('copy scratch from stdin'))
    await pipeline(Readable.from((function* () { for (let i = 0; i < 20000; i++) yield `${i}\tline ${i}\n` })()), stream)
    m.expect(stream.rowCount, 20000, 'rows copied')
    m.expect(await one(client, 'select count(*)::int from scratch'), 20000)
    await client.query('rollback')
  }),

  copy_out: connected(async (client) => {
    let lines = 0
    const count = new Writable({
      write(chunk, _, done) {
        for (const b of chunk) if (b === 10) lines++
        done()
      },
    })
    await pipeline(client.query(copy.to("copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout")), count)
    m.expect(lines, 50000, 'lines')
    const refused = client.query(copy.to('copy forbidden to stdout'))
    await m.raises('42501', pipeline(refused, new Writable({ write: (c, e, done) => done() })), m.refusal)
    await alive(client)
  }),

  copy_fail: connected(async (client) => {
    const broken = client.query(copy.from('copy scratch from stdin'))
    broken.write('1\tx\n')
    broken.destroy(new Error('no more')) // sends CopyFail
    const [err] = await once(broken, 'error')
    m.expect(/no more|57014|COPY/.test(`${err.code} ${err.message}`), true, err.message)
    await m.raises('22P02', pipeline(Readable.from(['x\ty\n']), client.query(copy.from('copy scratch from stdin'))))
    await alive(client)
    m.expect(await one(client, 'select count(*)::int from scratch'), 0)
  }),

  server_cursor: connected(async (client) => {
    const cursor = client.query(new Cursor('select generate_series(1, $1::int) as n', [10000]))
    let sum = 0
    for (let rows; (rows = await cursor.read(100)).length > 0; ) for (const r of rows) sum += r.n
    m.expect(sum, 50005000)
    await cursor.close()
    const early = client.query(new Cursor('select generate_series(1, 1000000)'))
    m.expect((await early.read(10)).length, 10)
    await early.close()
    await alive(client)
    const { rows } = await client.query({ text: 'select generate_series(1, $1::int)', values: [1000], rows: 100 })
    m.expect(rows.length, 1000, 'rows by portal')
  }),

  // The driver queues in the client; a pool does it over several connections.
  pipeline: async () => {
    const pool = new pg.Pool({ ...options(), max: 4 })
    const got = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.query('select $1::int as n', [i])))
    m.expect(got.map((r) => r.rows[0].n), Array.from({ length: 200 }, (_, i) => i))
    await m.raises('42501', pool.query('select * from forbidden'), m.refusal)
    m.expect((await pool.query('select 1 as n')).rows[0].n, 1)
    await pool.end()
    const client = await connect()
    const queued = await Promise.allSettled([
      client.query('select 1 as n'), client.query('select * from forbidden'), client.query('select 2 as n'),
      client.query('select * from no_such_table where i = $1', [1]), client.query('select 3 as n'),
    ])
    m.expect(queued.map((q) => q.value?.rows[0].n ?? q.reason.code), [1, '42501', 2, '42P01', 3])
    await client.end()
  },

  notify: async () => {
    const client = await connect()
    const other = await connect()
    await client.query('listen matrix_news')
    const note = once(client, 'notification')
    await other.query('select pg_notify($1, $2)', ['matrix_news', 'read all about it'])
    const [{ processId, payload }] = await note
    m.expect([processId, payload], [other.processID, 'read all about it'])
    await client.end()
    await other.end()
  },

  cancel: connected(async (client) => {
    const sleeping = client.query('select pg_sleep($1)', [30])
    await m.lasts(0.3, async () => {
      setTimeout(() => {
        const second = new pg.Client(options()) // the driver cancels over a connection of its own
        second.on('error', () => {})
        second.connection.on('error', () => {})
        second.cancel(client, client.activeQuery ?? client._activeQuery)
      }, 300)
      await m.raises('57014', sleeping)
    })
    await alive(client)
  }),

  error: connected(async (client) => {
    await m.raises('42P01', client.query('select * from no_such_table where i = $1', [1]))
    await m.raises(m.unreadable, client.query('selec 1'))
    await m.raises('22012', client.query('select 1/(i - 500) from generate_series(1, 1000) i'))
    await alive(client)
  }),

  error_in_tx: () => failingTx('select * from no_such_table where i = $1', '42P01'),

  refuse: connected(async (client) => {
    await m.raises('42501', client.query('select * from forbidden'), m.refusal)
    await m.raises('42501', client.query('select * from forbidden where i = $1', [1]), m.refusal)
    await m.raises('42501', client.query({ name: 'f', text: 'select * from forbidden' }), m.refusal)
    await m.raises('42501', client.query({ name: 'f', text: 'select * from forbidden' }), m.refusal)
    await alive(client)
  }),

  refuse_in_tx: () => failingTx('select * from forbidden where i = $1', '42501', m.refusal),

  timeout: connected(async (client) => {
    await m.lasts(m.limit, () => m.raises('57014', client.query('select pg_sleep(30)'), 'statement timeout'))
    await alive(client)
  }, m.slowUser),

  timeout_in_tx: () =>
    m.lasts(2 * m.limit, () => failingTx('select pg_sleep(30 * $1)', '57014', 'statement timeout', m.slowUser)),

  large_result: connected(async (client) => {
    m.expect((await one(client, `select ${m.largeSQL}`)) === m.largeText(), true, '64 MiB the same')
    await alive(client)
  }),

  large_bind: connected(async (client) => {
    m.expect(await one(client, `select $1::text = ${m.largeSQL}`, [m.largeText()]), true, '64 MiB the same')
    await alive(client)
  }),

  oversize_text: connected(async (client) => {
    for (const values of [undefined, []]) {
      const sent = one(client, m.oversizeSQL(), values)
      await (m.governed ? m.raises('54000', sent) : sent)
      await alive(client)
    }
  }),

  kill_reconnect: async () => {
    const client = await connect()
    const ended = new Promise((done) => client.on('end', done))
    m.killBackend(client.processID)
    await ended
    let failed = false
    await client.query('select 1').catch(() => (failed = true))
    m.expect(failed, true, 'query on a dead connection fails')
    const pool = new pg.Pool({ ...options(), max: 1 })
    pool.on('error', () => {})
    const dead = await pool.query('select pg_backend_pid() as pid')
    m.killBackend(dead.rows[0].pid)
    while (pool.totalCount > 0) await m.sleep(10) // the pool hears of it by itself
    m.expect((await pool.query('select 1 as n')).rows[0].n, 1)
    await pool.end()
  },
})
