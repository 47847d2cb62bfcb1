package proxy

import (
	"context"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// pathSQL asks for the schemas unqualified names are looked up in, and whether
// it has not looked: with pg_temp on the path current_schemas would create the
// session's temporary schema, which the client could notice. A comma within a
// schema's name would read as two: stricter, never looser.
const pathSQL = `/* lockkeeper search_path */ SELECT s.temp,
 CASE WHEN s.temp THEN '' ELSE pg_catalog.array_to_string(pg_catalog.current_schemas(false), ',') END
 FROM (SELECT pg_catalog.strpos(pg_catalog.lower(pg_catalog.current_setting('search_path')), 'pg_temp') OPERATOR(pg_catalog.>) 0 AS temp) AS s`

// pathTimeout bounds the question; without an answer the path is unknown.
const pathTimeout = time.Second

// refreshPath reads the session's search_path again where it may have moved
// and a rule could depend on it, or the record of a principal's statement. It asks only where the question is harmless:
// outside transactions, or inside one that has read something already.
func (s *session) refreshPath(ctx context.Context) error {
	if !s.principal && !s.srv.cfg.Engine.NeedsSearchPath() {
		return nil
	}
	s.mu.Lock()
	ask := s.pathStale && !s.env.Redshift && s.m.Phase() == pgstate.Idle &&
		(s.m.Status() == pgwire.TxIdle || (s.m.Status() == pgwire.TxActive && s.st.Held)) && s.rel == nil
	if ask {
		s.holds++
	}
	s.mu.Unlock()
	if !ask {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, pathTimeout)
	defer stop()
	row, ok := s.ask(ctx, pathSQL, probeName)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds--
	s.rearmLocked(s.srv.cfg.Now())
	if ok && len(row) == 2 {
		s.st.SearchPath = nil
		if row[1] != "" {
			s.st.SearchPath = strings.Split(row[1], ",")
		}
		s.st.PathKnown, s.pathStale = row[0] == "f", false
	}
	if s.ended {
		return s.cause
	}
	return nil
}

// followTagsLocked keeps the tags of SET lockkeeper.tags with the session.
func (s *session) followTagsLocked(st *policy.Statement) {
	if st == nil || st.Setting != "lockkeeper.tags" {
		return
	}
	sub := *s.conn.Subject()
	sub.Tags = nil
	for kv := range strings.SplitSeq(st.SettingValue, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(kv), "=")
		if k != "" && len(sub.Tags) < maxTags {
			sub.Tags = append(sub.Tags, policy.Tag{Key: k, Value: v})
		}
	}
	s.conn.SetSubject(sub)
}

// maxTags bounds the tags of a session.
const maxTags = 16
