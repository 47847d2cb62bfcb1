// Package policytest runs decisions as text: who asks, what the session is
// doing, the SQL, and the decision it must lead to. A file is a story; the
// engine behind it goes on from block to block, so queues and quotas can be
// told as well.
//
//	set user=ann team=growth tool=psql
//
//	decide
//	DELETE FROM orders
//	----
//	deny 42501 UPDATE/DELETE without WHERE is blocked here.
//	class adhoc/growth/ann
//	rules no-unbounded-dml
//
// A block ends at an empty line; # begins a comment outside of SQL. What
// stands behind ---- is the expectation, and Run returns the text with what
// really happened in its place.
//
// Commands:
//
//	set KEY=VALUE…       for all that follows; the keys are below
//	decide [KEY=VALUE…]  decide the SQL of the block. With as=NAME the statement
//	                     goes on running or waiting; otherwise it is over at once
//	again NAME           decide a waiting statement again
//	settle NAME [rows=N written=N out=N in=N exec=D queued=D]   it is over
//	charge NAME […]      a part of its usage passes
//	leave NAME           it gives up
//	explain              why the SQL of the block is decided as it is
//	policy               the YAML of the block is in force from here on
//	classes, queue, quotas, rules
//	                     what the console would show
//	idle CLASS DURATION  the session was idle in a transaction
//	catalog              names of the warehouse, a line each: table s.t;
//	                     view s.v: s.t, s.u; opaque view s.v;
//	                     function s.f: s.t; opaque function s.g
//	wait DURATION        time passes
//	observe on|off       global observe mode
//
// Keys of set and decide: user auth_user team tool database role client_ip via
// environment path (a comma between schemas; - for unknown) tx (idle, active,
// failed) held unit dialect now (RFC 3339); of a principal: urgency actor
// actor_team read_only.
//
// SQL is read by the parser that the caller brings; this package knows none.
package policytest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Parser reads SQL; dialect is the word behind dialect=, empty by default.
type Parser func(sql, dialect string) (*policy.Batch, error)

// Config is what a story is told with.
type Config struct {
	Ruleset *policy.Ruleset
	Parse   Parser
	Load    func(yaml []byte) (*policy.Ruleset, error) // for policy blocks; nil: there are none
	Now     time.Time                                  // where the clock of the story begins; zero: Wednesday 2026-11-25 12:00 UTC
}

// Failure is one expectation that was not met.
type Failure struct {
	Line      int
	Got, Want string
}

// Run tells the story. It returns the text as it should read and what differs;
// the error is about the text itself.
func Run(text string, cfg Config) (rewritten string, failures []Failure, err error) {
	r := newRunner(cfg)
	var out strings.Builder
	for _, b := range split(text) {
		got, known, err := r.block(&b)
		if err != nil {
			return "", nil, fmt.Errorf("line %d: %w", b.line, err)
		}
		out.WriteString(b.head)
		if !known {
			continue
		}
		if got = strings.TrimRight(got, "\n"); got != b.want {
			failures = append(failures, Failure{Line: b.line, Got: got, Want: b.want})
		}
		out.WriteString("----\n" + got + "\n")
	}
	return out.String(), failures, nil
}

// block is one command with the comments and empty lines before it.
type block struct {
	line    int    // of the command
	head    string // everything up to the expectation, as it stands
	command []string
	input   string
	want    string
}

func split(text string) []block {
	var blocks []block
	b := block{}
	const (
		before = iota
		input
		expected
	)
	state := before
	var in, want []string
	flush := func() {
		b.input, b.want = strings.Join(in, "\n"), strings.Join(want, "\n")
		blocks = append(blocks, b)
		b, in, want, state = block{}, nil, nil, before
	}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		blank := strings.TrimSpace(line) == ""
		switch {
		case blank && state != before:
			flush()
			b.head = line + "\n"
			continue
		case state == before && !blank && !strings.HasPrefix(line, "#"):
			b.line, b.command, state = i+1, words(line), input
		case state == input && line == "----":
			state = expected
			continue
		case state == input:
			in = append(in, line)
		case state == expected:
			want = append(want, line)
			continue
		}
		b.head += line + "\n"
	}
	flush()
	return blocks
}

