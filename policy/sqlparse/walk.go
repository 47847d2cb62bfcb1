package sqlparse

import (
	"reflect"
	"slices"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// walker reads facts out of libpg_query's tree.
type walker struct {
	*facts
}

func relation(rv *pg.RangeVar) policy.Relation {
	return policy.Relation{Database: rv.GetCatalogname(), Schema: rv.GetSchemaname(), Name: rv.GetRelname()}
}

// node walks anything that can stand in a query. What it does not know by name it
// walks by its fields, so that no table hides in a node nobody thought of.
func (w *walker) node(n *pg.Node, scope *names) {
	switch v := n.GetNode().(type) {
	case nil, *pg.Node_ColumnRef, *pg.Node_AConst, *pg.Node_ParamRef, *pg.Node_String_, *pg.Node_Integer, *pg.Node_AStar,
		*pg.Node_Alias, *pg.Node_TypeName, *pg.Node_SetToDefault, *pg.Node_SqlvalueFunction:
	case *pg.Node_AExpr:
		w.node(v.AExpr.GetLexpr(), scope)
		w.node(v.AExpr.GetRexpr(), scope)
	case *pg.Node_BoolExpr:
		w.list(v.BoolExpr.GetArgs(), scope)
	case *pg.Node_List:
		w.list(v.List.GetItems(), scope)
	case *pg.Node_ResTarget:
		w.list(v.ResTarget.GetIndirection(), scope)
		w.node(v.ResTarget.GetVal(), scope)
	case *pg.Node_TypeCast:
		w.node(v.TypeCast.GetArg(), scope)
	case *pg.Node_SubLink:
		w.node(v.SubLink.GetTestexpr(), scope)
		w.node(v.SubLink.GetSubselect(), scope)
	case *pg.Node_FuncCall:
		w.call(v.FuncCall, scope)
	case *pg.Node_RangeVar:
		w.table(v.RangeVar, scope)
	case *pg.Node_RangeSubselect:
		w.node(v.RangeSubselect.GetSubquery(), scope)
	case *pg.Node_JoinExpr:
		w.node(v.JoinExpr.GetLarg(), scope)
		w.node(v.JoinExpr.GetRarg(), scope)
		w.node(v.JoinExpr.GetQuals(), scope)
	case *pg.Node_SelectStmt:
		w.sel(v.SelectStmt, scope)
	case *pg.Node_InsertStmt:
		w.insert(v.InsertStmt, scope)
	case *pg.Node_UpdateStmt:
		w.update(v.UpdateStmt, scope)
	case *pg.Node_DeleteStmt:
		w.delete(v.DeleteStmt, scope)
	case *pg.Node_MergeStmt:
		w.merge(v.MergeStmt, scope)
	case *pg.Node_CurrentOfExpr:
		w.Cursor = v.CurrentOfExpr.GetCursorName()
	default:
		w.inside(n.GetNode(), scope)
	}
}

func (w *walker) list(l []*pg.Node, scope *names) {
	for _, n := range l {
		w.node(n, scope)
	}
}

// inside walks all that is in a message.
func (w *walker) inside(m any, scope *names) {
	children(m, func(child any) {
		switch v := child.(type) {
		case *pg.Node:
			w.node(v, scope)
		case *pg.RangeVar:
			w.table(v, scope)
		case *pg.SelectStmt:
			w.sel(v, scope)
		case *pg.FuncCall:
			w.call(v, scope)
		default:
			w.inside(v, scope)
		}
	})
}

// children calls visit for each message that is a field of m, an element of a list
// in it, or what a oneof holds.
func children(m any, visit func(any)) {
	v := reflect.ValueOf(m)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return
	}
	v = v.Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			child(v.Field(i), visit)
		}
	}
}

func child(f reflect.Value, visit func(any)) {
	switch f.Kind() {
	case reflect.Pointer:
		if !f.IsNil() {
			visit(f.Interface())
		}
	case reflect.Interface: // a oneof, wrapped in a struct of its own
		children(f.Interface(), visit)
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Pointer {
			for i := range f.Len() {
				child(f.Index(i), visit)
			}
		}
	default:
	}
}

