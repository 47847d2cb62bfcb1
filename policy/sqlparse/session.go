package sqlparse

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// session reads the statements that change the session and not the data.
func (w *walker) session(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_VariableSetStmt:
		w.set(v.VariableSetStmt)
	case *pg.Node_DiscardStmt:
		w.discard(v.DiscardStmt.GetTarget())
	case *pg.Node_ConstraintsSetStmt:
		w.kind(policy.KindSession, policy.VerbSession)
		w.feat(policy.FeatConstraints)
	case *pg.Node_ListenStmt, *pg.Node_UnlistenStmt:
		w.kind(policy.KindSession, policy.VerbSession)
		w.feat(policy.FeatNotify)
	default:
		return false
	}
	return true
}

func (w *walker) set(s *pg.VariableSetStmt) {
	w.kind(policy.KindSession, policy.VerbSession)
	w.PgAudit = "MISC_SET"
	w.Setting = strings.ToLower(s.GetName())
	switch {
	case s.GetName() == "TRANSACTION":
		w.Tx = policy.TxSet
		w.TxModes = txModes(s.GetArgs())
		w.feat(policy.FeatSetLocal)
	case s.GetName() == "TRANSACTION SNAPSHOT":
		w.Tx = policy.TxSet
		w.TxModes = "SNAPSHOT"
		w.Setting = "transaction"
		w.feat(policy.FeatSetLocal)
	case s.GetName() == "SESSION CHARACTERISTICS":
		w.Setting = "session characteristics"
		w.TxModes = txModes(s.GetArgs())
		w.feat(policy.FeatSet)
	case s.GetIsLocal():
		w.feat(policy.FeatSetLocal)
	default:
		w.feat(policy.FeatSet)
	}
	if tracked(w.Setting) {
		w.SettingValue = settingValue(w.Setting, s.GetArgs())
	}
	if secretName(w.Setting) {
		w.feat(policy.FeatSecret)
	}
}

// settingValue joins the values of a SET, without quotes but where the comma of a
// name or an empty name would be lost.
func settingValue(setting string, args []*pg.Node) string {
	parts := make([]string, 0, len(args))
	for _, a := range args {
		s, ok := constant(a)
		if !ok {
			continue
		}
		if setting == "search_path" && (s == "" || strings.ContainsAny(s, `,"`)) {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ",")
}

func (w *walker) discard(m pg.DiscardMode) {
	w.kind(policy.KindSession, policy.VerbSession)
	w.feat(policy.FeatSet)
	switch m {
	case pg.DiscardMode_DISCARD_ALL:
		w.feat(policy.FeatNotify | policy.FeatTemp | policy.FeatAdvisory | policy.FeatSequence)
		w.Prepare = policy.SQLDeallocate
	case pg.DiscardMode_DISCARD_TEMP:
		w.feat(policy.FeatTemp)
	case pg.DiscardMode_DISCARD_SEQUENCES:
		w.feat(policy.FeatSequence)
	default:
	}
}

// txModes writes the modes of a transaction as SQL.
func txModes(options []*pg.Node) string {
	var out []string
	for _, o := range options {
		d := o.GetDefElem()
		arg := d.GetArg()
		switch d.GetDefname() {
		case "transaction_isolation":
			s, _ := constant(arg)
			out = append(out, "ISOLATION LEVEL "+strings.ToUpper(s))
		case "transaction_read_only":
			out = append(out, choose(arg, "READ ONLY", "READ WRITE"))
		case "transaction_deferrable":
			out = append(out, choose(arg, "DEFERRABLE", "NOT DEFERRABLE"))
		}
	}
	return strings.Join(out, ", ")
}

func choose(n *pg.Node, on, off string) string {
	if s, ok := constant(n); ok && s != "0" {
		return on
	}
	return off
}

// utility reads the statements that neither change data nor schema nor session.
func (w *walker) utility(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_VariableShowStmt:
		w.Setting = strings.ToLower(v.VariableShowStmt.GetName())
	case *pg.Node_NotifyStmt:
		w.feat(policy.FeatNotify)
	case *pg.Node_LockStmt:
		w.lock(v.LockStmt)
	case *pg.Node_VacuumStmt:
		w.vacuum(v.VacuumStmt)
	case *pg.Node_ClusterStmt:
		w.maintain(v.ClusterStmt.GetRelation())
	case *pg.Node_ReindexStmt:
		w.maintain(v.ReindexStmt.GetRelation())
	case *pg.Node_CheckPointStmt:
	case *pg.Node_LoadStmt:
		w.Unknown |= policy.UnknownEffects
		w.feat(policy.FeatVolatileCall)
	default:
		return false
	}
	w.kind(policy.KindUtility, policy.VerbUtility)
	return true
}

// maintain notes a table that maintenance locks against everyone; without one it
// is a schema or a database, whose tables nobody knows here.
func (w *walker) maintain(rv *pg.RangeVar) {
	if rv != nil {
		w.target(rv)
		return
	}
	w.Unknown |= policy.UnknownWrites
}

// accessShareLock is AccessShareLock of lockdefs.h, the lock of a reader.
const accessShareLock = 1

func (w *walker) lock(s *pg.LockStmt) {
	w.feat(policy.FeatLock)
	for _, n := range s.GetRelations() {
		if s.GetMode() == accessShareLock {
			w.table(n.GetRangeVar(), nil)
		} else {
			w.target(n.GetRangeVar())
		}
	}
}

// vacuum: VACUUM changes tables in place, ANALYZE only reads them.
func (w *walker) vacuum(s *pg.VacuumStmt) {
	for _, n := range s.GetRels() {
		rv := n.GetVacuumRelation().GetRelation()
		if s.GetIsVacuumcmd() {
			w.target(rv)
		} else {
			w.table(rv, nil)
		}
	}
	switch {
	case len(s.GetRels()) > 0:
	case s.GetIsVacuumcmd():
		w.Unknown |= policy.UnknownWrites
	default:
		w.Unknown |= policy.UnknownReads
	}
}
