import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/**
 * The matrix's client for pgjdbc: BEGIN and the first statement in one Sync, statements named from the fifth use,
 * portals by fetch size, batches, autosave.
 *
 * <p>Prints one line for each check: ok NAME MILLISECONDS, FAIL NAME reason, skip NAME reason.
 */
public class Matrix {
    static final Map<String, String> ENV = System.getenv();
    static final boolean GOVERNED = "1".equals(ENV.get("LK_GOVERNED"));
    static final String REFUSAL = GOVERNED ? "forbidden is closed here" : "permission denied";
    static final String USER = ENV.get("LK_USER");
    static final String SLOW_USER = ENV.get("LK_SLOW_USER"); // its statements are cut off after LIMIT seconds
    static final double LIMIT = 2.0;
    static final double SLACK = 3.0; // a busy machine may add it: less than the grace before a cancel is repeated
    static final String LARGE_SQL = "repeat('abcdefgh', 8388608)";
    static final int OVERSIZE = 17 << 20; // more than max_statement_bytes

    interface Check { void run() throws Exception; }

    interface Act { void with(Connection c) throws Exception; }

    static class Skip extends Exception {
        Skip(String why) { super(why); }
    }

    final Map<String, Check> checks = new LinkedHashMap<>();

    public static void main(String[] args) {
        System.exit(new Matrix().run() ? 0 : 1);
    }

    boolean run() {
        add();
        String wanted = ENV.getOrDefault("LK_CHECKS", "");
        boolean good = true;
        ExecutorService pool = Executors.newCachedThreadPool(r -> {
            Thread t = new Thread(r);
            t.setDaemon(true);
            return t;
        });
        for (var check : checks.entrySet()) {
            String name = check.getKey();
            if (!wanted.isEmpty() && !List.of(wanted.split(",")).contains(name)) continue;
            long start = System.nanoTime();
            try {
                Future<?> done = pool.submit(() -> {
                    check.getValue().run();
                    return null;
                });
                done.get(60, TimeUnit.SECONDS);
                System.out.println("ok " + name + " " + (System.nanoTime() - start) / 1_000_000);
            } catch (Exception e) {
                Throwable why = e instanceof ExecutionException ? e.getCause() : e;
                if (why instanceof Skip) {
                    System.out.println("skip " + name + " " + why.getMessage());
                    continue;
                }
                if (ENV.containsKey("LK_TRACE")) why.printStackTrace();
                String line = why.toString().replaceAll("\\s+", " ");
                System.out.println("FAIL " + name + " " + line.substring(0, Math.min(line.length(), 400)));
                good = false;
            }
        }
        return good;
    }

    void add() {
        checks.put("connect", with(this::connect));
        checks.put("query", with(this::query));
        checks.put("bind_types", this::bindTypes);
        checks.put("prepared_many", this::preparedMany);
        checks.put("copy_in", with(this::copyIn));
        checks.put("copy_out", with(this::copyOut));
        checks.put("copy_fail", with(this::copyFail));
        checks.put("server_cursor", with(this::serverCursor));
        checks.put("pipeline", with(this::batch));
        checks.put("notify", with(this::notifies));
        checks.put("cancel", with(this::cancel));
        checks.put("error", with(this::error));
        checks.put("error_in_tx", () -> failingTx("select * from no_such_table where i = ?", "42P01", "", USER));
        checks.put("refuse", with(this::refuse));
        checks.put("refuse_in_tx", () -> failingTx("select * from forbidden where i = ?", "42501", REFUSAL, USER));
        checks.put("timeout", this::timeout);
        checks.put("timeout_in_tx", () -> lasts(2 * LIMIT,
                () -> failingTx("select pg_sleep(30 * ?)", "57014", "statement timeout", SLOW_USER)));
        checks.put("large_result", with(this::largeResult));
        checks.put("large_bind", with(this::largeBind));
        checks.put("oversize_text", this::oversizeText);
        checks.put("kill_reconnect", this::killReconnect);
        checks.put("x_autosave", this::autosave);
        checks.put("x_metadata", with(this::metadata));
    }

    static Connection open(String user, String... more) throws SQLException {
        Properties p = new Properties();
        p.put("user", user);
        p.put("password", ENV.getOrDefault("LK_PASSWORD", ""));
        p.put("sslmode", ENV.getOrDefault("LK_SSLMODE", "disable"));
        p.put("sslrootcert", ENV.getOrDefault("LK_CA", ""));
        p.put("gssEncMode", "disable");
        for (int i = 0; i < more.length; i += 2) p.put(more[i], more[i + 1]);
        String url = "jdbc:postgresql://" + ENV.get("LK_HOST") + ":" + ENV.get("LK_PORT") + "/" + ENV.get("LK_DB");
        return DriverManager.getConnection(url, p);
    }

