package drivers

import (
	"os"
	"path/filepath"
	"strings"
)

// mode is a way to come in.
type mode struct {
	name string
	tls  bool
	auth string // trust or scram
}

func modes() []mode {
	return []mode{
		{"plain-trust", false, "trust"},
		{"plain-scram", false, "scram"},
		{"tls-trust", true, "trust"},
		{"tls-scram", true, "scram"},
	}
}

// client is one driver and how its script is started.
type client struct {
	name    string
	must    bool // it has to run everywhere; the absence of others is forgiven aloud
	command []string
	env     []string
	missing string // why it cannot be had here
}

// clients lists the matrix. Cache is the directory that install has filled.
func clients(cache string) []client {
	python := func(name, script string, must bool, env ...string) client {
		return client{name: name, must: must, command: []string{filepath.Join(cache, "python/bin/python"), "python/" + script}, env: env}
	}
	node := func(name, script string, must bool) client {
		return client{
			name: name, must: must, command: []string{"node", "--no-deprecation", "node/" + script},
			env: []string{"LK_NODE_MODULES=" + filepath.Join(cache, "node")},
		}
	}
	shell := func(name, script string) client {
		return client{name: name, must: true, command: []string{"bash", "sh/" + script}}
	}
	odbc, _ := os.ReadFile(filepath.Join(cache, "odbc"))
	list := []client{
		shell("psql", "client_psql.sh"),
		shell("pgbench", "client_pgbench.sh"),
		shell("pg_dump", "client_pgdump.sh"),
		{name: "pgx", must: true, command: []string{filepath.Join(cache, "pgx")}},
		python("psycopg2", "client_psycopg2.py", true),
		python("psycopg", "client_psycopg.py", true),
		python("asyncpg", "client_asyncpg.py", true),
		python("SQLAlchemy", "client_sqlalchemy.py", true),
		python("SQLAlchemy/psycopg2", "client_sqlalchemy.py", true, "LK_DIALECT=psycopg2"),
		node("node-postgres", "client_pg.mjs", true),
		{
			name: "pgjdbc", must: true,
			command: []string{"java", "-Xmx1500m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(cache, "java/jars/*") + ":" + filepath.Join(cache, "java/classes"), "Matrix"},
		},
		node("postgres.js", "client_postgres.mjs", false),
		python("psqlODBC", "client_psqlodbc.py", false, "LK_ODBC_DRIVER="+strings.TrimSpace(string(odbc))),
		{name: "DBD::Pg", command: []string{"perl", "perl/client_dbdpg.pl"}},
		python("redshift_connector", "client_redshift_connector.py", false),
	}
	missing := missingFrom(cache)
	for i := range list {
		list[i].missing = missing[list[i].name]
	}
	return list
}

// missingFrom reads what install could not have: lines of a name and a reason.
func missingFrom(cache string) map[string]string {
	text, _ := os.ReadFile(filepath.Join(cache, "missing"))
	missing := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, why, _ := strings.Cut(strings.TrimSpace(line), " ")
		missing[name] = why
	}
	return missing
}

// order is what every client has to say a word about.
func order() []string {
	return strings.Fields(`connect query bind_types prepared_many copy_in copy_out copy_fail server_cursor pipeline
		notify cancel error error_in_tx refuse refuse_in_tx timeout timeout_in_tx large_result large_bind
		oversize_text kill_reconnect`)
}
