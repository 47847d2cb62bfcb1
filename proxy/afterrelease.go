package proxy

import (
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// The first words of a client after its transaction was released. Only ends
// of the transaction need us; all else the server answers from its aborted
// transaction, and the first error reads 40001 (answer.go).

// afterRelease handles a simple Query; handled says that nothing is left to do.
func (s *session) afterRelease(b *policy.Batch, size int) (handled bool, err error) {
	s.mu.Lock()
	rel := s.rel
	if rel == nil || rel.told || len(b.Statements) == 0 {
		s.mu.Unlock()
		return false, nil
	}
	st := &b.Statements[0]
	single := len(b.Statements) == 1
	switch {
	case st.Tx == policy.TxCommit && rel.lost:
		s.mu.Unlock()
		return true, s.endInPlace(size, "ROLLBACK", pgwire.AppendError(nil, rel.notice))
	case st.TxChain && single && (st.Tx == policy.TxCommit || st.Tx == policy.TxRollback):
		s.mu.Unlock()
		tag := "ROLLBACK"
		if st.Tx == policy.TxCommit {
			tag = "COMMIT"
		}
		return true, s.chain(size, rel.modes, tag)
	case st.Tx == policy.TxCommit:
		rel.commits = true
	}
	s.mu.Unlock()
	return false, nil
}

// endInPlace sends sql up in the place of the client's query: the client gets
// put for its answer, and the ReadyForQuery that is true.
func (s *session) endInPlace(size int, sql string, put []byte) error {
	if err := s.skip(size); err != nil {
		return err
	}
	s.mu.Lock()
	s.hush = put
	s.m.Push(pgstate.Entry{Op: pgstate.OpQuery, Hush: true, Ref: pgstate.NoRef})
	s.rel.told = true
	s.mu.Unlock()
	return s.write(pgwire.AppendQuery(nil, sql))
}

// chain ends the released transaction and begins the next with the client's
// own modes: Postgres forgets them when it chains out of an aborted one.
func (s *session) chain(size int, modes, tag string) error {
	if err := s.skip(size); err != nil {
		return err
	}
	s.mu.Lock()
	s.rel = nil
	s.hush = pgwire.AppendCommandComplete(nil, tag)
	s.m.Push(pgstate.Entry{Op: pgstate.OpQuery, Own: true, Ref: pgstate.NoRef})
	s.m.Push(pgstate.Entry{Op: pgstate.OpQuery, Hush: true, Ref: pgstate.NoRef})
	s.mu.Unlock()
	frames := pgwire.AppendQuery(nil, "ROLLBACK")
	begin := "BEGIN"
	if modes != "" {
		begin += " " + modes
	}
	return s.write(pgwire.AppendQuery(frames, begin))
}

// releasedBind is the extended protocol's part: a COMMIT whose work was lost
// fails, and its unit ends outside the transaction, like a serialization
// failure at commit.
func (s *session) releasedBind(b *policy.Batch) *pgwire.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel := s.rel
	if rel == nil || rel.told || len(b.Statements) == 0 || b.Statements[0].Tx != policy.TxCommit {
		return nil
	}
	if rel.lost {
		s.endAtSync = true
		return rel.notice
	}
	rel.commits = true
	return nil
}

// tellUnitLost answers the first message after a release that ended the open
// unit: what it had run is gone.
func (s *session) tellUnitLost(tag byte) (told bool, err error) {
	s.mu.Lock()
	n := s.unitLost
	s.unitLost = nil
	extended := tag != pgwire.MsgQuery && tag != pgwire.MsgFunctionCall && tag != pgwire.MsgTerminate
	if n != nil && extended {
		s.m.Refused()
	}
	s.mu.Unlock()
	if n == nil || !extended {
		return false, nil
	}
	return true, s.answer(pgwire.AppendError(nil, n))
}
