package proxy

import (
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// savepoints returns the commands for savepoints that a refused string begins
// with.
//
// psqlODBC guards each statement of a transaction in this way, in one string:
//
//	SAVEPOINT a; SELECT …              then, on an error, ROLLBACK TO a
//	RELEASE a; SAVEPOINT a; SELECT …
//
// If the string is refused as a whole, there is no savepoint to go back to, and
// it gives up the transaction without a word: earlier work is lost, and what
// follows is committed by itself. So the guard goes up alone, and is answered.
// It reads and writes nothing.
func (s *session) savepoints(batch *policy.Batch, sql []byte) []string {
	var guard []string
	for i := range batch.Statements {
		st := &batch.Statements[i]
		if !guards(st) || st.Start > st.End || st.End > len(sql) {
			break
		}
		// The offsets may be those of a text in another encoding: read what goes up.
		text := sql[st.Start:st.End]
		if alone := s.parse(text); len(alone.Statements) != 1 || !guards(&alone.Statements[0]) {
			break
		}
		guard = append(guard, string(text))
	}
	return guard
}

func guards(st *policy.Statement) bool {
	switch st.Tx {
	case policy.TxSavepoint, policy.TxRelease, policy.TxRollbackTo:
		return st.Unknown == 0
	default:
		return false
	}
}

// guardLocked pushes the savepoints of a refused string, before its poison, and
// appends them to dst. They are of the same unit, which alone makes the server
// skip the poison if one of them fails. Of their answers the client gets what
// it expects of a string: CommandComplete, or the error.
func (s *session) guardLocked(dst []byte, savepoints []string) []byte {
	if s.m.Status() != pgwire.TxActive || s.m.UnitOpen() {
		return dst
	}
	for _, sql := range savepoints {
		s.m.PushParse(pgstate.Entry{Hush: true, Ref: pgstate.NoRef}, nil, nil)
		s.m.PushBind(pgstate.Entry{Hush: true, Ref: pgstate.NoRef}, nil)
		s.m.Push(pgstate.Entry{Op: pgstate.OpExecute, Ref: pgstate.NoRef})
		dst = pgwire.AppendExecute(pgwire.AppendBind(pgwire.AppendParse(dst, "", sql), "", ""), "")
	}
	return dst
}
