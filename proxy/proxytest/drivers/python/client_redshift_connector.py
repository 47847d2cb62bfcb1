"""redshift_connector: AWS's own driver; Flush points inside a statement, pipelined Close and Sync."""

import datetime
import os
from decimal import Decimal

import redshift_connector
import redshift_connector.core

import matrix as m

os.environ["SSL_CERT_FILE"] = m.CA  # its own bundle and OpenSSL's default are all it trusts


class FirstWord:
    """Debian's Postgres calls itself "15.8 (Debian 15.8-0)", which the driver's parser of versions refuses."""

    def __init__(self, module):
        self._module = module

    def parse(self, text):
        return self._module.parse(text.split()[0])


class Scram(redshift_connector.core.ScramClient):
    """The driver takes the end of Postgres' list of mechanisms for one more, of no name, and gives up."""

    def __init__(self, mechanisms, *args):
        super().__init__([name for name in mechanisms if name], *args)


redshift_connector.core.version = FirstWord(redshift_connector.core.version)
redshift_connector.core.ScramClient = Scram


def connect(user=m.USER, **more):
    return redshift_connector.connect(
        host=m.HOST, port=m.PORT, user=user, password=m.PASSWORD, database=m.DB, ssl=m.TLS,
        sslmode=m.SSLMODE, ssl_insecure=False, client_protocol_version=2, **more,
    )


def autocommit(user=m.USER):
    conn = connect(user)
    conn.autocommit = True
    return conn


def state(err):
    return err.args[0].get("C") if err.args and isinstance(err.args[0], dict) else None


def do(conn, sql, args=None):
    cur = conn.cursor()
    cur.execute(sql, args)
    return cur


def one(conn, sql, args=None):
    return do(conn, sql, args).fetchone()[0]


def alive(conn):
    m.expect(one(conn, "select 40 + 2"), 42, "next query")


class RedshiftConnector:
    def connect(self):
        conn = connect(application_name="matrix redshift")
        m.expect(type(conn._usock).__name__ == "SSLSocket", m.TLS, "TLS")
        alive(conn)
        conn.close()

    def query(self):
        conn = autocommit()
        cur = do(conn, "select i, 'row ' || i from generate_series(1, 1000) i")
        m.expect(list(cur.fetchall()[999]), [1000, "row 1000"])
        do(conn, "drop table if exists nothing_here")
        m.expect(conn.notices[-1][b"M"], b'table "nothing_here" does not exist, skipping', "notice")
        alive(conn)

    def bind_types(self):
        values = [
            1, 2**40, Decimal("123.4500"), 1.5, True, None, "ünï'\\ \"x\" \u4e16",
            datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
        ]
        casts = "int4 int8 numeric(10,4) float8 bool text text date time timestamp".split()
        got = do(autocommit(), "select " + ", ".join(f"%s::{c}" for c in casts), values).fetchone()
        m.expect(list(got), values)

    def prepared_many(self):
        conn = autocommit()
        for i in range(200):
            m.expect(one(conn, "select %s::int * 2", [i]), i * 2)
        for i in range(50):
            m.expect(one(conn, f"select {i} + %s::int", [1]), i + 1)

    def copy_in(self):
        raise m.Skip("Redshift's COPY reads from S3; the driver's stream support is not part of its interface")

    def copy_out(self):
        raise m.Skip("as copy_in")

    def copy_fail(self):
        raise m.Skip("as copy_in")

    def server_cursor(self):
        conn = connect()
        do(conn, "declare named cursor for select generate_series(1, 10000)")
        total = 0
        while rows := do(conn, "fetch forward 1000 from named").fetchall():
            total += sum(r[0] for r in rows)
        m.expect(total, 50005000)
        do(conn, "close named")
        alive(conn)
        conn.rollback()

    def pipeline(self):
        conn = connect()
        cur = conn.cursor()
        cur.executemany("insert into scratch values (%s, %s)", [(i, "x") for i in range(200)])
        m.expect(one(conn, "select count(*) from scratch"), 200)
        conn.rollback()

    def cancel(self):
        raise m.Skip("the driver has no cancel")

    def error(self):
        conn = autocommit()
        m.raises(state, "42P01", lambda: do(conn, "select * from no_such_table where i = %s", [1]))
        m.raises(state, "42601", lambda: do(conn, "selec 1"))  # the server answers the Parse before the door sees a Bind
        m.raises(state, "22012", lambda: do(conn, "select 1/(i - 500) from generate_series(1, 1000) i").fetchall())
        alive(conn)

    def error_in_tx(self):
        self._failing_tx("select * from no_such_table", "42P01", None)

    def refuse(self):
        conn = autocommit()
        m.raises(state, "42501", lambda: do(conn, "select * from forbidden"), m.refusal())
        m.raises(state, "42501", lambda: do(conn, "select * from forbidden where i = %s", [1]), m.refusal())
        alive(conn)

    def refuse_in_tx(self):
        self._failing_tx("select * from forbidden", "42501", m.refusal())

    def timeout(self):
        conn = autocommit(m.SLOW_USER)
        with m.Clock(m.LIMIT):
            m.raises(state, "57014", lambda: do(conn, "select pg_sleep(30)"), "statement timeout")
        alive(conn)

    def timeout_in_tx(self):
        with m.Clock(m.LIMIT):
            self._failing_tx("select pg_sleep(30)", "57014", "statement timeout", m.SLOW_USER)

    def _failing_tx(self, sql, code, text, user=m.USER):
        conn = connect(user)
        do(conn, "insert into scratch values (1)")
        m.raises(state, code, lambda: do(conn, sql), text)
        m.raises(state, "25P02", lambda: do(conn, "select 1"))
        conn.rollback()
        m.expect(one(conn, "select count(*) from scratch"), 0, "rows after rollback")
        conn.rollback()

    def large_result(self):
        conn = autocommit()
        m.expect(one(conn, "select " + m.LARGE_SQL) == m.large_text(), True, "64 MiB the same")
        alive(conn)

    def large_bind(self):
        conn = autocommit()
        same = one(conn, f"select %s::text = {m.LARGE_SQL}", [m.large_text()])
        m.expect(same, True, "64 MiB the same")
        alive(conn)

    def oversize_text(self):
        conn = autocommit()
        if m.GOVERNED:
            m.raises(state, "54000", lambda: do(conn, m.oversize_sql()))
        else:
            m.expect(one(conn, m.oversize_sql()), 1)
        alive(conn)

    def kill_reconnect(self):
        conn = autocommit()
        m.kill_backend(one(conn, "select pg_backend_pid()"))
        m.raises(lambda e: isinstance(e, redshift_connector.Error), True, lambda: do(conn, "select 1"))
        alive(autocommit())


if m.GOVERNED:
    m.run(RedshiftConnector())
m.run(object(), "Postgres itself refuses the parameters this driver starts with")