// words splits at spaces outside of double quotes.
func words(line string) []string {
	var out []string
	quoted := false
	fields := strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ' ' && !quoted
	})
	for _, f := range fields {
		out = append(out, strings.ReplaceAll(f, `"`, ""))
	}
	return out
}

// runner keeps the engine and the settings between blocks.
type runner struct {
	cfg     Config
	engine  *policy.Engine
	now     time.Time
	setting setting
	running map[string]*flight
	catalog policy.CatalogData
	woken   []string
}

// flight is a statement that goes on.
type flight struct {
	name   string
	ticket policy.Ticket
	conn   *policy.Conn
	batch  *policy.Batch
	state  policy.SessionState
	began  time.Time
	story  *runner
}

// Wake notes who was woken, for the next answer to tell.
func (f *flight) Wake() { f.story.woken = append(f.story.woken, f.name) }

// setting is who asks and what the session does.
type setting struct {
	subject policy.Subject
	state   policy.SessionState
	dialect string
	as      string

	actor    policy.Subject // no user: none
	readOnly bool
}

// conn returns the connection of who asks.
func (s *setting) conn(e *policy.Engine) *policy.Conn {
	p := policy.Principal{Subject: s.subject, Via: s.subject.Via, Urgency: s.subject.Urgency, ReadOnly: s.readOnly}
	if s.actor.User != "" {
		p.Actor = &s.actor
	}
	return e.NewConnFor(&p)
}

func newRunner(cfg Config) *runner {
	if cfg.Now.IsZero() {
		cfg.Now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	}
	r := &runner{cfg: cfg, engine: policy.NewEngine(policy.EngineConfig{}), now: cfg.Now, running: map[string]*flight{}}
	if cfg.Ruleset != nil {
		r.engine.Publish(cfg.Ruleset)
	}
	r.setting.subject = policy.Subject{User: "ann", AuthUser: "ann", Role: "ann", Database: "wh", Via: "wire"}
	r.setting.state = policy.SessionState{Tx: policy.TxIdle, SearchPath: []string{"public"}, PathKnown: true, Started: r.now}
	return r
}

// block runs one command; known tells whether it has an answer to compare.
func (r *runner) block(b *block) (got string, known bool, err error) {
	if len(b.command) == 0 {
		return "", false, nil
	}
	args := b.command[1:]
	switch b.command[0] {
	case "set":
		return "", false, r.set(&r.setting, args)
	case "wait":
		return "", false, r.wait(args)
	case "observe":
		r.engine.SetObserve(len(args) == 1 && args[0] == "on")
		return "", false, nil
	case "catalog":
		return "", false, r.names(b.input)
	case "idle":
		return "", false, r.idle(args)
	case "policy":
		got, err = r.policy(b.input)
		return got, got != "", err
	case "classes", "queue", "quotas", "rules":
		got = r.console(b.command[0])
	case "decide":
		got, err = r.decide(b.input, args)
	case "explain":
		got, err = r.explain(b.input, args)
	case "again", "settle", "charge", "leave":
		got, err = r.goOn(b.command[0], args)
	default:
		return "", false, fmt.Errorf("%q is no command", b.command[0])
	}
	if len(r.woken) > 0 {
		got += "\nwoken " + strings.Join(r.woken, " ")
		r.woken = nil
	}
	return got, true, err
}

func (r *runner) wait(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("wait takes one duration")
	}
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	r.now = r.now.Add(d)
	return nil
}

