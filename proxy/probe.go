package proxy

import (
	"context"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// probeSQL asks, inside the idle transaction itself, what would be lost with
// it. Everything is qualified, operators too: a temporary view named pg_locks
// must not answer. One column a fact: wrote rows or schema; holds more than
// AccessShare on anything; has cursors.
const probeSQL = `/* lockkeeper probe */ SELECT
 pg_catalog.txid_current_if_assigned() IS NOT NULL,
 EXISTS (SELECT 1 FROM pg_catalog.pg_locks AS l
   WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
     AND l.locktype OPERATOR(pg_catalog.=) ANY (ARRAY['relation','tuple','object','advisory']::pg_catalog.text[])
     AND l.mode OPERATOR(pg_catalog.<>) 'AccessShareLock'::pg_catalog.text)`

// probeName names statement and portal: an unnamed portal would end the
// client's suspended one.
const probeName = "lockkeeper_probe"

// losesWork reports whether ending the open transaction loses something: by
// the facts of what went up, and by the server's own word. No answer in time
// means yes.
func (s *session) losesWork(ctx context.Context) bool {
	if s.hidesEffects() {
		return true
	}
	ctx, stop := context.WithTimeout(ctx, s.srv.cfg.ProbeTimeout)
	defer stop()
	row, ok := s.ask(ctx, probeSQL, probeName)
	return !ok || len(row) != 2 || row[0] != "f" || row[1] != "f"
}

// hidesEffects reports whether something ran in the transaction whose effects
// neither a lock nor a transaction id shows, or that we cannot see through: a
// setting, a notification, a function or view the catalog cannot vouch for.
func (s *session) hidesEffects() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx.features&policy.Star != 0 || s.tx.unknown != 0 || s.tx.crowded {
		return true
	}
	catalog := s.srv.cfg.Engine.Catalog(s.base.Database)
	for _, b := range s.tx.batches {
		for i := range b.Statements {
			st := &b.Statements[i]
			switch {
			case len(st.Reads)+len(st.Writes)+len(st.Functions) == 0:
				if st.Features&policy.FeatVolatileCall != 0 {
					return true
				}
			case catalog == nil, s.madeTemp && namesTemp(st):
				return true
			case !catalog.Transparent(st, s.st.SearchPath, s.st.PathKnown):
				return true
			}
		}
	}
	return false
}

// namesTemp reports whether a statement may mean a temporary object.
func namesTemp(st *policy.Statement) bool {
	for _, r := range st.Reads {
		if r.Schema == "" || strings.HasPrefix(r.Schema, "pg_temp") {
			return true
		}
	}
	for _, f := range st.Functions {
		if strings.HasPrefix(f.Schema, "pg_temp") {
			return true
		}
	}
	return false
}

// ask runs one statement of our own on the client's connection and returns its
// row as text. The session must be held and idle. Not ok: it failed, or the
// answer did not come in time; it is still owed then.
func (s *session) ask(ctx context.Context, sql, name string) (row []string, ok bool) {
	failed := false
	name += s.nonce // none of the client's own
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil, false
	}
	s.capture = func(frame []byte) {
		switch frame[0] {
		case pgwire.MsgDataRow:
			row = textRow(frame[pgwire.HeadSize:])
		case pgwire.MsgErrorResponse:
			failed = true
		}
	}
	for _, op := range []pgstate.Op{pgstate.OpClose, pgstate.OpParse, pgstate.OpBind, pgstate.OpExecute, pgstate.OpClose, pgstate.OpClose, pgstate.OpSync} {
		s.m.Push(pgstate.Entry{Op: op, Own: true, Ref: pgstate.NoRef})
	}
	s.mu.Unlock()
	// A question that failed half-way has left its statement behind.
	frames := pgwire.AppendTarget(nil, pgwire.MsgClose, 'S', name)
	frames = pgwire.AppendParse(frames, name, sql)
	frames = pgwire.AppendBind(frames, name, name)
	frames = pgwire.AppendExecute(frames, name)
	frames = pgwire.AppendTarget(frames, pgwire.MsgClose, 'P', name)
	frames = pgwire.AppendTarget(frames, pgwire.MsgClose, 'S', name)
	frames = pgwire.AppendEmpty(frames, pgwire.MsgSync)
	if err := s.write(frames); err != nil {
		return nil, false
	}
	answered := s.await(ctx, func() bool { return s.m.Owed() == 0 })
	s.mu.Lock()
	s.capture = nil
	defer s.mu.Unlock()
	return row, answered && !failed
}

// textRow returns the values of a DataRow in text format; NULL is "".
func textRow(body []byte) []string {
	if len(body) < 2 {
		return nil
	}
	n := int(body[0])<<8 | int(body[1])
	body = body[2:]
	out := make([]string, 0, n)
	for range n {
		if len(body) < 4 {
			return nil
		}
		size := int(int32(uint32(body[0])<<24 | uint32(body[1])<<16 | uint32(body[2])<<8 | uint32(body[3])))
		body = body[4:]
		if size < 0 {
			out = append(out, "")
			continue
		}
		if size > len(body) {
			return nil
		}
		out = append(out, string(body[:size]))
		body = body[size:]
	}
	return out
}
