package sqlparse

import (
	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// ddl reads the statements that change the schema. Whatever statement nobody
// named before ends here too: it changes every relation it mentions.
func (w *walker) ddl(n *pg.Node) {
	w.kind(policy.KindDDL, policy.VerbDDL)
	switch v := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		w.create(v.CreateStmt)
	case *pg.Node_CreateForeignTableStmt:
		w.create(v.CreateForeignTableStmt.GetBaseStmt())
	case *pg.Node_CreateTableAsStmt:
		w.createAs(v.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		w.made(v.ViewStmt.GetView())
		w.mentions(v.ViewStmt.GetQuery())
	case *pg.Node_AlterTableStmt:
		w.target(v.AlterTableStmt.GetRelation())
		w.alter(v.AlterTableStmt.GetCmds())
	case *pg.Node_RefreshMatViewStmt:
		w.target(v.RefreshMatViewStmt.GetRelation())
		w.Kind = policy.KindWrite
	case *pg.Node_CreateSchemaStmt:
		w.createSchema(v.CreateSchemaStmt)
	case *pg.Node_RenameStmt, *pg.Node_AlterObjectSchemaStmt, *pg.Node_AlterOwnerStmt, *pg.Node_DropStmt, *pg.Node_CommentStmt, *pg.Node_SecLabelStmt:
		w.object(n)
	case *pg.Node_CreateTrigStmt:
		w.target(v.CreateTrigStmt.GetRelation())
	case *pg.Node_RuleStmt:
		w.target(v.RuleStmt.GetRelation())
		w.mentions(v.RuleStmt.GetActions()...)
		w.mentions(v.RuleStmt.GetWhereClause())
	case *pg.Node_CreatePolicyStmt:
		w.target(v.CreatePolicyStmt.GetTable())
		w.mentions(v.CreatePolicyStmt.GetQual(), v.CreatePolicyStmt.GetWithCheck())
	case *pg.Node_AlterPolicyStmt:
		w.target(v.AlterPolicyStmt.GetTable())
		w.mentions(v.AlterPolicyStmt.GetQual(), v.AlterPolicyStmt.GetWithCheck())
	case *pg.Node_IndexStmt:
		w.target(v.IndexStmt.GetRelation())
	case *pg.Node_CreateFunctionStmt:
		w.createFunction(v.CreateFunctionStmt)
	case *pg.Node_AlterFunctionStmt, *pg.Node_CreatePublicationStmt, *pg.Node_AlterPublicationStmt:
	case *pg.Node_ImportForeignSchemaStmt, *pg.Node_DropOwnedStmt, *pg.Node_ReassignOwnedStmt, *pg.Node_DropdbStmt, *pg.Node_AlterTableMoveAllStmt:
		w.Unknown |= policy.UnknownWrites
	case *pg.Node_CreateExtensionStmt, *pg.Node_AlterExtensionStmt:
		w.Unknown |= policy.UnknownWrites | policy.UnknownEffects
	default:
		w.everything(n)
	}
}

// made notes a relation that comes into being.
func (w *walker) made(rv *pg.RangeVar) {
	w.target(rv)
	if rv.GetRelpersistence() == "t" || rv.GetSchemaname() == "pg_temp" || temporary(rv.GetRelname(), w.dialect) {
		w.feat(policy.FeatTemp)
	}
}

func (w *walker) create(s *pg.CreateStmt) {
	w.made(s.GetRelation())
	for _, n := range s.GetInhRelations() {
		if s.GetPartbound() != nil {
			w.target(n.GetRangeVar()) // the parent gets the partition
		} else {
			w.table(n.GetRangeVar(), nil)
		}
	}
	w.elements(s.GetTableElts())
	w.elements(s.GetConstraints())
}

// elements notes the tables that columns and constraints look at: LIKE, REFERENCES.
func (w *walker) elements(l []*pg.Node) {
	for _, n := range l {
		switch v := n.GetNode().(type) {
		case *pg.Node_TableLikeClause:
			w.table(v.TableLikeClause.GetRelation(), nil)
		case *pg.Node_Constraint:
			if rv := v.Constraint.GetPktable(); rv != nil {
				w.table(rv, nil)
			}
		case *pg.Node_ColumnDef:
			w.elements(v.ColumnDef.GetConstraints())
		}
	}
}

// createAs makes a table from a query, which runs.
func (w *walker) createAs(s *pg.CreateTableAsStmt) {
	if e := s.GetQuery().GetExecuteStmt(); e != nil {
		w.executes(e.GetName())
		w.Kind, w.Prepare, w.Prepared = policy.KindDDL, policy.SQLPrepareNone, "" // more than the EXECUTE
	} else {
		w.node(s.GetQuery(), nil)
	}
	w.into(s.GetInto())
}

// createFunction: the server looks the tables of a body in SQL up, and locks them,
// when the function is made; that of a string is not read here.
func (w *walker) createFunction(s *pg.CreateFunctionStmt) {
	w.mentions(s.GetSqlBody())
	for _, o := range s.GetOptions() {
		d := o.GetDefElem()
		if d.GetDefname() == "language" && d.GetArg().GetString_().GetSval() == "sql" && s.GetSqlBody() == nil {
			w.Unknown |= policy.UnknownReads | policy.UnknownWrites
		}
	}
}

// mentions notes the tables of queries that are stored, not run.
func (w *walker) mentions(stored ...*pg.Node) {
	inner := walker{newFacts(w.dialect)}
	inner.list(stored, nil)
	for _, r := range inner.Reads {
		w.read(r)
	}
	for _, r := range inner.Writes {
		w.write(r)
	}
	w.Unknown |= inner.Unknown & (policy.UnknownReads | policy.UnknownWrites)
}

// alter notes what the parts of an ALTER TABLE touch besides the table.
func (w *walker) alter(cmds []*pg.Node) {
	for _, n := range cmds {
		def := n.GetAlterTableCmd().GetDef()
		if p := def.GetPartitionCmd(); p != nil {
			w.target(p.GetName())
			continue
		}
		w.elements([]*pg.Node{def})
		w.node(def, nil) // USING and DEFAULT may run functions over every row
	}
}

func (w *walker) createSchema(s *pg.CreateSchemaStmt) {
	for _, n := range s.GetSchemaElts() {
		inner := walker{newFacts(w.dialect)}
		inner.statement(n)
		for i := range inner.Writes {
			if inner.Writes[i].Schema == "" {
				inner.Writes[i].Schema = s.GetSchemaname()
			}
		}
		w.absorb(inner.facts)
	}
}

// everything notes all relations inside n as written.
func (w *walker) everything(n *pg.Node) {
	var visit func(any)
	visit = func(m any) {
		if rv, ok := m.(*pg.RangeVar); ok {
			w.target(rv)
			return
		}
		children(m, visit)
	}
	visit(n)
	w.secrets(n)
}