// table notes a table that is read, unless the name is a common table
// expression's.
func (w *walker) table(rv *pg.RangeVar, scope *names) {
	if rv.GetSchemaname() == "" && rv.GetCatalogname() == "" && scope.has(rv.GetRelname()) {
		return
	}
	w.read(relation(rv))
}

// with walks the common table expressions and returns the scope behind them.
func (w *walker) with(c *pg.WithClause, outer *names) *names {
	if c == nil {
		return outer
	}
	scope := &names{outer: outer}
	if c.GetRecursive() {
		for _, n := range c.GetCtes() {
			scope.list = append(scope.list, n.GetCommonTableExpr().GetCtename())
		}
	}
	for _, n := range c.GetCtes() {
		cte := n.GetCommonTableExpr()
		w.node(cte.GetCtequery(), &names{outer: outer, list: scope.list})
		if !c.GetRecursive() {
			scope.list = append(scope.list, cte.GetCtename())
		}
	}
	return scope
}

func (w *walker) sel(s *pg.SelectStmt, scope *names) {
	if s == nil {
		return
	}
	w.verb(policy.VerbRead)
	scope = w.with(s.GetWithClause(), scope)
	if into := s.GetIntoClause(); into != nil {
		w.into(into)
	}
	w.sel(s.GetLarg(), scope)
	w.sel(s.GetRarg(), scope)
	w.list(s.GetDistinctClause(), scope)
	w.list(s.GetTargetList(), scope)
	w.from(s.GetFromClause(), scope)
	w.node(s.GetWhereClause(), scope)
	w.list(s.GetGroupClause(), scope)
	w.node(s.GetHavingClause(), scope)
	w.list(s.GetWindowClause(), scope)
	w.list(s.GetValuesLists(), scope)
	w.list(s.GetSortClause(), scope)
	w.node(s.GetLimitOffset(), scope)
	w.node(s.GetLimitCount(), scope)
	if len(s.GetLockingClause()) > 0 {
		w.feat(policy.FeatForUpdate)
	}
}

// into notes the table that a query makes.
func (w *walker) into(c *pg.IntoClause) {
	w.verb(policy.VerbDDL)
	w.write(relation(c.GetRel()))
	if c.GetRel().GetRelpersistence() == "t" || temporary(c.GetRel().GetRelname(), w.dialect) {
		w.feat(policy.FeatTemp)
	}
}

// from walks a FROM list. On Redshift an item that begins with an alias of the same
// list is a walk into that row, not a table.
func (w *walker) from(l []*pg.Node, scope *names) {
	if w.dialect != sqllex.Redshift || len(l) < 2 {
		w.list(l, scope)
		return
	}
	var aliases []string
	for _, n := range l {
		rv := n.GetRangeVar()
		first := rv.GetCatalogname()
		if first == "" {
			first = rv.GetSchemaname()
		}
		if first == "" || !slices.Contains(aliases, first) {
			w.node(n, scope)
		}
		aliases = appendAliases(aliases, n)
	}
}

// appendAliases adds the names by which an item of a FROM list can be called.
func appendAliases(list []string, n *pg.Node) []string {
	switch v := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		if a := v.RangeVar.GetAlias(); a != nil {
			return append(list, a.GetAliasname())
		}
		return append(list, v.RangeVar.GetRelname())
	case *pg.Node_RangeSubselect:
		return append(list, v.RangeSubselect.GetAlias().GetAliasname())
	case *pg.Node_JoinExpr:
		return appendAliases(appendAliases(list, v.JoinExpr.GetLarg()), v.JoinExpr.GetRarg())
	}
	return list
}

func (w *walker) insert(s *pg.InsertStmt, scope *names) {
	w.verb(policy.VerbInsert)
	scope = w.with(s.GetWithClause(), scope)
	w.target(s.GetRelation())
	if sel := s.GetSelectStmt().GetSelectStmt(); sel != nil && len(sel.GetValuesLists()) > 0 && sel.GetWithClause() == nil {
		w.list(sel.GetValuesLists(), scope)
	} else {
		w.node(s.GetSelectStmt(), scope)
	}
	if c := s.GetOnConflictClause(); c != nil {
		if c.GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE {
			w.verb(policy.VerbUpdate)
		}
		w.inside(c, scope)
	}
	w.list(s.GetReturningList(), scope)
}

