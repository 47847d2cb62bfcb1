package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
)

// consoleViews are what SHOW knows.
func consoleViews() []string {
	return []string{"sessions", "statements", "queue", "locks", "quotas", "classes", "rules", "config", "audit", "version"}
}

// newConsoleCommands are the commands that talk to a running server. They come
// in by the socket in its state directory, which only the server's own user
// may enter.
func newConsoleCommands() []*cobra.Command {
	c := &consoleClient{}
	commands := []*cobra.Command{
		{
			Use: "sessions", Short: "List the sessions of a running server", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.ask(cmd, "SHOW SESSIONS") },
		},
		{
			Use: "show VIEW", Short: "Show one of " + strings.Join(consoleViews(), ", "), ValidArgs: consoleViews(),
			Args: exactly(1, cobra.OnlyValidArgs),
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.ask(cmd, "SHOW "+strings.ToUpper(args[0]))
			},
		},
		c.onPID("cancel", "Cancel the statement that a session runs or waits with", "CANCEL"),
		c.onPID("kill", "End a session", "TERMINATE"),
		c.onPID("release", "Roll back the transaction that a session holds idle; the session stays", "RELEASE"),
		{
			Use: "observe on|off", Short: "Let everything pass and only count what the policy would have done", ValidArgs: []string{"on", "off"},
			Args: exactly(1, cobra.OnlyValidArgs),
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.ask(cmd, "OBSERVE "+strings.ToUpper(args[0]))
			},
		},
		{
			Use: "reload", Short: "Read policy, users and certificates again", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.ask(cmd, "RELOAD") },
		},
	}
	for _, cmd := range commands {
		cmd.Flags().StringVar(&c.state, "state", "", "state directory of the server (default $STATE_DIRECTORY, else ./lockkeeper-state)")
		cmd.Flags().StringVar(&c.config, "config", "", "configuration file of the server, to learn its state directory")
	}
	return commands
}

// exactly n arguments, and what else is asked of them, as a usage error.
func exactly(n int, also cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, check := range []cobra.PositionalArgs{cobra.ExactArgs(n), also} {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
		}
		return nil
	}
}

// consoleClient asks the console of a running server.
type consoleClient struct{ state, config string }

func (c *consoleClient) onPID(use, short, verb string) *cobra.Command {
	return &cobra.Command{
		Use: use + " PID", Short: short,
		Long: short + ".\n\nPID is the backend's process id, as lockkeeper sessions and pg_stat_activity show it.",
		Args: exactly(1, func(_ *cobra.Command, args []string) error {
			if _, err := strconv.ParseUint(args[0], 10, 32); err != nil {
				return fmt.Errorf("%q is not a process id; lockkeeper sessions lists them", args[0])
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return c.ask(cmd, verb+" "+args[0]) },
	}
}

// ask sends one statement and prints its answer.
func (c *consoleClient) ask(cmd *cobra.Command, sql string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
	defer cancel()
	conn, err := c.connect(ctx, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		if err := printResult(cmd.OutOrStdout(), results.ResultReader()); err != nil {
			return errors.Join(plainServerError(err), results.Close())
		}
	}
	return plainServerError(results.Close())
}

func (c *consoleClient) connect(ctx context.Context, notices io.Writer) (*pgconn.PgConn, error) {
	dir, database, err := c.where()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "console")
	if _, err := os.Stat(filepath.Join(socket, ".s.PGSQL."+defaultPort)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no server runs on state directory %s; --state names another", dir)
	}
	cfg, err := pgx.ParseConfig(fmt.Sprintf("host='%s' port=%s user=lockkeeper dbname='%s' sslmode=disable", socket, defaultPort, database))
	if err != nil {
		return nil, err
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { fmt.Fprintln(notices, notice.Message) }
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return nil, fmt.Errorf("console of %s: %w", dir, plainServerError(err))
	}
	return conn, nil
}

// where is the state directory and the console's name, found as serve finds them.
func (c *consoleClient) where() (dir, database string, err error) {
	cfg, err := locate(c.state, c.config)
	if err != nil {
		return "", "", err
	}
	dir, err = filepath.Abs(cfg.State)
	return dir, cfg.Console.Database, err
}

// locate reads the configuration of a server that runs, or ran, on this machine,
// and finds its state directory as serve finds it.
func locate(state, file string) (cfg Config, err error) {
	cfg = defaultConfig()
	if file != "" {
		if cfg, err = readConfig(file); err != nil {
			return cfg, err
		}
	}
	cfg.State = cmp.Or(state, cfg.State, os.Getenv("STATE_DIRECTORY"), "lockkeeper-state")
	return cfg, nil
}

// plainServerError keeps the server's words and drops the driver's.
func plainServerError(err error) error {
	server, is := errors.AsType[*pgconn.PgError](err)
	if !is {
		return err
	}
	words := []string{server.Message, server.Detail, server.Hint}
	return errors.New(strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), "; "))
}

// printResult writes a table with its headings, or the tag of what was done.
func printResult(w io.Writer, result *pgconn.ResultReader) error {
	fields := result.FieldDescriptions()
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := make([]string, len(fields))
	for i, field := range fields {
		line[i] = strings.ToUpper(field.Name)
	}
	writeLine := func() { _, _ = fmt.Fprintln(table, strings.TrimRight(strings.Join(line, "\t"), "\t")) }
	if len(fields) > 0 {
		writeLine()
	}
	for result.NextRow() {
		for i, cell := range result.Values() {
			line[i] = string(cell)
		}
		writeLine()
	}
	tag, err := result.Close()
	if err != nil {
		return nil //nolint:nilerr // the results' Close tells it as well
	}
	if len(fields) == 0 {
		_, _ = fmt.Fprintln(w, tag.String())
	}
	return table.Flush()
}
