"""psqlODBC through pyodbc: Debian's driver, cursors by DECLARE and FETCH, savepoints of its own."""

import datetime
import os
import uuid
from decimal import Decimal

import pyodbc

import matrix as m

pyodbc.pooling = False


def connect(user=m.USER, autocommit=False, **more):
    options = {
        "Driver": os.environ["LK_ODBC_DRIVER"], "Servername": m.HOST, "Port": m.PORT, "Database": m.DB, "Username": user,
        "Password": m.PASSWORD, "SSLmode": m.SSLMODE, "ByteaAsLongVarBinary": 1, "pqopt": "{" + (f"sslrootcert={m.CA}" if m.CA else "") + "}",
    }
    text = ";".join(f"{k}={v}" for k, v in (options | more).items())
    return pyodbc.connect(text, autocommit=autocommit)


def state(err):
    return err.args[0] if err.args else None


def one(conn, sql, *args):
    return conn.execute(sql, *args).fetchone()[0]


def alive(conn):
    m.expect(one(conn, "select 40 + ?::int", 2), 42, "next query")


class PsqlODBC:
    def connect(self):
        conn = connect()
        m.expect(conn.getinfo(pyodbc.SQL_DBMS_NAME), "PostgreSQL")
        alive(conn)
        conn.close()

    def query(self):
        conn = connect(autocommit=True)
        rows = conn.execute("select i, 'row ' || i from generate_series(1, 1000) i").fetchall()
        m.expect(tuple(rows[999]), (1000, "row 1000"))
        cur = conn.execute("select 1; select 2; select 3")
        m.expect([(r := cur.fetchone()[0], cur.nextset())[0] for _ in range(3)], [1, 2, 3])
        alive(conn)

    def bind_types(self):
        values = [
            1, 2**40, Decimal("123.4500"), 1.5, None, "ünï'\\ \"x\" \u4e16", b"\x00\x01\xff",
            datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.datetime(2024, 2, 29, 1, 2, 3, 4), uuid.UUID(int=7),
        ]
        casts = "int4 int8 numeric(10,4) float8 text text bytea date time timestamp uuid".split()
        for prepare in (0, 1):
            conn = connect(autocommit=True, UseServerSidePrepare=prepare)
            got = list(conn.execute("select " + ", ".join(f"?::{c}" for c in casts), *values).fetchone())
            got[-1] = uuid.UUID(str(got[-1]))
            m.expect(got, values, f"UseServerSidePrepare={prepare}")

    def prepared_many(self):
        cur = connect(autocommit=True, UseServerSidePrepare=1).cursor()
        for i in range(500):
            m.expect(cur.execute("select ?::int * 2", i).fetchone()[0], i * 2)

    def copy_in(self):
        raise m.Skip("psqlODBC has no COPY")

    def copy_out(self):
        raise m.Skip("psqlODBC has no COPY")

    def copy_fail(self):
        raise m.Skip("psqlODBC has no COPY")

    def server_cursor(self):
        conn = connect(UseDeclareFetch=1, Fetch=100)
        m.expect(sum(r[0] for r in conn.execute("select generate_series(1, 10000)")), 50005000)
        cur = conn.execute("select generate_series(1, 1000000)")
        m.expect(len(cur.fetchmany(10)), 10)
        cur.close()
        alive(conn)

    def pipeline(self):
        conn = connect()
        cur = conn.cursor()
        cur.fast_executemany = True
        cur.executemany("insert into scratch values (?, ?)", [(i, "x") for i in range(500)])
        m.expect(one(conn, "select count(*) from scratch"), 500)
        conn.rollback()

    def cancel(self):
        conn = connect(autocommit=True)
        cur = conn.cursor()
        m.after(0.3, cur.cancel)
        with m.Clock(0.3):
            m.raises(state, "57014", lambda: cur.execute("select pg_sleep(30)"))
        alive(conn)

    def error(self):
        conn = connect(autocommit=True)
        m.raises(state, "42P01", lambda: conn.execute("select * from no_such_table where i = ?", 1))
        m.raises(state, m.UNREADABLE, lambda: conn.execute("selec 1"))
        alive(conn)

    def error_in_tx(self):
        self._failing_tx("select * from no_such_table", "42P01", None)

    def refuse(self):
        conn = connect(autocommit=True)
        m.raises(state, "42501", lambda: conn.execute("select * from forbidden"), m.refusal())
        m.raises(state, "42501", lambda: conn.execute("select * from forbidden where i = ?", 1), m.refusal())
        alive(conn)

    def refuse_in_tx(self):
        self._failing_tx("select * from forbidden", "42501", m.refusal())

    def timeout(self):
        conn = connect(m.SLOW_USER, autocommit=True)
        with m.Clock(m.LIMIT):
            m.raises(state, "57014", lambda: conn.execute("select pg_sleep(30)"), "statement timeout")
        alive(conn)

    def timeout_in_tx(self):
        with m.Clock(2 * m.LIMIT):
            self._failing_tx("select pg_sleep(30)", "57014", "statement timeout", m.SLOW_USER)

    def _failing_tx(self, sql, code, text, user=m.USER):
        """Protocol=-0: the driver leaves a failed transaction alone; -2: it guards each statement by a savepoint."""
        conn = connect(user, Protocol="7.4-0")
        conn.execute("insert into scratch values (1)")
        m.raises(state, code, lambda: conn.execute(sql), text)
        m.raises(state, "25P02", lambda: conn.execute("select 1"))
        conn.rollback()
        m.expect(one(conn, "select count(*) from scratch"), 0, "rows after rollback")
        conn.close()
        conn = connect(user, Protocol="7.4-2")
        conn.execute("insert into scratch values (1)")
        m.raises(state, code, lambda: conn.execute(sql), text)
        conn.execute("insert into scratch values (2)")
        conn.commit()
        m.expect(conn.execute("delete from scratch").rowcount, 2)
        conn.commit()

    def large_result(self):
        conn = connect(autocommit=True, MaxLongVarcharSize=m.LARGE + 100)
        m.expect(one(conn, "select " + m.LARGE_SQL) == m.large_text(), True, "64 MiB the same")
        alive(conn)

    def large_bind(self):
        conn = connect(autocommit=True, UseServerSidePrepare=1, MaxLongVarcharSize=m.LARGE + 100)
        m.expect(one(conn, f"select (?::text = {m.LARGE_SQL})::int", m.large_text()), 1, "64 MiB the same")
        alive(conn)

    def oversize_text(self):
        conn = connect(autocommit=True)
        if m.GOVERNED:
            m.raises(state, "54000", lambda: conn.execute(m.oversize_sql()))
        else:
            m.expect(one(conn, m.oversize_sql()), 1)
        alive(conn)

    def kill_reconnect(self):
        conn = connect(autocommit=True)
        m.kill_backend(one(conn, "select pg_backend_pid()"))
        m.raises(lambda e: isinstance(e, pyodbc.Error), True, lambda: conn.execute("select 1"))
        alive(connect(autocommit=True))


m.run(PsqlODBC())
