package sqlparse

import (
	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// statement reads the facts of one statement out of its tree.
func (w *walker) statement(n *pg.Node) {
	switch v := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		w.query(n)
		if w.Kind == policy.KindRead || w.Kind == policy.KindUtility || w.Kind == policy.KindSession {
			w.outermost(v.SelectStmt)
		}
	case *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		w.query(n)
	case *pg.Node_CopyStmt:
		w.copy(v.CopyStmt)
	case *pg.Node_ExplainStmt:
		w.explain(v.ExplainStmt)
	case *pg.Node_TruncateStmt:
		w.truncate(v.TruncateStmt)
	case *pg.Node_DeclareCursorStmt, *pg.Node_FetchStmt, *pg.Node_ClosePortalStmt, *pg.Node_PrepareStmt, *pg.Node_ExecuteStmt, *pg.Node_DeallocateStmt:
		w.prepared(n)
	case *pg.Node_TransactionStmt:
		w.transaction(v.TransactionStmt)
	case *pg.Node_CallStmt:
		w.kind(policy.KindWrite, policy.VerbCall)
		w.call(v.CallStmt.GetFunccall(), nil)
		w.Unknown |= policy.UnknownAll
	case *pg.Node_DoStmt:
		w.kind(policy.KindWrite, policy.VerbCall)
		w.Unknown |= policy.UnknownAll
	default:
		if !w.session(n) && !w.utility(n) && !w.grant(n) {
			w.ddl(n)
		}
	}
}

func (w *walker) kind(k policy.Kind, v policy.Verbs) {
	w.Kind = k
	w.verb(v)
}

// query reads a statement of the query language and says what kind it is.
func (w *walker) query(n *pg.Node) {
	w.node(n, nil)
	w.queryKind()
}

// queryKind derives the kind of a query from what it does.
func (f *facts) queryKind() {
	const change = policy.VerbInsert | policy.VerbUpdate | policy.VerbDelete | policy.VerbMerge | policy.VerbTruncate | policy.VerbFunction
	switch {
	case f.Verbs.Has(policy.VerbUnknown):
		f.Kind = policy.KindUnknown
	case f.Verbs.Has(policy.VerbDDL):
		f.Kind = policy.KindDDL
	case f.Verbs.Has(change):
		f.Kind = policy.KindWrite
	case len(f.Reads) == 0 && f.Verbs.Has(policy.VerbSession):
		f.Kind = policy.KindSession
	case len(f.Reads) == 0 && f.Verbs.Has(policy.VerbUtility):
		f.Kind = policy.KindUtility
	default:
		f.Kind = policy.KindRead
	}
}

// outermost notes WHERE and LIMIT of the outermost select.
func (w *walker) outermost(s *pg.SelectStmt) {
	w.outer = true
	w.where = filtered(s)
	if n := s.GetLimitCount(); n != nil && !n.GetAConst().GetIsnull() {
		w.feat(policy.FeatLimit)
	}
}

// filtered reports whether a select has a WHERE; of a union, every arm.
func filtered(s *pg.SelectStmt) bool {
	if s.GetLarg() != nil {
		return filtered(s.GetLarg()) && filtered(s.GetRarg())
	}
	return s.GetWhereClause() != nil
}

// explain: with ANALYZE it is the statement, without it executes nothing and only
// looks at the tables.
func (w *walker) explain(s *pg.ExplainStmt) {
	inner := walker{newFacts(w.dialect)}
	inner.statement(s.GetQuery())
	w.explained(inner.facts, analyzes(s.GetOptions()))
}

// explained takes over what an EXPLAIN of inner does.
func (f *facts) explained(inner *facts, analyze bool) {
	if analyze {
		f.absorb(inner)
		f.Kind = inner.Kind
		return
	}
	for _, r := range inner.Reads {
		f.read(r)
	}
	for _, r := range inner.Writes {
		f.read(r)
	}
	for _, fn := range inner.Functions {
		f.function(fn)
	}
	f.Kind, f.Verbs = policy.KindRead, policy.VerbRead
	f.outer, f.where = inner.outer, inner.where
	f.changes, f.unbounded = inner.changes, inner.unbounded
	f.feat(policy.FeatExplain | inner.Features&(policy.FeatLimit|policy.FeatVolatileCall))
	// Planning may run functions that are not volatile; what they are called is known.
	f.Unknown |= inner.Unknown &^ (policy.UnknownVerbs | policy.UnknownWrites)
	if inner.Unknown&policy.UnknownWrites != 0 {
		f.Unknown |= policy.UnknownReads
	}
	if inner.Kind == policy.KindUnknown && inner.Verbs&^policy.VerbUnknown == 0 {
		f.Kind = policy.KindUnknown
		f.Unknown |= inner.Unknown
	}
}

// analyzes reports whether the options hold ANALYZE that is not switched off.
func analyzes(options []*pg.Node) bool {
	on := false
	for _, o := range options {
		if d := o.GetDefElem(); d.GetDefname() == "analyze" {
			on = truth(d)
		}
	}
	return on
}

