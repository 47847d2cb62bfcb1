"""psycopg 3: extended protocol throughout, pipeline mode, named statements after the fifth use."""

import datetime
import uuid
from decimal import Decimal

import psycopg
from psycopg.types.json import Jsonb

import matrix as m


def connect(user=m.USER, **more):
    return psycopg.connect(
        host=m.HOST, port=m.PORT, user=user, password=m.PASSWORD, dbname=m.DB, sslmode=m.SSLMODE, sslrootcert=m.CA, **more
    )


def autocommit(user=m.USER):
    return connect(user, autocommit=True)


def state(err):
    return getattr(err, "sqlstate", None)


def one(conn, sql, args=None):
    return conn.execute(sql, args).fetchone()[0]


def alive(conn):
    m.expect(one(conn, "select 40 + %s", [2]), 42, "next query")


class Psycopg:
    def connect(self):
        with connect() as conn:
            m.expect(bool(conn.pgconn.ssl_in_use), m.TLS, "TLS")
            m.expect(one(conn, "select pg_backend_pid()"), conn.info.backend_pid, "backend pid")
            m.expect(conn.info.parameter_status("server_encoding"), "UTF8", "server_encoding")

    def query(self):
        notices = []
        with autocommit() as conn:
            conn.add_notice_handler(lambda d: notices.append(d.message_primary))
            rows = conn.execute("select i, 'row ' || i from generate_series(1, %s) i", [1000]).fetchall()
            m.expect((len(rows), rows[999]), (1000, (1000, "row 1000")))
            rows = conn.execute("select i from generate_series(1, 1000) i", binary=True).fetchall()
            m.expect(rows[999], (1000,), "binary")
            cur = conn.execute("select 1; select 2; select 3")
            m.expect([(r := cur.fetchone(), cur.nextset())[0] for _ in range(3)], [(1,), (2,), (3,)])
            conn.execute("drop table if exists nothing_here")
            m.expect(notices, ['table "nothing_here" does not exist, skipping'])
            conn.execute("")
            conn.execute("-- nothing but a comment")
            alive(conn)

    def bind_types(self):
        values = [
            1, 2**40, Decimal("123.4500"), 1.5, True, None, "ünï'\\ \"x\" \u4e16", b"\x00\x01\xff",
            datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
            datetime.timedelta(days=3, seconds=5), uuid.UUID(int=7), [1, 2, 3], ["a", 'b"c', None], {"a": [1, None]},
        ]
        casts = (
            "int4 int8 numeric float8 bool text text bytea date time timestamp interval uuid int4[] text[] jsonb"
        ).split()
        with autocommit() as conn:
            for mark in ("%s", "%b", "%t"):
                args = values[:-1] + [Jsonb(values[-1])]
                sql = "select " + ", ".join(f"{mark}::{c}" for c in casts)
                for binary in (False, True):
                    m.expect(list(conn.execute(sql, args, binary=binary).fetchone()), values, f"{mark} {binary}")

    def prepared_many(self):
        with autocommit() as conn:
            for i in range(500):
                m.expect(one(conn, "select %s::int * 2", [i]), i * 2)
            for i in range(200):  # more than prepared_max: the oldest are deallocated
                for _ in range(2):
                    m.expect(conn.execute(f"select {i} + %s::int", [1], prepare=True).fetchone()[0], i + 1)
            n = one(conn, "select count(*) from pg_prepared_statements")
            m.expect(50 <= n <= 110, True, f"{n} prepared statements at the server")

    def copy_in(self):
        with connect() as conn:
            with conn.cursor() as cur:
                with cur.copy("copy scratch from stdin") as copy:
                    for i in range(20000):
                        copy.write_row((i, f"line {i}"))
                m.expect(cur.rowcount, 20000, "rows copied")
                with cur.copy("copy scratch from stdin (format binary)") as copy:
                    copy.set_types(["int4", "text"])
                    copy.write_row((1, "x"))
            m.expect(one(conn, "select count(*) from scratch"), 20001)
            conn.rollback()
            m.expect(one(conn, "select count(*) from scratch"), 0)

    def copy_out(self):
        with autocommit() as conn:
            cur = conn.cursor()
            sql = "copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout"
            with cur.copy(sql) as copy:
                m.expect(sum(bytes(block).count(b"\n") for block in copy), 50000, "lines")

            def leave():
                with cur.copy(sql) as copy:
                    copy.read()
                    raise RuntimeError("enough")  # the driver cancels and reads the rest

            m.raises(lambda e: type(e), RuntimeError, leave)
            alive(conn)
            m.raises(state, "42501", lambda: cur.copy("copy forbidden to stdout").__enter__(), m.refusal())
            alive(conn)

    def copy_fail(self):
        def broken(text, fail):
            with conn.cursor().copy("copy scratch from stdin") as copy:
                copy.write(text)
                if fail:
                    raise RuntimeError("no more")

        with autocommit() as conn:
            m.raises(lambda e: type(e), RuntimeError, lambda: broken("1\tx\n", True))
            m.raises(state, "22P02", lambda: broken("x\ty\n", False))
            alive(conn)
            m.expect(one(conn, "select count(*) from scratch"), 0)

    def server_cursor(self):
        with connect() as conn:
            with conn.cursor(name="named") as cur:
                cur.itersize = 100
                cur.execute("select generate_series(1, %s)", [10000])
                m.expect(sum(row[0] for row in cur), 50005000)
            with conn.cursor(name="early", scrollable=True) as cur:
                cur.execute("select generate_series(1, 1000000)")
                m.expect(len(cur.fetchmany(10)), 10)
                cur.scroll(0, mode="absolute")
                m.expect(cur.fetchone(), (1,))
            m.expect(sum(r[0] for r in conn.cursor().stream("select generate_series(1, 1000)")), 500500, "single rows")
            alive(conn)

    def pipeline(self):
        with autocommit() as conn:
            with conn.pipeline():
                curs = [conn.execute("select %s::int", [i]) for i in range(300)]
                m.expect([c.fetchone()[0] for c in curs], list(range(300)))
            self._pipelined_error(conn, "select * from no_such_table", "42P01")
            self._pipelined_error(conn, "select * from forbidden", "42501")
            alive(conn)
        with connect() as conn:  # the whole transaction in one pipeline
            with conn.pipeline(), conn.transaction():
                for i in range(50):
                    conn.execute("insert into scratch values (%s)", [i])
                count = conn.execute("select count(*) from scratch")
            m.expect(count.fetchone()[0], 50)
            conn.execute("delete from scratch")

    def _pipelined_error(self, conn, bad, code):
        """An error takes its whole unit with it, what came before and what comes after."""

        def batch():
            with conn.pipeline():
                conn.execute("insert into scratch values (1)")
                conn.execute(bad)
                conn.execute("insert into scratch values (2)")

        m.raises(state, code, batch)
        m.expect(one(conn, "select count(*) from scratch"), 0, "rows of a failed pipeline")
        with conn.pipeline() as pipe:
            conn.execute("insert into scratch values (1)")
            pipe.sync()
            cur = conn.execute("insert into scratch values (2)")
            pipe.sync()
            m.expect(cur.rowcount, 1)
        m.expect(conn.execute("delete from scratch").rowcount, 2)

    def notify(self):
        with autocommit() as conn, autocommit() as other:
            conn.execute("listen matrix_news")
            other.execute("select pg_notify('matrix_news', %s)", ["read all about it"])
            note = next(conn.notifies(timeout=10), None)
            m.expect((note.pid, note.payload), (other.info.backend_pid, "read all about it"))

    def cancel(self):
        with autocommit() as conn:
            for cancel in (conn.cancel, lambda: conn.cancel_safe(timeout=5)):
                m.after(0.3, cancel)
                with m.Clock(0.3):
                    m.raises(state, "57014", lambda: conn.execute("select pg_sleep(%s)", [30]))
                alive(conn)

    def error(self):
        with autocommit() as conn:
            m.raises(state, "42P01", lambda: conn.execute("select * from no_such_table where i = %s", [1]))
            m.raises(state, m.UNREADABLE, lambda: conn.execute("selec 1"))
            m.raises(state, "22012", lambda: conn.execute("select 1/(i - 500) from generate_series(1, 1000) i"))
            m.raises(state, "22P02", lambda: conn.execute("select %s::int", ["x"]))
            alive(conn)

    def error_in_tx(self):
        self._failing_tx("select * from no_such_table where 1 = %s", [1], "42P01", None)

    def refuse(self):
        with autocommit() as conn:
            m.raises(state, "42501", lambda: conn.execute("select * from forbidden"), m.refusal())
            m.raises(state, "42501", lambda: conn.execute("select * from forbidden where i = %s", [1]), m.refusal())
            m.raises(state, "42501", lambda: conn.execute("select * from forbidden", prepare=True), m.refusal())
            alive(conn)

    def refuse_in_tx(self):
        self._failing_tx("select * from forbidden where i = %s", [1], "42501", m.refusal())

    def timeout(self):
        with autocommit(m.SLOW_USER) as conn:
            with m.Clock(m.LIMIT):
                m.raises(state, "57014", lambda: conn.execute("select pg_sleep(%s)", [30]), "statement timeout")
            alive(conn)

    def timeout_in_tx(self):
        with m.Clock(2 * m.LIMIT):
            self._failing_tx("select pg_sleep(%s)", [30], "57014", "statement timeout", m.SLOW_USER)

    def x_timeout_in_pipeline(self):
        def batch():
            with conn.pipeline():
                conn.execute("insert into scratch values (1)")
                conn.execute("select pg_sleep(30)")
                conn.execute("insert into scratch values (2)")

        with autocommit(m.SLOW_USER) as conn:
            with m.Clock(m.LIMIT):
                m.raises(state, "57014", batch)
            m.expect(one(conn, "select count(*) from scratch"), 0)
            with m.Clock(3 * 0.8), conn.pipeline():  # each is shorter than the limit: none is cut off
                for _ in range(3):
                    conn.execute("select pg_sleep(0.8)")

    def _failing_tx(self, sql, args, code, text, user=m.USER):
        with connect(user) as conn:
            conn.execute("insert into scratch values (1)")
            m.raises(state, code, lambda: conn.execute(sql, args), text)
            m.raises(state, "25P02", lambda: conn.execute("select 1"))
            conn.rollback()
            m.expect(one(conn, "select count(*) from scratch"), 0, "rows after rollback")
            conn.execute("insert into scratch values (1)")

            def nested():
                with conn.transaction():
                    conn.execute(sql, args)

            m.raises(state, code, nested, text)
            conn.execute("insert into scratch values (2)")
            conn.commit()
            m.expect(one(conn, "select count(*) from scratch"), 2, "rows after commit")
            conn.execute("delete from scratch")

    def large_result(self):
        with autocommit() as conn:
            got = conn.execute("select " + m.LARGE_SQL).fetchone()[0]
            m.expect(got == m.large_text(), True, "64 MiB the same")
            alive(conn)

    def large_bind(self):
        with autocommit() as conn:
            m.expect(one(conn, f"select %b::text = {m.LARGE_SQL}", [m.large_text()]), True, "64 MiB the same")
            alive(conn)

    def oversize_text(self):
        with autocommit() as conn:
            for args in (None, ()):  # simple, then extended
                if m.GOVERNED:
                    m.raises(state, "54000", lambda: conn.execute(m.oversize_sql(), args))
                else:
                    m.expect(one(conn, m.oversize_sql(), args), 1)
                alive(conn)

    def kill_reconnect(self):
        conn = autocommit()
        m.kill_backend(conn.info.backend_pid)
        m.raises(lambda e: isinstance(e, psycopg.OperationalError), True, lambda: conn.execute("select 1"))
        m.expect(conn.closed, True, "closed")
        with autocommit() as again:
            alive(again)


m.run(Psycopg())
