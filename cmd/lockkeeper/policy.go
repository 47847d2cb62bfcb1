package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/config"
	"github.com/lockkeeper/lockkeeper/policy/policytest"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
	"github.com/lockkeeper/lockkeeper/policy/sqlparse"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, explain and test a policy",
		Long: `Check, explain and test a policy without a server.

A policy is one YAML file: classify names the class of a statement, classes
bound what runs, rules say what may, and quotas how much.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyCheckCommand(), newPolicyExplainCommand(), newPolicyTestCommand())
	return cmd
}

func newPolicyCheckCommand() *cobra.Command {
	resolved := false
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a policy, with its lines",
		Long: `Say what is wrong with a policy, with its lines.

What this version does not enforce yet is wrong as well: what stands in a
policy must be done.`,
		Example: `  lockkeeper policy check policy.yaml
  lockkeeper policy check --resolved policy.yaml   # with every default`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			if resolved {
				out, err := config.Dump(rs)
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(out)
				return err
			}
			src := rs.Source()
			for _, w := range config.Lint(&src) {
				if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: note: %s\n", args[0], w); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: good: %s\n", args[0], countPolicy(&src))
			return err
		},
	}
	cmd.Flags().BoolVar(&resolved, "resolved", false, "print the policy with every default spelled out")
	return cmd
}

func countPolicy(src *policy.Source) string {
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	return strings.Join([]string{
		count(len(src.Classify), "line of classify", "lines of classify"),
		count(len(src.Classes), "class", "classes"),
		count(len(src.Rules), "rule", "rules"),
		count(len(src.Quotas), "quota", "quotas"),
	}, ", ")
}

// explainFlags say who asks for what.
type explainFlags struct {
	policy, sql, dialect, clientIP, at, path string
	teams                                    []string
	subject                                  policy.Subject
	inTransaction                            bool
}

func newPolicyExplainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain --policy FILE --sql SQL",
		Short: "Say what a policy would do with a statement, and why",
		Long: `Say what a policy would do with a statement, and why: its class, each rule
with its answer, limits with where they come from, quotas.

Names are resolved without a warehouse: an unqualified table may be in any
schema, and a view hides what it reads.`,
		Example: `  lockkeeper policy explain --policy policy.yaml --user ann --team growth --sql 'DELETE FROM orders'`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "policy `file`")
	flags.StringVar(&f.sql, "sql", "", "the `statement`; - reads the standard input")
	flags.StringVar(&f.dialect, "dialect", "postgres", "`postgres` or redshift")
	flags.StringVar(&f.subject.User, "user", "", "login `name`")
	flags.StringVar(&f.subject.AuthUser, "auth-user", "", "proven `name`, if another")
	flags.StringSliceVar(&f.teams, "team", nil, "`team`, from whatever source the policy takes it (repeats)")
	flags.StringVar(&f.subject.ApplicationName, "tool", "", "`tool`, from whatever source the policy takes it")
	flags.StringVar(&f.subject.Database, "database", "", "`database`")
	flags.StringVar(&f.subject.Role, "role", "", "`role` of the warehouse session, if not the login")
	flags.StringVar(&f.subject.Environment, "environment", "", "`environment` of the server")
	flags.StringVar(&f.subject.Via, "via", "wire", "`way` in: wire, web, api, job")
	flags.StringVar(&f.clientIP, "client-ip", "", "client's `address`")
	flags.StringVar(&f.path, "search-path", "", "`schemas` of the search_path, by commas; empty: unknown")
	flags.StringVar(&f.at, "at", "", "`time` in RFC 3339; empty: now")
	flags.BoolVar(&f.inTransaction, "in-transaction", false, "the session is in a transaction that holds locks")
	for _, name := range []string{"policy", "sql"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag stands above
		}
	}
	return cmd
}