// set changes settings by words such as user=ann and held.
func (r *runner) set(s *setting, args []string) error {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		if err := r.setOne(s, key, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) setOne(s *setting, key, value string) error {
	u := &s.subject
	switch key {
	case "user":
		u.User, u.AuthUser, u.Role = value, value, value
	case "auth_user":
		u.AuthUser = value
	case "team":
		u.Groups = list(value)
	case "tool":
		u.ApplicationName = value
	case "database":
		u.Database = value
	case "role":
		u.Role = value
	case "via":
		u.Via = value
	case "environment":
		u.Environment = value
	case "urgency":
		u.Urgency = value
	case "actor":
		s.actor.User, s.actor.AuthUser = value, value
	case "actor_team":
		s.actor.Groups = list(value)
	case "read_only":
		s.readOnly = value != "no"
	case "client_ip":
		ip, err := netip.ParseAddr(value)
		if err != nil {
			return fmt.Errorf("client_ip: %w", err)
		}
		u.ClientIP = ip
	case "path":
		s.state.SearchPath, s.state.PathKnown = list(value), value != "-"
	case "tx":
		states := map[string]policy.TxState{"idle": policy.TxIdle, "active": policy.TxActive, "failed": policy.TxFailed}
		st, ok := states[value]
		if !ok {
			return fmt.Errorf("tx is idle, active or failed, not %q", value)
		}
		s.state.Tx = st
	case "held":
		s.state.Held = value != "no"
	case "unit":
		s.state.UnitOpen = value != "no"
	case "dialect":
		s.dialect = value
	case "now":
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return fmt.Errorf("now: %w", err)
		}
		r.now = t
	case "as":
		s.as = value
	default:
		return fmt.Errorf("%q is no setting", key)
	}
	return nil
}

func list(value string) []string {
	if value == "" || value == "-" {
		return nil
	}
	return strings.Split(value, ",")
}

func (r *runner) decide(sql string, args []string) (string, error) {
	f, keep, err := r.flight(sql, args)
	if err != nil {
		return "", err
	}
	d := r.engine.Decide(r.now, f.conn, f.batch, &f.state, &f.ticket)
	if keep && d.Verdict != policy.Deny {
		r.running[f.name] = f
	} else if d.Verdict != policy.Deny {
		r.engine.Settle(r.now, &f.ticket, policy.Usage{})
	}
	return Show(&d), nil
}

func (r *runner) flight(sql string, args []string) (f *flight, keep bool, err error) {
	s := r.setting
	if err := r.set(&s, args); err != nil {
		return nil, false, err
	}
	b, err := r.cfg.Parse(sql, s.dialect)
	if err != nil {
		return nil, false, err
	}
	f = &flight{name: s.as, conn: s.conn(r.engine), batch: b, state: s.state, began: r.now, story: r}
	f.ticket.Waker = f
	return f, s.as != "", nil
}

func (r *runner) explain(sql string, args []string) (string, error) {
	f, _, err := r.flight(sql, args)
	if err != nil {
		return "", err
	}
	x := r.engine.Explain(r.now, f.conn, f.batch, &f.state)
	return x.String(), nil
}

// goOn does something with a statement that runs or waits.
func (r *runner) goOn(what string, args []string) (string, error) {
	if len(args) == 0 || r.running[args[0]] == nil {
		return "", fmt.Errorf("%s: no such statement", what)
	}
	f := r.running[args[0]]
	use, err := usage(args[1:])
	if err != nil {
		return "", err
	}
	switch what {
	case "again":
		d := r.engine.Decide(r.now, f.conn, f.batch, &f.state, &f.ticket)
		if d.Verdict == policy.Deny {
			delete(r.running, f.name)
		}
		return Show(&d), nil
	case "charge":
		if stop := r.engine.Charge(r.now, &f.ticket, use); stop != nil {
			return showRefusal("cancel", stop), nil
		}
		return "goes on", nil
	case "settle":
		r.engine.Settle(r.now, &f.ticket, use)
	case "leave":
		r.engine.Leave(r.now, &f.ticket)
	}
	delete(r.running, f.name)
	return "over", nil
}

func usage(args []string) (policy.Usage, error) {
	var u policy.Usage
	counts := map[string]*int64{"rows": &u.RowsReturned, "written": &u.RowsWritten, "out": &u.BytesOut, "in": &u.BytesIn}
	times := map[string]*time.Duration{"exec": &u.Exec, "queued": &u.Queued, "idle": &u.IdleTx}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch {
		case counts[key] != nil:
			*counts[key], err = strconv.ParseInt(value, 10, 64)
		case times[key] != nil:
			*times[key], err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("%q is no usage", key)
		}
		if err != nil {
			return u, err
		}
	}
	return u, nil
}
