"""SQLAlchemy: engine, pool with pre-ping, ORM-like statements, reflection. LK_DIALECT names the driver under it."""

import datetime
import os
import uuid
from decimal import Decimal

import sqlalchemy as sa

import matrix as m

DIALECT = os.environ.get("LK_DIALECT", "psycopg")
BINDS = DIALECT != "psycopg2"  # else values go into the text


def engine(user=m.USER, **more):
    url = sa.URL.create(
        f"postgresql+{DIALECT}", user, m.PASSWORD, m.HOST, m.PORT, m.DB, {"sslmode": m.SSLMODE, "sslrootcert": m.CA}
    )
    return sa.create_engine(url, pool_size=2, **more)


def state(err):
    orig = getattr(err, "orig", None)
    return getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)


def one(conn, sql, **args):
    return conn.execute(sa.text(sql), args).scalar()


def alive(conn):
    m.expect(one(conn, "select 40 + :n", n=2), 42, "next query")


def scratch():
    return sa.Table("scratch", sa.MetaData(), sa.Column("i", sa.Integer), sa.Column("t", sa.Text))


class SQLAlchemy:
    def connect(self):
        eng = engine()
        with eng.connect() as conn:
            alive(conn)
            info = conn.connection.dbapi_connection.info
            m.expect(one(conn, "select pg_backend_pid()"), info.backend_pid, "backend pid")
        m.expect(eng.dialect.server_version_info >= (8, 0), True, "server version")
        eng.dispose()

    def query(self):
        with engine().connect() as conn:
            rows = conn.execute(sa.text("select i, 'row ' || i from generate_series(1, :n) i"), {"n": 1000}).all()
            m.expect((len(rows), tuple(rows[999])), (1000, (1000, "row 1000")))
            alive(conn)

    def bind_types(self):
        values = {
            sa.Integer: 1, sa.BigInteger: 2**40, sa.Numeric: Decimal("123.4500"), sa.Float: 1.5, sa.Boolean: True,
            sa.Text: "ünï'\\ \"x\" \u4e16", sa.LargeBinary: b"\x00\x01\xff", sa.Date: datetime.date(2024, 2, 29),
            sa.Time: datetime.time(1, 2, 3), sa.DateTime: datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
            sa.Interval: datetime.timedelta(days=3, seconds=5), sa.Uuid: uuid.UUID(int=7), sa.JSON: {"a": [1, None]},
        }
        columns = [sa.Column(f"c{n}", kind) for n, kind in enumerate(values)]
        columns.append(sa.Column("nothing", sa.Text))
        columns.append(sa.Column("many", sa.ARRAY(sa.Integer)))
        table = sa.Table("kinds", sa.MetaData(), *columns)
        row = {f"c{n}": v for n, v in enumerate(values.values())} | {"nothing": None, "many": [1, 2, 3]}
        with engine().begin() as conn:
            table.create(conn)
            conn.execute(table.insert(), row)
            m.expect(dict(conn.execute(table.select()).mappings().one()), row)
            conn.rollback()

    def prepared_many(self):
        table = scratch()
        with engine().connect() as conn:
            stmt = sa.select(sa.literal(2) * sa.bindparam("n", type_=sa.Integer))
            for i in range(300):
                m.expect(conn.execute(stmt, {"n": i}).scalar(), i * 2)
            for i in range(100):
                conn.execute(sa.select(table.c.i).where(table.c.i == i)).all()

    def server_cursor(self):
        with engine().connect() as conn:
            stream = conn.execution_options(yield_per=100)
            rows = stream.execute(sa.text("select generate_series(1, 10000)"))
            m.expect(sum(r[0] for r in rows), 50005000)
            rows = stream.execute(sa.text("select generate_series(1, 1000000)"))
            m.expect(len(rows.fetchmany(10)), 10)
            rows.close()
            alive(conn)

    def pipeline(self):
        """insertmanyvalues and executemany: batches of rows in few round trips."""
        table = scratch()
        with engine().connect() as conn:
            conn.execute(table.insert(), [{"i": i, "t": "x"} for i in range(2000)])
            got = conn.execute(table.insert().returning(table.c.i), [{"i": i, "t": "y"} for i in range(2000)]).all()
            m.expect(len(got), 2000)
            update = table.update().where(table.c.i == sa.bindparam("which")).values(t="z")
            m.expect(conn.execute(update, [{"which": i} for i in range(50)]).rowcount, 100)
            conn.rollback()

    def cancel(self):
        with engine().connect() as conn:
            m.after(0.3, conn.connection.dbapi_connection.cancel)
            with m.Clock(0.3):
                m.raises(state, "57014", lambda: one(conn, "select pg_sleep(:n)", n=30))
            conn.rollback()
            alive(conn)

    def error(self):
        with engine(isolation_level="AUTOCOMMIT").connect() as conn:
            m.raises(state, "42P01", lambda: one(conn, "select * from no_such_table where i = :n", n=1))
            m.raises(state, m.UNREADABLE, lambda: one(conn, "selec 1"))
            alive(conn)

    def error_in_tx(self):
        self._failing_tx("select * from no_such_table where 1 = :n", "42P01", None)

    def refuse(self):
        with engine(isolation_level="AUTOCOMMIT").connect() as conn:
            m.raises(state, "42501", lambda: one(conn, "select * from forbidden"), m.refusal())
            m.raises(state, "42501", lambda: one(conn, "select * from forbidden where i = :n", n=1), m.refusal())
            alive(conn)

    def refuse_in_tx(self):
        self._failing_tx("select * from forbidden where i = :n", "42501", m.refusal())

    def timeout(self):
        with engine(m.SLOW_USER, isolation_level="AUTOCOMMIT").connect() as conn:
            with m.Clock(m.LIMIT):
                m.raises(state, "57014", lambda: one(conn, "select pg_sleep(:n)", n=30), "statement timeout")
            m.expect(conn.invalidated, False, "connection given up")
            alive(conn)

    def timeout_in_tx(self):
        with m.Clock(2 * m.LIMIT):
            self._failing_tx("select pg_sleep(30 * :n)", "57014", "statement timeout", m.SLOW_USER)

    def _failing_tx(self, sql, code, text, user=m.USER):
        with engine(user).connect() as conn:
            one_more = scratch().insert().values(i=1)
            conn.execute(one_more)
            m.raises(state, code, lambda: one(conn, sql, n=1), text)
            m.raises(state, "25P02", lambda: one(conn, "select 1"))
            conn.rollback()
            m.expect(one(conn, "select count(*) from scratch"), 0, "rows after rollback")
            conn.execute(one_more)

            def nested():
                with conn.begin_nested():
                    one(conn, sql, n=1)

            m.raises(state, code, nested, text)
            conn.execute(one_more)
            conn.commit()
            m.expect(one(conn, "select count(*) from scratch"), 2, "rows after commit")
            conn.execute(scratch().delete())
            conn.commit()

    def large_result(self):
        with engine().connect() as conn:
            m.expect(one(conn, "select " + m.LARGE_SQL) == m.large_text(), True, "64 MiB the same")
            alive(conn)

    def large_bind(self):
        if not BINDS:
            raise m.Skip("psycopg2 puts values into the text")
        with engine().connect() as conn:
            same = one(conn, f"select cast(:t as text) = {m.LARGE_SQL}", t=m.large_text())
            m.expect(same, True, "64 MiB the same")
            alive(conn)

    def oversize_text(self):
        with engine(isolation_level="AUTOCOMMIT").connect() as conn:
            if m.GOVERNED:
                m.raises(state, "54000", lambda: conn.exec_driver_sql(m.oversize_sql()))
            else:
                m.expect(conn.exec_driver_sql(m.oversize_sql()).scalar(), 1)
            alive(conn)

    def kill_reconnect(self):
        eng = engine(pool_pre_ping=True)
        with eng.connect() as conn:
            pid = one(conn, "select pg_backend_pid()")
        m.kill_backend(pid)
        with eng.connect() as conn:  # the ping finds it dead and the pool opens another
            alive(conn)
            pid = one(conn, "select pg_backend_pid()")
            m.kill_backend(pid)
            m.raises(lambda e: getattr(e, "connection_invalidated", False), True, lambda: alive(conn))
            conn.rollback()
            alive(conn)

    def x_reflection(self):
        eng = engine()
        with eng.begin() as conn:
            conn.execute(sa.text("create table parent (id int primary key, name varchar(10) not null)"))
            conn.execute(sa.text("create table child (id int references parent, note text default 'x')"))
        meta = sa.MetaData()
        meta.reflect(eng)
        m.expect(list(meta.tables["parent"].primary_key.columns.keys()), ["id"])
        m.expect(len(meta.tables["child"].foreign_keys), 1)
        meta.drop_all(eng, [meta.tables["child"], meta.tables["parent"]])


m.run(SQLAlchemy())
