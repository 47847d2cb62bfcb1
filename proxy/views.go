package proxy

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// views are the tables of SHOW, by name, with their columns.
var views = map[string][]string{ //nolint:gochecknoglobals // immutable
	"sessions":   {"pid", "user", "team", "tool", "database", "role", "client", "tls", "class", "state", "for", "transaction", "application"},
	"statements": {"pid", "user", "class", "state", "running", "rows", "bytes", "fingerprint", "statement"},
	"queue":      {"class", "position", "user", "waited", "why"},
	"locks":      {"waiter", "waiter_user", "waiter_class", "holder", "holder_user", "holder_class", "holder_state", "relations", "mode"},
	"quotas":     {"id", "key", "used", "limit", "unit", "reset"},
	"classes":    {"class", "declared", "observe", "running", "hard", "queued", "max_queue", "max_wait", "admitted", "query_execution_time"},
	"rules":      {"id", "mode", "verb", "matched", "observed"},
	"config":     {"key", "value"},
	"audit":      {"key", "value"},
	"version":    {"version"},
}

func viewNames() []string {
	out := make([]string, 0, len(views))
	for n := range views {
		out = append(out, strings.ToUpper(n))
	}
	sort.Strings(out)
	return out
}

// viewName returns the view a SHOW names: SHOW SESSIONS, or SHOW LOCKKEEPER SESSIONS.
func viewName(sql string) string {
	word := strings.Fields(strings.ToLower(strings.TrimRight(strings.TrimSpace(sql), ";")))
	if len(word) == 3 && word[1] == "lockkeeper" {
		word = append(word[:1], word[2])
	}
	if len(word) != 2 || word[0] != "show" {
		return ""
	}
	return word[1]
}

func columnsOf(sql string) []string { return views[viewName(sql)] }

// view returns the rows of a view.
func (srv *Server) view(name string) [][]string {
	now := srv.cfg.Now()
	switch name {
	case "sessions":
		return srv.viewSessions(now)
	case "statements":
		return srv.viewStatements(now)
	case "queue":
		return srv.viewQueue(now)
	case "locks":
		return srv.viewLocks(now)
	case "quotas":
		return srv.viewQuotas(now)
	case "classes":
		return srv.viewClasses(now)
	case "rules":
		return srv.viewRules()
	case "config":
		return pairs(srv.cfg.ConsoleHooks.Config)
	case "audit":
		return pairs(srv.cfg.ConsoleHooks.Audit)
	case "version":
		return [][]string{{"lockkeeper " + srv.cfg.Version}}
	}
	return nil
}

func pairs(f func() [][2]string) [][]string {
	if f == nil {
		return nil
	}
	var out [][]string
	for _, kv := range f() {
		out = append(out, []string{kv[0], kv[1]})
	}
	return out
}

func (srv *Server) viewSessions(now time.Time) [][]string {
	var out [][]string
	all, _ := srv.activity()
	for i := range all {
		s := &all[i]
		tx := ""
		if !s.TxSince.IsZero() {
			tx = since(now, s.TxSince)
		}
		out = append(out, []string{
			pid(s.PID), s.User, s.Team, s.Tool, s.Database, s.Role, s.ClientAddr, yes(s.TLS), s.Class, s.State,
			since(now, s.StateSince), tx, s.Application,
		})
	}
	return out
}

func (srv *Server) viewStatements(now time.Time) [][]string {
	var out [][]string
	_, busy := srv.activity()
	for i := range busy {
		s := &busy[i]
		began := s.Started
		if began.IsZero() {
			began = s.Asked
		}
		out = append(out, []string{
			pid(s.PID), s.User, s.Class, s.State, since(now, began), strconv.FormatInt(s.Rows, 10),
			strconv.FormatInt(s.BytesOut, 10), s.Fingerprint, s.Text,
		})
	}
	return out
}

func (srv *Server) viewQueue(now time.Time) [][]string {
	var out [][]string
	for _, q := range srv.queue(now) {
		out = append(out, []string{q.Class, strconv.Itoa(q.Position), q.User, short(q.Waited), q.Why})
	}
	return out
}

// viewLocks shows the edges of the last look; an empty table means that
// nobody of ours waited then.
func (srv *Server) viewLocks(now time.Time) [][]string {
	var out [][]string
	all, _ := srv.activity()
	for _, e := range srv.lockInfo(now, all) {
		w, h := &e.Waiter, &e.Holder
		out = append(out, []string{
			pid(w.PID), w.User, w.Class, pid(h.PID), h.User, h.Class, h.State, strings.Join(e.Relations, ", "), e.Mode,
		})
	}
	return out
}

func (srv *Server) viewQuotas(now time.Time) [][]string {
	var out [][]string
	for _, q := range srv.cfg.Engine.Quotas(now) {
		reset := ""
		if !q.Reset.IsZero() {
			reset = q.Reset.UTC().Format(time.RFC3339)
		}
		out = append(out, []string{q.ID, q.Key, strconv.FormatInt(q.Used, 10), strconv.FormatInt(q.Limit, 10), q.Unit, reset})
	}
	return out
}

func (srv *Server) viewClasses(now time.Time) [][]string {
	var out [][]string
	for _, c := range srv.cfg.Engine.Classes(now) {
		limit, wait := "", ""
		if c.Limits.QueryExecutionTime > 0 {
			limit = short(c.Limits.QueryExecutionTime)
		}
		if c.MaxWait > 0 {
			wait = short(c.MaxWait)
		}
		out = append(out, []string{
			c.Path, yes(c.Declared), yes(c.Observe), strconv.Itoa(c.Running), bound(c.Hard), strconv.Itoa(c.Queued),
			bound(c.MaxQueue), wait, strconv.FormatUint(c.Admitted, 10), limit,
		})
	}
	return out
}

func (srv *Server) viewRules() [][]string {
	var out [][]string
	for _, r := range srv.cfg.Engine.Rules() {
		out = append(out, []string{r.ID, r.Mode, r.Verb, fmt.Sprint(r.Matched), fmt.Sprint(r.Observed)})
	}
	return out
}

func pid(p uint32) string { return strconv.FormatUint(uint64(p), 10) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func bound(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func since(now, t time.Time) string { return short(max(now.Sub(t), 0).Round(time.Millisecond)) }