    static Check with(Act act) {
        return () -> {
            try (Connection c = open(USER)) {
                act.with(c);
            }
        };
    }

    static Object one(Connection c, String sql, Object... args) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
            try (ResultSet r = s.executeQuery()) {
                r.next();
                return r.getObject(1);
            }
        }
    }

    static int run(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return s.execute(sql) ? -1 : s.getUpdateCount();
        }
    }

    static void alive(Connection c) throws Exception {
        expect(one(c, "select 40 + ?", 2), 42, "next query");
    }

    static void expect(Object got, Object want, String what) throws Exception {
        if (!Objects.deepEquals(got, want)) {
            throw new Exception(what + ": got " + shorten(got) + ", want " + shorten(want));
        }
    }

    static String shorten(Object v) {
        String text = v instanceof Object[] a ? Arrays.deepToString(a) : String.valueOf(v);
        return text.length() < 200 ? text : text.substring(0, 200) + "...";
    }

    static void raises(String state, String text, Check act) throws Exception {
        SQLException err = null;
        try {
            act.run();
        } catch (SQLException e) {
            err = e;
        }
        if (err == null) throw new Exception("no error, want " + state);
        if (!state.equals(err.getSQLState())) throw new Exception("SQLSTATE " + err.getSQLState() + ", want " + state, err);
        if (!err.getMessage().contains(text)) throw new Exception(state + " without '" + text + "': " + err.getMessage());
    }

    static void lasts(double want, Check act) throws Exception {
        long start = System.nanoTime();
        act.run();
        double took = (System.nanoTime() - start) / 1e9;
        if (took < want - 0.1 || took > want + SLACK) throw new Exception("took " + took + " s, want " + want);
    }

    static void killBackend(int pid) throws Exception {
        new ProcessBuilder("psql", "-XqAto", "/dev/null", ENV.get("LK_KILL"), "-c",
                "select pg_terminate_backend(" + pid + ", 5000)").inheritIO().start().waitFor();
    }

    void connect(Connection c) throws Exception {
        expect(one(c, "select pg_backend_pid()"), c.unwrap(PGConnection.class).getBackendPID(), "backend pid");
        expect(c.isValid(5), true, "valid");
        expect(c.getMetaData().getDatabaseProductName(), "PostgreSQL", "product");
    }

    void query(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            ResultSet r = s.executeQuery("select i, 'row ' || i from generate_series(1, 1000) i");
            int n = 0;
            String last = "";
            while (r.next()) {
                n++;
                last = r.getString(2);
            }
            expect(n + last, "1000row 1000", "rows");
            expect(s.execute("select 1; select 2; select 3"), true, "several statements");
            for (int i = 1; i <= 3; i++) {
                r = s.getResultSet();
                r.next();
                expect(r.getInt(1), i, "result");
                s.getMoreResults();
            }
            s.execute("drop table if exists nothing_here");
            expect(s.getWarnings().getMessage(), "table \"nothing_here\" does not exist, skipping", "notice");
            s.execute("");
            s.execute("-- nothing but a comment");
        }
        alive(c);
        try (Connection simple = open(USER, "preferQueryMode", "simple")) {
            alive(simple);
        }
    }

    void bindTypes() throws Exception {
        UUID uuid = new UUID(0, 7);
        Object[] values = {1, 1L << 40, new BigDecimal("123.4500"), 1.5, true, "ünï'\\ \"x\" \u4e16", new byte[] {0, 1, -1},
            LocalDate.of(2024, 2, 29), LocalTime.of(1, 2, 3), LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4000), uuid, null};
        Class<?>[] classes = {Integer.class, Long.class, BigDecimal.class, Double.class, Boolean.class, String.class, byte[].class,
            LocalDate.class, LocalTime.class, LocalDateTime.class, UUID.class, String.class};
        String[] casts = {"int4", "int8", "numeric", "float8", "bool", "text", "bytea", "date", "time", "timestamp", "uuid", "text"};
        for (String binary : List.of("true", "false")) {
            try (Connection c = open(USER, "binaryTransfer", binary)) {
                StringJoiner sql = new StringJoiner(", ", "select ", ", ?::int4[], ?::jsonb");
                for (String cast : casts) sql.add("?::" + cast);
                try (PreparedStatement s = c.prepareStatement(sql.toString())) {
                    for (int round = 0; round < 7; round++) { // text at first, named and binary later
                        for (int i = 0; i < values.length; i++) s.setObject(i + 1, values[i]);
                        s.setArray(values.length + 1, c.createArrayOf("int4", new Integer[] {1, 2, 3}));
                        s.setString(values.length + 2, "{\"a\": [1, null]}");
                        ResultSet r = s.executeQuery();
                        r.next();
                        for (int i = 0; i < values.length; i++) {
                            Object got = classes[i] == byte[].class ? r.getBytes(i + 1) : r.getObject(i + 1, classes[i]);
                            expect(got, values[i], casts[i]);
                        }
                        expect(r.getArray(values.length + 1).getArray(), new Integer[] {1, 2, 3}, "int4[]");
                        expect(r.getString(values.length + 2), "{\"a\": [1, null]}", "jsonb");
                    }
                }
            }
        }
    }

    void preparedMany() throws Exception {
        try (Connection c = open(USER, "prepareThreshold", "2")) {
            try (PreparedStatement s = c.prepareStatement("select ? * 2")) {
                for (int i = 0; i < 500; i++) {
                    s.setInt(1, i);
                    ResultSet r = s.executeQuery();
                    r.next();
                    expect(r.getInt(1), i * 2, "answer");
                }
            }
            for (int i = 0; i < 300; i++) { // more than preparedStatementCacheQueries: the oldest are closed
                for (int round = 0; round < 3; round++) expect(one(c, "select " + i + " + ?", 1), i + 1, "answer");
            }
            long n = (Long) one(c, "select count(*) from pg_prepared_statements");
            expect(n > 200 && n < 270, true, n + " prepared statements at the server");
        }
    }

    void copyIn(Connection c) throws Exception {
        c.setAutoCommit(false);
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 20000; i++) rows.append(i).append("\tline ").append(i).append('\n');
        CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
        byte[] bytes = rows.toString().getBytes(StandardCharsets.UTF_8);
        expect(copy.copyIn("copy scratch from stdin", new ByteArrayInputStream(bytes)), 20000L, "rows copied");
        expect(one(c, "select count(*) from scratch"), 20000L, "rows");
        c.rollback();
    }

    void copyOut(Connection c) throws Exception {
        CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copy.copyOut("copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout", out);
        expect(out.toString(StandardCharsets.UTF_8).lines().count(), 50000L, "lines");
        raises("42501", REFUSAL, () -> copy.copyOut("copy forbidden to stdout", new ByteArrayOutputStream()));
        alive(c);
    }

    void copyFail(Connection c) throws Exception {
        CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
        var broken = copy.copyIn("copy scratch from stdin");
        broken.writeToCopy("1\tx\n".getBytes(), 0, 4);
        broken.cancelCopy();
        raises("22P02", "", () -> copy.copyIn("copy scratch from stdin", new ByteArrayInputStream("x\ty\n".getBytes())));
        alive(c);
        expect(one(c, "select count(*) from scratch"), 0L, "rows");
    }

    void serverCursor(Connection c) throws Exception {
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("select generate_series(1, ?)")) {
            s.setFetchSize(100);
            s.setInt(1, 10000);
            ResultSet r = s.executeQuery();
            long sum = 0;
            while (r.next()) {
                sum += r.getInt(1);
                if (r.getInt(1) == 5000) alive(c); // between two pieces of the portal
            }
            expect(sum, 50005000L, "sum");
            r = s.executeQuery();
            r.next();
            r.close();
        }
        alive(c);
        c.commit();
    }

    void batch(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("insert into scratch values (?, ?)")) {
            for (int i = 0; i < 1000; i++) {
                s.setInt(1, i);
                s.setString(2, "x");
                s.addBatch();
            }
            expect(Arrays.stream(s.executeBatch()).sum(), 1000, "rows");
        }
        expect(run(c, "delete from scratch"), 1000, "rows deleted");
        for (String[] bad : new String[][] {{"insert into scratch select 1/0", "22012"}, {"insert into scratch select * from forbidden", "42501"}}) {
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                for (int i = 0; i < 5; i++) s.addBatch("insert into scratch values (" + i + ")");
                s.addBatch(bad[0]);
                s.addBatch("insert into scratch values (9)");
                raises(bad[1], "", s::executeBatch);
            }
            raises("25P02", "", () -> run(c, "select 1"));
            c.rollback();
            expect(one(c, "select count(*) from scratch"), 0L, "rows of a failed batch");
            c.commit();
            c.setAutoCommit(true);
        }
        try (Connection rewriting = open(USER, "reWriteBatchedInserts", "true");
             PreparedStatement s = rewriting.prepareStatement("insert into scratch values (?, ?)")) {
            for (int i = 0; i < 1000; i++) {
                s.setInt(1, i);
                s.setString(2, "x");
                s.addBatch();
            }
            s.executeBatch();
            expect(run(rewriting, "delete from scratch"), 1000, "rows rewritten");
        }
    }

    void notifies(Connection c) throws Exception {
        run(c, "listen matrix_news");
        try (Connection other = open(USER)) {
            run(other, "notify matrix_news, 'read all about it'");
            var notes = c.unwrap(PGConnection.class).getNotifications(10000);
            expect(notes[0].getPID() + notes[0].getParameter(),
                    other.unwrap(PGConnection.class).getBackendPID() + "read all about it", "notification");
        }
    }

    void cancel(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() {
                @Override public void run() {
                    try {
                        s.cancel();
                    } catch (SQLException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }, 300);
            lasts(0.3, () -> raises("57014", "", () -> s.execute("select pg_sleep(30)")));
            alive(c);
            s.setQueryTimeout(1); // the driver cancels by itself
            lasts(1.0, () -> raises("57014", "", () -> s.execute("select pg_sleep(30)")));
        }
        alive(c);
    }

    void error(Connection c) throws Exception {
        raises("42P01", "", () -> one(c, "select * from no_such_table where i = ?", 1));
        raises("42601", "", () -> run(c, "selec 1")); // the server answers the Parse before the door sees a Bind
        raises("22012", "", () -> run(c, "select 1/(i - 500) from generate_series(1, 1000) i"));
        alive(c);
    }

    void refuse(Connection c) throws Exception {
        raises("42501", REFUSAL, () -> run(c, "select * from forbidden"));
        for (int i = 0; i < 7; i++) raises("42501", REFUSAL, () -> one(c, "select * from forbidden where i = ?", 1));
        raises("42501", "", () -> run(c, "insert into scratch values (1); select * from forbidden"));
        expect(one(c, "select count(*) from scratch"), 0L, "rows of a refused string");
        alive(c);
    }

    static void failingTx(String sql, String code, String text, String user) throws Exception {
        try (Connection c = open(user)) {
            c.setAutoCommit(false);
            run(c, "insert into scratch values (1)");
            raises(code, text, () -> one(c, sql, 1));
            raises("25P02", "", () -> run(c, "select 1"));
            c.rollback();
            expect(one(c, "select count(*) from scratch"), 0L, "rows after rollback");
            run(c, "insert into scratch values (1)");
            Savepoint here = c.setSavepoint();
            raises(code, text, () -> one(c, sql, 1));
            c.rollback(here);
            run(c, "insert into scratch values (2)");
            c.commit();
            expect(run(c, "delete from scratch"), 2, "rows after commit");
            c.commit();
        }
    }

    void timeout() throws Exception {
        for (String mode : List.of("extended", "simple")) {
            try (Connection c = open(SLOW_USER, "preferQueryMode", mode)) {
                lasts(LIMIT, () -> raises("57014", "statement timeout", () -> run(c, "select pg_sleep(30)")));
                alive(c);
            }
        }
    }

    static String largeText() {
        return "abcdefgh".repeat(8388608);
    }

    void largeResult(Connection c) throws Exception {
        expect(largeText().equals(one(c, "select " + LARGE_SQL)), true, "64 MiB the same");
        alive(c);
    }

    void largeBind(Connection c) throws Exception {
        expect(one(c, "select ?::text = " + LARGE_SQL, largeText()), true, "64 MiB the same");
        alive(c);
    }

    void oversizeText() throws Exception {
        String sql = "select 1 /* " + "x".repeat(OVERSIZE) + " */";
        for (String mode : List.of("extended", "simple")) {
            try (Connection c = open(USER, "preferQueryMode", mode)) {
                if (GOVERNED) {
                    raises("54000", "", () -> run(c, sql));
                } else {
                    run(c, sql);
                }
                alive(c);
            }
        }
    }

    void killReconnect() throws Exception {
        try (Connection c = open(USER)) {
            killBackend(c.unwrap(PGConnection.class).getBackendPID());
            boolean failed = false;
            try {
                run(c, "select 1");
            } catch (SQLException e) {
                failed = true;
            }
            expect(failed && c.isClosed(), true, "closed");
        }
        with(Matrix::alive).run();
    }

    /** autosave=always: a savepoint before each statement, in the same round trip. */
    void autosave() throws Exception {
        for (String bad : List.of("select * from no_such_table where i = ?", "select * from forbidden where i = ?")) {
            try (Connection c = open(USER, "autosave", "always")) {
                c.setAutoCommit(false);
                run(c, "insert into scratch values (1)");
                raises(bad.contains("forbidden") ? "42501" : "42P01", "", () -> one(c, bad, 1));
                run(c, "insert into scratch values (2)");
                c.commit();
                expect(run(c, "delete from scratch"), 2, "rows after commit");
                c.commit();
            }
        }
    }

    void metadata(Connection c) throws Exception {
        DatabaseMetaData d = c.getMetaData();
        try (ResultSet r = d.getColumns(null, null, "scratch", null)) {
            r.next();
            expect(r.getString("COLUMN_NAME"), "i", "column");
        }
        d.getTables(null, null, "%", new String[] {"TABLE"}).close();
        c.setReadOnly(true);
        c.setAutoCommit(false);
        raises("25006", "", () -> run(c, "insert into scratch values (1)"));
        c.rollback();
    }
}
