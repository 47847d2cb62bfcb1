"""psycopg2: simple protocol, values put into the text by the client."""

import datetime
import io
import select
import uuid
from decimal import Decimal

import psycopg2
import psycopg2.extras

import matrix as m

psycopg2.extras.register_uuid()


def connect(user=m.USER, **more):
    return psycopg2.connect(
        host=m.HOST, port=m.PORT, user=user, password=m.PASSWORD, dbname=m.DB, sslmode=m.SSLMODE, sslrootcert=m.CA, **more
    )


def autocommit(user=m.USER):
    conn = connect(user)
    conn.autocommit = True
    return conn


def state(err):
    return getattr(err, "pgcode", None)


def one(conn, sql, args=None):
    with conn.cursor() as cur:
        cur.execute(sql, args)
        return cur.fetchone()[0]


def do(conn, sql, args=None):
    with conn.cursor() as cur:
        cur.execute(sql, args)


def alive(conn):
    m.expect(one(conn, "select 40 + 2"), 42, "next query")


class Psycopg2:
    def connect(self):
        conn = connect()
        m.expect(conn.info.ssl_in_use, m.TLS, "TLS")
        m.expect(one(conn, "select pg_backend_pid()"), conn.info.backend_pid, "backend pid")
        m.expect(conn.info.parameter_status("server_encoding"), "UTF8", "server_encoding")
        conn.close()

    def query(self):
        conn = autocommit()
        with conn.cursor() as cur:
            cur.execute("select i, 'row ' || i from generate_series(1, 1000) i")
            rows = cur.fetchall()
            m.expect((len(rows), rows[999]), (1000, (1000, "row 1000")))
            cur.execute("select 1; select 2; select 3")
            m.expect(cur.fetchone(), (3,), "last of several")
            cur.execute("drop table if exists nothing_here")
        m.expect(conn.notices[-1].strip(), 'NOTICE:  table "nothing_here" does not exist, skipping', "notice")
        m.raises(lambda e: "empty" in str(e), True, lambda: do(conn, ""))
        alive(conn)

    def bind_types(self):
        conn = autocommit()
        values = [
            1, 2**40, Decimal("123.4500"), 1.5, True, None, "ünï'\\ \"x\" \u4e16", b"\x00\x01\xff",
            datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
            datetime.timedelta(days=3, seconds=5), uuid.UUID(int=7), [1, 2, 3], ["a", 'b"c', None],
        ]
        casts = (
            "int4 int8 numeric float8 bool text text bytea date time timestamp interval uuid int4[] text[]"
        ).split()
        with conn.cursor() as cur:
            cur.execute("select " + ", ".join(f"%s::{c}" for c in casts), values)
            got = list(cur.fetchone())
            got[7] = bytes(got[7])
            m.expect(got, values)
            cur.execute("select %s::jsonb", [psycopg2.extras.Json({"a": [1, None]})])
            m.expect(cur.fetchone()[0], {"a": [1, None]})

    def prepared_many(self):
        conn = autocommit()
        do(conn, "prepare twice(int) as select $1 * 2")
        for i in range(500):
            m.expect(one(conn, "execute twice(%s)", [i]), i * 2)
        do(conn, "deallocate twice")
        # EXECUTE of what the door never saw prepared may be anything: the deny rule stands before it
        m.raises(state, "42501" if m.GOVERNED else "26000", lambda: do(conn, "execute twice(1)"))
        alive(conn)

    def copy_in(self):
        conn = connect()
        with conn.cursor() as cur:
            cur.copy_expert("copy scratch from stdin", io.StringIO("".join(f"{i}\tline {i}\n" for i in range(20000))))
            m.expect(cur.rowcount, 20000, "rows copied")
        m.expect(one(conn, "select count(*) from scratch"), 20000)
        conn.rollback()
        m.expect(one(conn, "select count(*) from scratch"), 0)

    def copy_out(self):
        conn = autocommit()
        out = io.BytesIO()
        with conn.cursor() as cur:
            cur.copy_expert("copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout", out)
            m.expect(out.getvalue().count(b"\n"), 50000, "lines")
            m.raises(state, "42501", lambda: cur.copy_expert("copy forbidden to stdout", io.BytesIO()), m.refusal())
        alive(conn)

    def copy_fail(self):
        conn = autocommit()

        class Broken(io.StringIO):
            def read(self, size=-1):
                raise RuntimeError("no more")

        with conn.cursor() as cur:
            m.raises(state, "57014", lambda: cur.copy_expert("copy scratch from stdin", Broken()))
            m.raises(state, "22P02", lambda: cur.copy_expert("copy scratch from stdin", io.StringIO("x\ty\n")))
        alive(conn)
        m.expect(one(conn, "select count(*) from scratch"), 0)

    def server_cursor(self):
        conn = connect()
        with conn.cursor(name="named") as cur:
            cur.itersize = 100
            cur.execute("select generate_series(1, 10000)")
            m.expect(sum(row[0] for row in cur), 50005000)
        with conn.cursor(name="early") as cur:
            cur.execute("select generate_series(1, 1000000)")
            m.expect(len(cur.fetchmany(10)), 10)
        alive(conn)
        conn.commit()

    def notify(self):
        conn, other = autocommit(), autocommit()
        do(conn, "listen matrix_news")
        do(other, "select pg_notify('matrix_news', 'read all about it')")
        if not select.select([conn], [], [], 10)[0]:
            raise AssertionError("no notification in 10 s")
        conn.poll()
        note = conn.notifies.pop()
        m.expect((note.pid, note.payload), (other.info.backend_pid, "read all about it"))

    def cancel(self):
        conn = autocommit()
        m.after(0.3, conn.cancel)
        with m.Clock(0.3):
            m.raises(state, "57014", lambda: do(conn, "select pg_sleep(30)"))
        alive(conn)

    def error(self):
        conn = autocommit()
        m.raises(state, "42P01", lambda: do(conn, "select * from no_such_table"))
        m.raises(state, m.UNREADABLE, lambda: do(conn, "selec 1"))
        m.raises(state, "22012", lambda: do(conn, "select 1/(i - 500) from generate_series(1, 1000) i"))
        alive(conn)

    def error_in_tx(self):
        self._failing_tx("select * from no_such_table", "42P01", None)

    def refuse(self):
        conn = autocommit()
        m.raises(state, "42501", lambda: do(conn, "select * from forbidden"), m.refusal())
        m.raises(state, "42501", lambda: do(conn, "select * from forbidden where i = %s", [1]), m.refusal())
        m.raises(state, "42501", lambda: do(conn, "insert into scratch values (1); select * from forbidden"))
        m.expect(one(conn, "select count(*) from scratch"), 0, "rows of a refused string")
        alive(conn)

    def refuse_in_tx(self):
        self._failing_tx("select * from forbidden", "42501", m.refusal())

    def timeout(self):
        conn = autocommit(m.SLOW_USER)
        with m.Clock(m.LIMIT):
            m.raises(state, "57014", lambda: do(conn, "select pg_sleep(30)"), "statement timeout")
        alive(conn)

    def timeout_in_tx(self):
        with m.Clock(2 * m.LIMIT):
            self._failing_tx("select pg_sleep(30)", "57014", "statement timeout", m.SLOW_USER)

    def _failing_tx(self, sql, code, text, user=m.USER):
        conn = connect(user)
        do(conn, "insert into scratch values (1)")
        m.raises(state, code, lambda: do(conn, sql), text)
        m.raises(state, "25P02", lambda: do(conn, "select 1"))
        conn.rollback()
        m.expect(one(conn, "select count(*) from scratch"), 0, "rows after rollback")
        do(conn, "insert into scratch values (1)")
        do(conn, "savepoint here")
        m.raises(state, code, lambda: do(conn, sql), text)
        do(conn, "rollback to savepoint here")
        do(conn, "insert into scratch values (2)")
        conn.commit()
        m.expect(one(conn, "select count(*) from scratch"), 2, "rows after commit")
        do(conn, "delete from scratch")
        conn.commit()
        conn.close()

    def large_result(self):
        conn = autocommit()
        m.expect(one(conn, "select " + m.LARGE_SQL) == m.large_text(), True, "64 MiB the same")
        alive(conn)

    def large_bind(self):
        raise m.Skip("psycopg2 puts values into the text")

    def oversize_text(self):
        conn = autocommit()
        if m.GOVERNED:
            m.raises(state, "54000", lambda: do(conn, m.oversize_sql()))
        else:
            m.expect(one(conn, m.oversize_sql()), 1)
        alive(conn)

    def kill_reconnect(self):
        conn = autocommit()
        m.kill_backend(conn.info.backend_pid)
        m.raises(lambda e: isinstance(e, psycopg2.OperationalError), True, lambda: do(conn, "select 1"))
        m.expect(conn.closed != 0, True, "closed")
        alive(autocommit())


m.run(Psycopg2())