// truth is the value of a boolean option; what is not plainly off is on.
func truth(d *pg.DefElem) bool {
	switch a := d.GetArg(); {
	case a.GetString_() != nil:
		switch a.GetString_().GetSval() {
		case "false", "off", "0", "no":
			return false
		}
	case a.GetInteger() != nil:
		return a.GetInteger().GetIval() != 0
	case a.GetBoolean() != nil:
		return a.GetBoolean().GetBoolval()
	}
	return true
}

func (w *walker) truncate(s *pg.TruncateStmt) {
	w.kind(policy.KindWrite, policy.VerbTruncate)
	for _, n := range s.GetRelations() {
		w.target(n.GetRangeVar())
	}
	if s.GetBehavior() == pg.DropBehavior_DROP_CASCADE {
		w.Unknown |= policy.UnknownWrites
	}
}

// copy: the query or the table, and where the bytes come from or go to.
func (w *walker) copy(s *pg.CopyStmt) {
	if q := s.GetQuery(); q != nil {
		w.node(q, nil)
		w.queryKind()
	} else if s.GetIsFrom() {
		w.target(s.GetRelation())
		w.node(s.GetWhereClause(), nil)
	} else {
		w.table(s.GetRelation(), nil)
		w.verb(policy.VerbRead)
	}
	switch {
	case s.GetIsFrom():
		w.kind(policy.KindCopyIn, policy.VerbCopyIn)
	case w.Kind == policy.KindWrite || w.Kind == policy.KindDDL || w.Verbs.Has(policy.VerbUnknown):
		w.verb(policy.VerbCopyOut)
	default:
		w.kind(policy.KindCopyOut, policy.VerbCopyOut)
	}
	switch {
	case s.GetIsProgram():
		w.feat(policy.FeatProgram)
		w.Unknown |= policy.UnknownEffects
	case s.GetFilename() != "":
		w.feat(policy.FeatServerFile)
	default:
		w.feat(policy.FeatCopyWire)
	}
}

// prepared: cursors and prepared statements carry the facts of what is in them.
func (w *walker) prepared(n *pg.Node) {
	switch v := n.GetNode().(type) {
	case *pg.Node_DeclareCursorStmt:
		w.query(v.DeclareCursorStmt.GetQuery())
		w.Cursor = v.DeclareCursorStmt.GetPortalname()
		w.feat(policy.FeatCursor)
		if v.DeclareCursorStmt.GetOptions()&cursorHold != 0 {
			w.Features &^= policy.FeatCursor
			w.feat(policy.FeatCursorHold)
		}
		if s := v.DeclareCursorStmt.GetQuery().GetSelectStmt(); s != nil && w.Kind == policy.KindRead {
			w.outermost(s)
		}
	case *pg.Node_FetchStmt:
		w.kind(policy.KindRead, policy.VerbRead)
		w.Cursor = v.FetchStmt.GetPortalname()
	case *pg.Node_ClosePortalStmt:
		w.kind(policy.KindUtility, policy.VerbUtility)
		w.Cursor = v.ClosePortalStmt.GetPortalname()
	case *pg.Node_PrepareStmt:
		w.statement(v.PrepareStmt.GetQuery())
		w.Kind = policy.KindSession
		w.verb(policy.VerbSession)
		w.Prepare, w.Prepared = policy.SQLPrepareDefine, v.PrepareStmt.GetName()
	case *pg.Node_ExecuteStmt:
		w.executes(v.ExecuteStmt.GetName())
		w.list(v.ExecuteStmt.GetParams(), nil)
	case *pg.Node_DeallocateStmt:
		w.kind(policy.KindSession, policy.VerbSession)
		w.Prepare, w.Prepared = policy.SQLDeallocate, v.DeallocateStmt.GetName()
	}
}

// cursorHold is CURSOR_OPT_HOLD.
const cursorHold = 0x20

// executes: what an EXECUTE does, only the session that saw the PREPARE can say.
func (f *facts) executes(name string) {
	f.Kind = policy.KindWrite
	f.verb(policy.VerbUnknown)
	f.Unknown |= policy.UnknownAll
	f.Prepare, f.Prepared = policy.SQLExecute, name
}

// transaction: what becomes of the transaction block.
func (w *walker) transaction(s *pg.TransactionStmt) {
	w.kind(policy.KindTransaction, policy.VerbTransaction)
	w.TxChain = s.GetChain()
	w.Tx = transactionKinds[s.GetKind()]
	if w.Tx == policy.TxBegin {
		w.TxModes = txModes(s.GetOptions())
	}
}

var transactionKinds = map[pg.TransactionStmtKind]policy.TxControl{
	pg.TransactionStmtKind_TRANS_STMT_BEGIN:             policy.TxBegin,
	pg.TransactionStmtKind_TRANS_STMT_START:             policy.TxBegin,
	pg.TransactionStmtKind_TRANS_STMT_COMMIT:            policy.TxCommit,
	pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:          policy.TxRollback,
	pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:         policy.TxSavepoint,
	pg.TransactionStmtKind_TRANS_STMT_RELEASE:           policy.TxRelease,
	pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:       policy.TxRollbackTo,
	pg.TransactionStmtKind_TRANS_STMT_PREPARE:           policy.TxPrepare,
	pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:   policy.TxCommitPrepared,
	pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED: policy.TxRollbackPrepared,
}