func (f *explainFlags) run(cmd *cobra.Command) error {
	rs, err := readPolicy(f.policy)
	if err != nil {
		return err
	}
	if f.sql == "-" {
		text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 16<<20))
		if err != nil {
			return fmt.Errorf("read statement: %w", err)
		}
		f.sql = string(text)
	}
	parse, err := policyParser()
	if err != nil {
		return err
	}
	b, err := parse(f.sql, f.dialect)
	if err != nil {
		return usageError{err}
	}
	now := time.Now()
	if f.at != "" {
		if now, err = time.Parse(time.RFC3339, f.at); err != nil {
			return usageError{fmt.Errorf("--at: %w", err)}
		}
	}
	if err := f.complete(); err != nil {
		return usageError{err}
	}
	st := policy.SessionState{Tx: policy.TxIdle, Started: now}
	if f.path != "" {
		st.SearchPath, st.PathKnown = strings.Split(f.path, ","), true
	}
	if f.inTransaction {
		st.Tx, st.Held = policy.TxActive, true
	}
	e := policy.NewEngine(policy.EngineConfig{})
	e.Publish(rs)
	x := e.Explain(now, e.NewConn(f.subject), b, &st)
	_, err = fmt.Fprint(cmd.OutOrStdout(), x.String())
	return err
}

// complete fills every source that the policy may take team and tool from.
func (f *explainFlags) complete() error {
	s := &f.subject
	if s.AuthUser == "" {
		s.AuthUser = s.User
	}
	if s.Role == "" {
		s.Role = s.User
	}
	s.Groups, s.CertOU, s.CertCN = f.teams, f.teams, s.ApplicationName
	if f.clientIP == "" {
		return nil
	}
	ip, err := netip.ParseAddr(f.clientIP)
	if err != nil {
		return fmt.Errorf("--client-ip: %w", err)
	}
	s.ClientIP = ip
	return nil
}

func newPolicyTestCommand() *cobra.Command {
	var file string
	rewrite := false
	cmd := &cobra.Command{
		Use:   "test --policy FILE STORY.txt…",
		Short: "Run golden decisions: SQL in, verdict out",
		Long: `Run golden decisions: text files with who asks, the SQL, and behind ----
the decision it must lead to.

  set user=ann team=growth tool=psql

  decide
  DELETE FROM orders
  ----
  deny 42501 UPDATE/DELETE without WHERE is blocked here.

A story goes on from block to block, so queues and quotas can be told too:
decide as=NAME, again NAME, settle NAME rows=100, wait 30s, leave NAME.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, err := readPolicy(file)
			if err != nil {
				return err
			}
			failed := false
			for _, path := range args {
				ok, err := runStory(cmd, rs, path, rewrite)
				if err != nil {
					return err
				}
				failed = failed || !ok
			}
			if failed {
				return quietError{}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "policy", "", "policy `file`")
	cmd.Flags().BoolVar(&rewrite, "rewrite", false, "write what happens into the stories")
	if err := cmd.MarkFlagRequired("policy"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

// runStory runs one file and tells whether all went as written.
func runStory(cmd *cobra.Command, rs *policy.Ruleset, path string, rewrite bool) (bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read story: %w", err)
	}
	parse, err := policyParser()
	if err != nil {
		return false, err
	}
	now, failures, err := policytest.Run(string(text), policytest.Config{Ruleset: rs, Parse: parse})
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	out := cmd.OutOrStdout()
	if rewrite && len(failures) > 0 {
		if err := os.WriteFile(path, []byte(now), 0o600); err != nil {
			return false, fmt.Errorf("write story: %w", err)
		}
		_, err := fmt.Fprintf(out, "%s: %d written anew\n", path, len(failures))
		return true, err
	}
	for _, f := range failures {
		if _, err := fmt.Fprintf(out, "%s:%d: got\n%s\nwant\n%s\n", path, f.Line, indent(f.Got), indent(f.Want)); err != nil {
			return false, err
		}
	}
	if len(failures) == 0 {
		_, err = fmt.Fprintf(out, "%s: ok\n", path)
	}
	return len(failures) == 0, err
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// policyParser reads SQL for the commands above, with a small cache.
func policyParser() (policytest.Parser, error) {
	p, err := sqlparse.New(sqlparse.Config{MaxBytes: 8 << 20})
	if err != nil {
		return nil, fmt.Errorf("start the parser: %w", err)
	}
	return func(sql, dialect string) (*policy.Batch, error) {
		env := sqlparse.Env{StdStrings: sqlparse.On}
		switch dialect {
		case "", sqllex.Postgres.String():
		case sqllex.Redshift.String():
			env.Dialect = sqllex.Redshift
		default:
			return nil, errors.New("dialect is postgres or redshift")
		}
		return p.Parse([]byte(sql), env), nil
	}, nil
}
