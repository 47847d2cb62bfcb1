package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func newDemoCommand() *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a sample warehouse behind Lockkeeper, to try it",
		Long: `Start a private Postgres with the sample warehouse of an online school, and
Lockkeeper with a demo policy in front of it, and say what to try.

Everything listens on loopback, lives in one scratch folder and is gone after
Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().DurationVar(&d.duration, "for", 0, "end by itself after this time, such as 30s")
	cmd.Flags().BoolVar(&d.keep, "keep", false, "keep the scratch folder at the end")
	return cmd
}

// demo is one run of the demo.
type demo struct {
	out      io.Writer
	duration time.Duration
	keep     bool

	dir string
	pg  *demoPostgres
}

// run starts Postgres, then the door, and undoes both in turn.
func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "lockkeeper-demo-"); err != nil {
		return err
	}
	if err := os.Chmod(d.dir, 0o711); err != nil { //nolint:gosec // Postgres may run as another user
		return err
	}
	defer d.clean()
	fmt.Fprint(d.out, "\nLockkeeper demo\n\n")
	err = d.warehouse(ctx)
	if err == nil {
		err = d.door(ctx)
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what Ctrl-C breaks is no failure
	}
	return err
}

// step prints what was done and how long it took.
func (d *demo) step(started time.Time, format string, args ...any) {
	fmt.Fprintf(d.out, "  ✓ %-58s %5.1f s\n", fmt.Sprintf(format, args...), time.Since(started).Seconds())
}

func (d *demo) warehouse(ctx context.Context) error {
	started := time.Now()
	pg, err := startDemoPostgres(ctx, filepath.Join(d.dir, "postgres"))
	if err != nil {
		return err
	}
	d.pg = pg
	d.step(started, "Postgres on 127.0.0.1:%d", pg.port)
	started = time.Now()
	lessons, err := pg.load(ctx)
	if err != nil {
		return err
	}
	d.step(started, "the warehouse of a school, %d,%03d,%03d lessons", lessons/1_000_000, lessons/1000%1000, lessons%1000)
	return nil
}

// door runs Lockkeeper until the time is up or Ctrl-C.
func (d *demo) door(ctx context.Context) error {
	started := time.Now()
	cfg, err := d.config()
	if err != nil {
		return err
	}
	logfile, err := os.Create(filepath.Join(d.dir, "lockkeeper.log"))
	if err != nil {
		return err
	}
	defer logfile.Close()
	h, err := build(ctx, cfg, slog.New(slog.NewTextHandler(logfile, nil)))
	if err != nil {
		return err
	}
	ready := func() {
		d.step(started, "Lockkeeper on %s, its page on %s", cfg.Listen[0], cfg.Web.Listen)
		links, err := d.welcome(ctx, h.office)
		if err != nil {
			fmt.Fprintf(d.out, "\n  The page has nobody to sign in: %v\n", err)
		}
		d.explain(cfg, links)
	}
	if d.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.duration)
		defer cancel()
	}
	return h.run(ctx, ready)
}

// config is what a lockkeeper.yaml for this demo would say.
func (d *demo) config() (Config, error) {
	policy, err := demoFiles.ReadFile("demo/policy.yaml")
	if err != nil {
		return Config{}, err
	}
	cfg := defaultConfig()
	cfg.Policy = filepath.Join(d.dir, "policy.yaml")
	if err := os.WriteFile(cfg.Policy, policy, 0o600); err != nil {
		return cfg, err
	}
	cfg.State = filepath.Join(d.dir, "state")
	cfg.DrainTimeout = duration(time.Second)
	cfg.Console.Users = list{"admin"}
	for key, wanted := range map[*string]int{&cfg.Listen[0]: 6432, &cfg.Admin.Listen: 6480, &cfg.Web.Listen: 6481} {
		port, err := freePort(wanted)
		if err != nil {
			return cfg, err
		}
		*key = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	warehouse := fmt.Sprintf("postgres://127.0.0.1:%d/school?sslmode=disable", d.pg.port)
	operator := fmt.Sprintf("postgres://lockkeeper_operator:lockkeeper_operator@127.0.0.1:%d/school?sslmode=disable", d.pg.port)
	var errs [2]error
	cfg.Warehouse.URL, errs[0] = parseConninfo(warehouse)
	cfg.Operator.URL, errs[1] = parseConninfo(operator)
	return cfg, errors.Join(errs[:]...)
}

// explain says how to come in and what to try.
func (d *demo) explain(cfg Config, links []string) {
	self := os.Args[0]
	for i, link := range links {
		if i == 0 {
			fmt.Fprint(d.out, "\n  The page. Each link signs one person in, once, within ten minutes; open the second\n  in a private window to see what another person sees of a shared result:\n\n")
		}
		fmt.Fprintf(d.out, "     %-8s %s\n", demoPeople[i].login, link)
	}
	url := func(user string) string {
		return fmt.Sprintf("postgres://%s:%s@%s/school", user, user, cfg.Listen[0])
	}
	fmt.Fprintf(d.out, `
  Connect with any Postgres client as analyst, bi, loader or admin; the password
  is the name. Try these in another terminal:

  1  A query that runs too long ends after five seconds. The connection stays.

     psql %[2]s -c "SELECT count(*) FROM school.fact_lesson a, school.fact_lesson b" -c "SELECT 'still here'"

  2  A dashboard reads in a transaction and goes idle. The load that needs its
     table goes on as soon as the dashboard was idle for three seconds; without
     Lockkeeper it would wait for the COMMIT, which succeeds all the same.

     (echo "BEGIN; SELECT count(*) FROM school.stage_lesson;"; sleep 10; echo "COMMIT;") | psql %[3]s &
     sleep 1; time psql %[4]s -c "TRUNCATE school.stage_lesson"; wait

  3  The record of both, and the proof that nobody has changed it.

     %[1]s audit search %[5]s --limit 20
     %[1]s audit verify %[5]s

  And   %[1]s sessions --state %[5]s
        curl http://%[6]s/metrics
        edit %[7]s: it is read at once
`, self, url("analyst"), url("bi"), url("loader"), cfg.State, cfg.Admin.Listen, cfg.Policy)
	if d.duration > 0 {
		fmt.Fprintf(d.out, "\n  It ends by itself in %s.\n\n", d.duration)
		return
	}
	fmt.Fprint(d.out, "\n  Ctrl-C ends it and removes everything.\n\n")
}

// clean leaves nothing behind, or says what it left.
func (d *demo) clean() {
	if d.pg != nil {
		d.pg.stop(d.keep)
	}
	if d.keep {
		fmt.Fprintf(d.out, "  kept: %s\n", d.dir)
		return
	}
	_ = os.RemoveAll(d.dir)
	fmt.Fprint(d.out, "  stopped, and nothing left behind\n")
}
