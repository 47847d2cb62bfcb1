package query

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew") //nolint:gochecknoglobals // a flag

// Every way a run can go: testdata/state.txt has events and what they lead to.
func TestStates(t *testing.T) {
	t.Parallel()
	const file = "testdata/state.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var run *Run
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "  "):
			continue
		case len(words) == 0 || words[0] == "#":
			out.WriteString(line + "\n")
			continue
		case words[0] == "run":
			n, _ := strconv.Atoi(words[1])
			run = &Run{State: StateQueued, Times: Times{Submitted: now}, Version: 1}
			for i := range n {
				run.Statements = append(run.Statements, Statement{Index: i, State: StatementPending})
			}
		default:
			now = now.Add(time.Second)
			before := *run
			next, err := step(run, eventOf(t, words), now)
			if err != nil {
				line += "\n  refused: " + err.Error()
			}
			if err == nil && (before.Version != run.Version || before.State != run.State) {
				t.Errorf("%s: the snapshot before changed", line)
			}
			run = next
		}
		out.WriteString(line + "\n" + showRun(run))
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), out.String()); diff != "" && !*rewrite {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func eventOf(t *testing.T, words []string) event {
	t.Helper()
	at := 0
	if len(words) > 1 {
		at, _ = strconv.Atoi(words[1])
	}
	switch words[0] {
	case "wait":
		return waited{Wait{Reason: "slot", Position: &at}}
	case "start":
		return started{}
	case "resume":
		return resumed{}
	case "begin":
		return statementBegan{at}
	case "rows":
		return progressed{Progress{Rows: int64(at), Phase: "reading"}}
	case "notice":
		return noticed{at, Notice{Message: "hi"}}
	case "done":
		return statementDone{at, Result{CommandTag: "SELECT 1"}}
	case "fail":
		return statementFailed{at, RunError{Code: words[2]}}
	case "cancel":
		return cancelAsked{by: words[1], reason: "why"}
	case "end":
		e := ended{openTransaction: len(words) > 1 && words[1] == "open"}
		if len(words) > 1 && words[1] != "open" {
			e.err = &RunError{Code: words[1]}
		}
		return e
	}
	t.Fatalf("no event %q", words[0])
	return nil
}

func showRun(r *Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  v%d %s", r.Version, r.State)
	for _, st := range r.Statements {
		fmt.Fprintf(&b, " %d:%s", st.Index, st.State)
		if len(st.Notices) > 0 {
			fmt.Fprintf(&b, "(%d notices)", len(st.Notices))
		}
	}
	if r.Wait != nil {
		fmt.Fprintf(&b, " wait=%d", *r.Wait.Position)
	}
	if r.Progress != nil {
		fmt.Fprintf(&b, " rows=%d", r.Progress.Rows)
	}
	if r.Error != nil {
		fmt.Fprintf(&b, " error=%s", r.Error.Code)
		if r.Error.Statement != nil {
			fmt.Fprintf(&b, "@%d", *r.Error.Statement)
		}
	}
	if r.Cancel != nil {
		fmt.Fprintf(&b, " canceled-by=%s", r.Cancel.By)
	}
	if r.OpenTransaction {
		b.WriteString(" open-transaction")
	}
	if r.State.Terminal() {
		fmt.Fprintf(&b, " queue=%dms elapsed=%dms", r.QueueMS, r.ElapsedMS)
	}
	return b.String() + "\n"
}

// Whose lock it is that a statement waits for is told to himself, and to
// operators who may see others' sessions.
func TestWhoseLockIsTold(t *testing.T) {
	t.Parallel()
	const another, his = "waits for a lock that another session holds", "waits for a lock that a session of bob in psql holds"
	as := func(login string, role admin.Role, scopes ...admin.Scope) *admin.Caller {
		return &admin.Caller{Login: login, Roles: map[string]admin.Role{admin.AllTargets: role}, Scopes: scopes}
	}
	w := blocked(&Holder{User: "bob", Tool: "psql"}, "ann", "all")
	for want, callers := range map[string][]*admin.Caller{
		another: {as("ann", admin.RoleMember, admin.ScopeActivityRead), as("eve", admin.RoleOperator), as("eve", admin.RoleNone, admin.ScopeActivityRead)},
		his:     {as("bob", admin.RoleMember), as("ops", admin.RoleOperator, admin.ScopeActivityRead)},
	} {
		for _, c := range callers {
			if got := w.shown(c, "warehouse").Detail; got != want {
				t.Errorf("to %s, %v: %q, want %q", c.Login, c.Scopes, got, want)
			}
		}
	}
	if w.Detail != another || blocked(&Holder{}, "", "all").Detail != another {
		t.Errorf("the snapshot says %q", w.Detail)
	}
}