func (w *walker) update(s *pg.UpdateStmt, scope *names) {
	w.verb(policy.VerbUpdate)
	scope = w.with(s.GetWithClause(), scope)
	w.target(s.GetRelation())
	w.list(s.GetTargetList(), scope)
	w.from(s.GetFromClause(), scope)
	w.node(s.GetWhereClause(), scope)
	w.list(s.GetReturningList(), scope)
	w.change(s.GetWhereClause() != nil)
}

func (w *walker) delete(s *pg.DeleteStmt, scope *names) {
	w.verb(policy.VerbDelete)
	scope = w.with(s.GetWithClause(), scope)
	w.target(s.GetRelation())
	w.from(s.GetUsingClause(), scope)
	w.node(s.GetWhereClause(), scope)
	w.list(s.GetReturningList(), scope)
	w.change(s.GetWhereClause() != nil)
}

func (w *walker) merge(s *pg.MergeStmt, scope *names) {
	w.verb(policy.VerbMerge)
	scope = w.with(s.GetWithClause(), scope)
	w.target(s.GetRelation())
	w.node(s.GetSourceRelation(), scope)
	w.node(s.GetJoinCondition(), scope)
	for _, n := range s.GetMergeWhenClauses() {
		c := n.GetMergeWhenClause()
		w.node(c.GetCondition(), scope)
		w.list(c.GetTargetList(), scope)
		w.list(c.GetValues(), scope)
		switch c.GetCommandType() {
		case pg.CmdType_CMD_INSERT:
			w.verb(policy.VerbInsert)
		case pg.CmdType_CMD_UPDATE:
			w.verb(policy.VerbUpdate)
		case pg.CmdType_CMD_DELETE:
			w.verb(policy.VerbDelete)
		default:
		}
	}
}

// target notes the table that a statement changes.
func (w *walker) target(rv *pg.RangeVar) {
	w.write(relation(rv))
}

// call notes a function and walks its arguments.
func (w *walker) call(c *pg.FuncCall, scope *names) {
	parts := stringsOf(c.GetFuncname())
	fn := policy.Function{}
	if n := len(parts); n > 0 {
		fn.Name = parts[n-1]
		if n > 1 {
			fn.Schema = parts[n-2]
		}
	}
	w.facts.call(fn, constants(c.GetArgs()))
	w.list(c.GetArgs(), scope)
	w.list(c.GetAggOrder(), scope)
	w.node(c.GetAggFilter(), scope)
	if o := c.GetOver(); o != nil {
		w.inside(o, scope)
	}
}

// constants are the arguments of a function where they are constants; nothing at
// all when some are named, since then their place says nothing.
func constants(args []*pg.Node) []*string {
	out := make([]*string, len(args))
	for i, a := range args {
		if a.GetNamedArgExpr() != nil {
			return nil
		}
		if t := a.GetTypeCast(); t != nil {
			a = t.GetArg()
		}
		if s, ok := constant(a); ok {
			out[i] = &s
		}
	}
	return out
}

// constant is the text of a constant.
func constant(n *pg.Node) (string, bool) {
	switch v := n.GetAConst().GetVal().(type) {
	case *pg.A_Const_Sval:
		return v.Sval.GetSval(), true
	case *pg.A_Const_Ival:
		return strconv.Itoa(int(v.Ival.GetIval())), true
	case *pg.A_Const_Fval:
		return v.Fval.GetFval(), true
	case *pg.A_Const_Boolval:
		return strconv.FormatBool(v.Boolval.GetBoolval()), true
	}
	return "", false
}

// stringsOf are the texts of a list of String nodes.
func stringsOf(l []*pg.Node) []string {
	out := make([]string, 0, len(l))
	for _, n := range l {
		if s := n.GetString_(); s != nil {
			out = append(out, s.GetSval())
		}
	}
	return out
}

// temporary reports whether a name alone makes a table temporary.
func temporary(name string, d sqllex.Dialect) bool {
	return d == sqllex.Redshift && len(name) > 0 && name[0] == '#'
}
