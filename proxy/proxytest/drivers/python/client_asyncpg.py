"""asyncpg: binary, Flush without Sync, named statements, type introspection."""

import asyncio
import datetime
import io
import ssl
import uuid
from decimal import Decimal

import asyncpg

import matrix as m


async def connect(user=m.USER, **more):
    context = ssl.create_default_context(cafile=m.CA) if m.TLS else False
    return await asyncpg.connect(
        host=m.HOST, port=m.PORT, user=user, password=m.PASSWORD or None, database=m.DB, ssl=context, **more
    )


def state(err):
    return getattr(err, "sqlstate", None)


async def alive(conn):
    m.expect(await conn.fetchval("select 40 + $1::int", 2), 42, "next query")


async def raises(want, awaitable, text=None):
    try:
        await awaitable
    except Exception as err:  # noqa: BLE001
        m.check_state(state, want, err, text)
        return
    raise AssertionError(f"no error, want {want}")


class Asyncpg:
    """Each check runs in an event loop of its own; see _sync at the end."""

    async def connect(self):
        conn = await connect(server_settings={"application_name": "matrix asyncpg"})
        m.expect(conn._transport.get_extra_info("ssl_object") is not None, m.TLS, "TLS")
        m.expect(await conn.fetchval("select pg_backend_pid()"), conn.get_server_pid(), "backend pid")
        m.expect(conn.get_settings().application_name.startswith("matrix asyncpg"), True, "application_name")
        await conn.close()

    async def query(self):
        conn, notices = await connect(), []
        conn.add_log_listener(lambda _, note: notices.append(note.message))
        rows = await conn.fetch("select i, 'row ' || i as t from generate_series(1, $1::int) i", 1000)
        m.expect((len(rows), tuple(rows[999])), (1000, (1000, "row 1000")))
        await conn.execute("select 1; select 2; drop table if exists nothing_here")
        m.expect(await conn.fetch(""), [])
        m.expect(await conn.fetch("-- nothing but a comment"), [])
        await alive(conn)
        m.expect(notices, ['table "nothing_here" does not exist, skipping'])
        await conn.close()

    async def bind_types(self):
        values = [
            1, 2**40, Decimal("123.4500"), 1.5, True, None, "ünï'\\ \"x\" \u4e16", b"\x00\x01\xff",
            datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
            datetime.timedelta(days=3, seconds=5), uuid.UUID(int=7), [1, 2, 3], ["a", 'b"c', None], '{"a": [1, null]}',
        ]
        casts = (
            "int4 int8 numeric float8 bool text text bytea date time timestamp interval uuid int4[] text[] jsonb"
        ).split()
        conn = await connect()
        sql = "select " + ", ".join(f"${i}::{c}" for i, c in enumerate(casts, 1))
        m.expect(list(await conn.fetchrow(sql, *values)), values)
        await conn.execute("create type pair as (a int, b text)")  # the driver asks the catalog what it is
        row = await conn.fetchval("select $1::pair", (1, "x"))
        m.expect((row["a"], row["b"]), (1, "x"))
        await conn.execute("drop type pair")
        await conn.close()

    async def prepared_many(self):
        conn = await connect()
        stmt = await conn.prepare("select $1::int * 2")
        for i in range(500):
            m.expect(await stmt.fetchval(i), i * 2)
        for i in range(150):  # more than the statement cache holds
            m.expect(await conn.fetchval(f"select {i} + $1::int", 1), i + 1)
        n = await conn.fetchval("select count(*) from pg_prepared_statements")
        m.expect(50 <= n <= 110, True, f"{n} prepared statements at the server")
        await conn.close()

    async def copy_in(self):
        conn = await connect()
        async with conn.transaction():
            tag = await conn.copy_records_to_table("scratch", records=((i, f"line {i}") for i in range(20000)))
            m.expect(tag, "COPY 20000")
            m.expect(await conn.fetchval("select count(*) from scratch"), 20000)
            await conn.execute("delete from scratch")
        await conn.close()

    async def copy_out(self):
        conn, out = await connect(), io.BytesIO()
        sql = "select i, repeat('y', 100) from generate_series(1, 50000) i"
        m.expect(await conn.copy_from_query(sql, output=out), "COPY 50000")
        m.expect(out.getvalue().count(b"\n"), 50000, "lines")
        await raises("42501", conn.copy_from_table("forbidden", output=io.BytesIO()), m.refusal())
        await alive(conn)
        await conn.close()

    async def copy_fail(self):
        async def broken():
            yield b"1\tx\n"
            raise RuntimeError("no more")

        conn = await connect()
        try:
            await conn.copy_to_table("scratch", source=broken())
            raise AssertionError("no error")
        except RuntimeError:
            pass
        await raises("22P02", conn.copy_to_table("scratch", source=io.BytesIO(b"x\ty\n")))
        await alive(conn)
        m.expect(await conn.fetchval("select count(*) from scratch"), 0)
        await conn.close()

    async def server_cursor(self):
        conn = await connect()
        async with conn.transaction():
            total = 0
            async for row in conn.cursor("select generate_series(1, $1::int)", 10000, prefetch=100):
                total += row[0]
            m.expect(total, 50005000)
            cur = await conn.cursor("select generate_series(1, 1000000)")
            m.expect(len(await cur.fetch(10)), 10)
            await cur.forward(5)
            m.expect(tuple(await cur.fetchrow()), (16,))
            await alive(conn)
        await conn.close()

    async def pipeline(self):
        """executemany sends many Binds before one Sync, and is atomic."""
        conn = await connect()
        await conn.executemany("insert into scratch values ($1, $2)", [(i, "x") for i in range(2000)])
        m.expect(await conn.fetchval("select count(*) from scratch"), 2000)
        rows = await conn.fetchmany("update scratch set t = 'y' where i = $1 returning i", [(i,) for i in range(100)])
        m.expect([r[0] for r in rows], list(range(100)))
        await conn.execute("delete from scratch")
        bad = [(1, 1), (2, 0), (3, 1)]
        await raises("22012", conn.executemany("insert into scratch values ($1::int / $2::int)", bad))
        m.expect(await conn.fetchval("select count(*) from scratch"), 0, "rows of a failed batch")
        await conn.close()

    async def notify(self):
        conn, other, news = await connect(), await connect(), asyncio.Queue()
        await conn.add_listener("matrix_news", lambda _, pid, channel, payload: news.put_nowait((pid, payload)))
        await other.execute("select pg_notify('matrix_news', 'read all about it')")
        m.expect(await asyncio.wait_for(news.get(), 10), (other.get_server_pid(), "read all about it"))
        await conn.close()
        await other.close()

    async def cancel(self):
        conn = await connect()
        with m.Clock(0.3):  # the driver cancels when its own time is up
            try:
                await conn.fetch("select pg_sleep(30)", timeout=0.3)
                raise AssertionError("no error")
            except asyncio.TimeoutError:
                pass
        await alive(conn)
        task = asyncio.ensure_future(conn.fetch("select pg_sleep($1)", 30))
        await asyncio.sleep(0.3)
        task.cancel()
        try:
            await task
            raise AssertionError("no error")
        except asyncio.CancelledError:
            pass
        await alive(conn)
        await conn.close()

    async def error(self):
        conn = await connect()
        await raises("42P01", conn.fetch("select * from no_such_table where i = $1", 1))
        await raises(m.UNREADABLE, conn.execute("selec 1"))
        await raises("22012", conn.fetch("select 1/(i - 500) from generate_series(1, 1000) i"))
        await alive(conn)
        await conn.close()

    async def error_in_tx(self):
        await self._failing_tx("select * from no_such_table where i = $1", [1], "42P01", None)

    async def refuse(self):
        conn = await connect()
        await raises("42501", conn.execute("select * from forbidden"), m.refusal())
        await raises("42501", conn.fetch("select * from forbidden where i = $1", 1), m.refusal())
        await alive(conn)
        await conn.close()

    async def refuse_in_tx(self):
        await self._failing_tx("select * from forbidden where i = $1", [1], "42501", m.refusal())

    async def timeout(self):
        conn = await connect(m.SLOW_USER)
        for act in (conn.execute("select pg_sleep(30)"), conn.fetch("select pg_sleep($1)", 30)):
            with m.Clock(m.LIMIT):
                await raises("57014", act, "statement timeout")
            await alive(conn)
        await conn.close()

    async def timeout_in_tx(self):
        with m.Clock(2 * m.LIMIT):
            await self._failing_tx("select pg_sleep($1)", [30], "57014", "statement timeout", m.SLOW_USER)

    async def _failing_tx(self, sql, args, code, text, user=m.USER):
        conn = await connect(user)
        tx = conn.transaction()
        await tx.start()
        await conn.execute("insert into scratch values (1)")
        await raises(code, conn.fetch(sql, *args), text)
        await raises("25P02", conn.fetch("select 1"))
        await tx.rollback()
        m.expect(await conn.fetchval("select count(*) from scratch"), 0, "rows after rollback")
        async with conn.transaction():
            await conn.execute("insert into scratch values (1)")
            nested = conn.transaction()
            await nested.start()
            await raises(code, conn.fetch(sql, *args), text)
            await nested.rollback()
            await conn.execute("insert into scratch values (2)")
        m.expect(await conn.execute("delete from scratch"), "DELETE 2")
        await conn.close()

    async def large_result(self):
        conn = await connect()
        m.expect(await conn.fetchval("select " + m.LARGE_SQL) == m.large_text(), True, "64 MiB the same")
        await alive(conn)
        await conn.close()

    async def large_bind(self):
        conn = await connect()
        m.expect(await conn.fetchval(f"select $1::text = {m.LARGE_SQL}", m.large_text()), True, "64 MiB the same")
        await alive(conn)
        await conn.close()

    async def oversize_text(self):
        conn = await connect()
        for act in (conn.execute, conn.fetch):  # simple, then extended
            if m.GOVERNED:
                await raises("54000", act(m.oversize_sql()))
            else:
                await act(m.oversize_sql())
            await alive(conn)
        await conn.close()

    async def kill_reconnect(self):
        conn = await connect()
        m.kill_backend(conn.get_server_pid())
        try:
            await conn.fetch("select 1")
            raise AssertionError("no error")
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError):
            pass
        m.expect(conn.is_closed(), True, "closed")
        conn = await connect()
        await alive(conn)
        await conn.close()

    async def x_pool(self):
        """The pool resets a connection with UNLISTEN, CLOSE ALL and RESET ALL when it comes back."""
        context = ssl.create_default_context(cafile=m.CA) if m.TLS else False
        async with asyncpg.create_pool(
            host=m.HOST, port=m.PORT, user=m.USER, password=m.PASSWORD or None, database=m.DB, ssl=context,
            min_size=2, max_size=4,
        ) as pool:
            async def work(i):
                async with pool.acquire() as conn:
                    await conn.execute("set work_mem = '1MB'")
                    return await conn.fetchval("select $1::int", i)

            m.expect(await asyncio.gather(*(work(i) for i in range(40))), list(range(40)))
            m.expect(await pool.fetchval("show work_mem"), "4MB", "setting after reset")


class _sync:
    """Shows each coroutine method as a plain one."""

    def __init__(self, suite):
        for name in dir(suite):
            if not name.startswith("_"):
                setattr(self, name, self._plain(getattr(suite, name)))

    @staticmethod
    def _plain(method):
        return lambda: asyncio.run(asyncio.wait_for(method(), 60))


m.run(_sync(Asyncpg()))
