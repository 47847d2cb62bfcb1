package sqlparse

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// scanner finds the tables of a query in its tokens alone, for text that the
// grammar does not know. It errs on the side of more: what stands where a table
// may stand is one, unless it is a common table expression in scope or, on
// Redshift, the navigation of an alias of the same FROM (FROM t AS a, a.items).
type scanner struct {
	ts    *tokens
	f     *facts
	depth int
}

// maxScanDepth bounds the nesting of parentheses that is followed.
const maxScanDepth = 1000

// names is a scope of common table expressions.
type names struct {
	outer *names
	list  []string
}

func (n *names) has(name string) bool {
	for ; n != nil; n = n.outer {
		if slices.Contains(n.list, name) {
			return true
		}
	}
	return false
}

// clauses end a FROM list.
var clauses = map[string]bool{
	"where": true, "group": true, "having": true, "order": true, "limit": true, "union": true, "except": true, "intersect": true,
	"window": true, "fetch": true, "offset": true, "for": true, "returning": true, "when": true, "on": true,
}

// clause reports whether a clause begins at i. Words that are no keywords of
// Postgres may be aliases and columns as well: what follows must fit.
func (s *scanner) clause(i int) bool {
	if s.ts.is(i-1, ".") {
		return false
	}
	next := s.ts.at(i + 1)
	switch w := s.ts.at(i).word; w {
	case "start":
		return next.word == "with"
	case "connect":
		return next.word == "by"
	case "remove":
		return next.word == "duplicates"
	case "set", "qualify", "minus":
		return next.text != "" && next.text != "," && next.text != ")" && !clauses[next.word] && !joiners[next.word]
	default:
		return clauses[w]
	}
}

// label reports whether the word at i is a name behind AS or a dot, where every
// keyword may stand.
func (s *scanner) label(i int) bool {
	return s.ts.is(i-1, ".") || s.ts.is(i-1, "as") && !s.ts.is(i-2, ".") && !s.ts.is(i-2, "as")
}

// joiners stand between the items of a FROM list.
var joiners = map[string]bool{
	"join": true, "inner": true, "left": true, "right": true, "full": true, "outer": true, "cross": true, "natural": true, "using": true,
}

// starters begin a query or a change.
var starters = map[string]bool{
	"select": true, "with": true, "values": true, "table": true, "insert": true, "update": true, "delete": true, "merge": true,
}

// query scans [i, end) as a statement or the inside of parentheses.
func (s *scanner) query(i, end int, scope *names) {
	if s.depth++; s.depth > maxScanDepth {
		s.f.Unknown |= policy.UnknownAll
		return
	}
	defer func() { s.depth-- }()
	if s.ts.is(i, "with") {
		i, scope = s.with(i+1, end, scope)
	}
	switch s.ts.at(i).word {
	case "insert":
		s.insert(i, end, scope)
	case "update":
		s.update(i, end, scope)
	case "delete":
		s.delete(i, end, scope)
	case "merge":
		s.merge(i, end, scope)
	case "select", "values":
		s.f.verb(policy.VerbRead)
		s.sel(i, end, scope)
	case "table":
		s.f.verb(policy.VerbRead)
		s.from(s.ts.skip(i+1, "only"), end, scope)
	default:
		s.sel(i, end, scope)
	}
}

// with reads the names of a WITH list and scans its queries.
func (s *scanner) with(i, end int, outer *names) (next int, scope *names) {
	scope = &names{outer: outer}
	inner := outer
	if s.ts.is(i, "recursive") {
		inner = scope
		i++
	}
	for i < end {
		name, ok := s.ts.part(i)
		if !ok {
			break
		}
		j := i + 1
		if s.ts.is(j, "(") && s.ts.match[j] > 0 { // column names
			j = int(s.ts.match[j]) + 1
		}
		j = s.ts.skip(j, "as not materialized", "as materialized", "as")
		if !s.ts.is(j, "(") || s.ts.match[j] < 0 {
			s.f.Unknown |= policy.UnknownAll
			return i, scope
		}
		if inner == scope {
			scope.list = append(scope.list, name)
		}
		s.query(j+1, int(s.ts.match[j]), &names{outer: inner, list: scope.list})
		if inner != scope {
			scope.list = append(scope.list, name)
		}
		i = int(s.ts.match[j]) + 1
		if !s.ts.is(i, ",") {
			break
		}
		i++
	}
	return i, scope
}

func (s *scanner) insert(i, end int, scope *names) {
	s.f.verb(policy.VerbInsert)
	i = s.target(s.ts.skip(i+1, "into"))
	if m := int(s.ts.match[min(i, len(s.ts.match)-1)]); s.ts.is(i, "(") && m > 0 && !starters[s.ts.at(i+1).word] && !s.ts.is(i+1, "(") {
		i = m + 1 // the columns
	}
	s.query(i, end, scope)
}

func (s *scanner) update(i, end int, scope *names) {
	s.f.verb(policy.VerbUpdate)
	s.f.change(s.ts.find(i, end, "where") >= 0)
	s.sel(s.target(s.ts.skip(i+1, "only")), end, scope)
}

func (s *scanner) delete(i, end int, scope *names) {
	s.f.verb(policy.VerbDelete)
	s.f.change(s.ts.find(i, end, "where") >= 0)
	i = s.target(s.ts.skip(i+1, "from only", "from"))
	if u := s.ts.find(i, end, "using"); u >= 0 {
		i = s.from(u+1, end, scope)
	}
	s.sel(i, end, scope)
}

func (s *scanner) merge(i, end int, scope *names) {
	s.f.verb(policy.VerbMerge)
	i = s.target(s.ts.skip(i+1, "into only", "into"))
	if u := s.ts.find(i, end, "using"); u >= 0 {
		i = s.from(u+1, end, scope)
	}
	s.sel(i, end, scope)
}

// target reads the name of the table that is changed.
func (s *scanner) target(i int) int {
	r, next, ok := s.ts.relation(i)
	if !ok {
		s.f.Unknown |= policy.UnknownWrites
		return i
	}
	s.f.write(r)
	return next
}

// sel scans a select, an expression, or what follows the target of a change. FROM
// begins a list of tables, but not in f(x FROM y) and IS DISTINCT FROM.
func (s *scanner) sel(i, end int, scope *names) {
	query := s.ts.is(i, "select") || i > 0 && !s.ts.is(i-1, "(")
	for i < end {
		t := s.ts.at(i)
		switch {
		case t.text == "(" || t.text == "[":
			i = s.group(i, end, scope)
			continue
		case t.word == "select":
			query = true
			s.f.verb(policy.VerbRead)
		case s.label(i) && t.word != "select":
		case t.word == "from" && query && !s.ts.is(i-1, "distinct"):
			i = s.from(i+1, end, scope)
			continue
		case t.word == "from" && s.ts.is(i-1, "distinct") && !s.ts.is(i-2, "is") && !s.ts.is(i-2, "not"):
			i = s.from(i+1, end, scope)
			continue
		case t.word == "into" && query:
			i = s.into(i + 1)
			continue
		case t.word == "for" && (s.ts.is(i+1, "update") || s.ts.is(i+1, "share") || s.ts.is(i+1, "no", "key") || s.ts.is(i+1, "key", "share")):
			s.f.feat(policy.FeatForUpdate)
		case t.word == "table" && i > 0 && (s.ts.is(i-1, "union") || s.ts.is(i-1, "all") || s.ts.is(i-1, "distinct") || s.ts.is(i-1, "except") || s.ts.is(i-1, "intersect") || s.ts.is(i-1, "minus")):
			i = s.from(i+1, end, scope)
			continue
		}
		i++
	}
}

// into reads the table a SELECT … INTO makes.
func (s *scanner) into(i int) int {
	i = s.ts.skip(i, "local", "global")
	if s.ts.is(i, "temp") || s.ts.is(i, "temporary") {
		s.f.feat(policy.FeatTemp)
		i++
	}
	i = s.target(s.ts.skip(s.ts.skip(i, "unlogged"), "table"))
	s.f.verb(policy.VerbDDL)
	return i
}

// group scans parentheses that are no item of a FROM list: a sub-select, the
// arguments of a function, a list.
func (s *scanner) group(i, end int, scope *names) int {
	m := int(s.ts.match[i])
	if m < 0 || m > end {
		s.f.Unknown |= policy.UnknownAll
		return i + 1
	}
	if s.ts.at(i).text == "(" {
		s.call(i)
	}
	if starters[s.ts.at(i+1).word] || s.ts.is(i+1, "(") {
		s.query(i+1, m, scope)
	} else {
		s.args(i+1, m, scope)
	}
	return m + 1
}

// args scans an expression or a list: only what is in parentheses can hold tables.
func (s *scanner) args(i, end int, scope *names) {
	if s.depth++; s.depth > maxScanDepth {
		s.f.Unknown |= policy.UnknownAll
		return
	}
	defer func() { s.depth-- }()
	for i < end {
		if t := s.ts.at(i); t.text == "(" || t.text == "[" {
			i = s.group(i, end, scope)
			continue
		}
		i++
	}
}

// call notes the function whose arguments begin at i.
func (s *scanner) call(i int) {
	j := i - 1
	var parts []string
	for {
		part, ok := s.ts.part(j)
		if !ok {
			break
		}
		parts = append(parts, part)
		if !s.ts.is(j-1, ".") {
			break
		}
		j -= 2
	}
	if len(parts) == 0 || len(parts) == 1 && s.ts.at(i-1).Kind == sqllex.Word && notCalls[parts[0]] {
		return
	}
	fn := policy.Function{Name: parts[0]}
	if len(parts) > 1 {
		fn.Schema = parts[1]
	}
	s.f.call(fn, nil)
}

// from scans a list of tables and what follows it up to end, and returns where
// the list ended.
func (s *scanner) from(i, end int, scope *names) int {
	var aliases []string
	expect := true
	for i < end {
		t := s.ts.at(i)
		switch {
		case expect:
			i, aliases = s.item(i, end, scope, aliases)
			expect = false
			continue
		case t.text == ",", t.word == "join" && !s.ts.is(i-1, "."):
			expect = true
		case t.word == "on" && !s.ts.is(i-1, "."):
			i = s.condition(i+1, end, scope)
			continue
		case s.clause(i):
			return i
		case t.text == "(" || t.text == "[":
			i = s.group(i, end, scope)
			continue
		}
		i++
	}
	return i
}

// condition scans a join condition: up to a comma, a join or the end of the list.
func (s *scanner) condition(i, end int, scope *names) int {
	for i < end {
		t := s.ts.at(i)
		if t.text == "(" || t.text == "[" {
			i = s.group(i, end, scope)
			continue
		}
		if t.text == "," || joiners[t.word] && !s.ts.is(i+1, "(") && !s.ts.is(i-1, ".") || s.clause(i) {
			return i
		}
		i++
	}
	return i
}

// item scans one item of a FROM list and returns the aliases known behind it.
func (s *scanner) item(i, end int, scope *names, aliases []string) (next int, known []string) {
	i = s.ts.skip(i, "lateral", "only", "unpivot")
	i = s.ts.skip(i, "only", "rows from")
	if s.ts.is(i, "(") {
		i = s.itemGroup(i, end, scope)
		return s.alias(i, end, "", aliases)
	}
	parts, next := s.ts.name(i)
	if len(parts) == 0 {
		s.f.Unknown |= policy.UnknownReads
		return i + 1, aliases
	}
	if s.ts.is(next, "(") {
		next = s.group(next, end, scope)
		return s.alias(next, end, parts[len(parts)-1], aliases)
	}
	for s.ts.is(next, "[") { // c.items[0]
		next = s.group(next, end, scope)
	}
	navigates := s.ts.mode.Dialect == sqllex.Redshift && len(parts) > 1 && slices.Contains(aliases, parts[0])
	if r, ok := relationOf(parts); !navigates && (len(parts) > 1 || !scope.has(parts[0])) {
		if !ok {
			s.f.Unknown |= policy.UnknownReads
		}
		s.f.read(r)
	}
	return s.alias(next, end, parts[len(parts)-1], aliases)
}

// itemGroup scans parentheses in a FROM list: a sub-select or a join.
func (s *scanner) itemGroup(i, end int, scope *names) int {
	m := int(s.ts.match[i])
	if m < 0 || m > end {
		s.f.Unknown |= policy.UnknownAll
		return i + 1
	}
	if s.depth++; s.depth > maxScanDepth {
		s.f.Unknown |= policy.UnknownAll
		return m + 1
	}
	defer func() { s.depth-- }()
	j := i + 1
	for s.ts.is(j, "(") {
		j++
	}
	switch {
	case !starters[s.ts.at(j).word]:
		s.from(i+1, m, scope)
	case j == i+1:
		s.query(j, m, scope)
	default: // ((select …) union …) or ((select …) x join …)
		k := s.itemGroup(i+1, m, scope)
		if k < m {
			s.rest(k, m, scope)
		}
	}
	return m + 1
}

// rest scans what follows a nested group: set operations or joins.
func (s *scanner) rest(i, end int, scope *names) {
	if t := s.ts.at(i).word; t == "union" || t == "except" || t == "intersect" || t == "minus" || t == "order" || t == "limit" {
		s.sel(i, end, scope)
		return
	}
	for i < end {
		if s.ts.is(i, ",") || s.ts.is(i, "join") {
			s.from(i+1, end, scope)
			return
		}
		i++
	}
}

// alias reads an alias at i, or takes the name itself.
func (s *scanner) alias(i, end int, name string, aliases []string) (next int, known []string) {
	if s.ts.is(i, "as") {
		i++
	} else if t := s.ts.at(i); i >= end || t.Kind == sqllex.Word && (s.clause(i) || joiners[t.word] || t.word == "at" || t.word == "pivot" || t.word == "unpivot" || t.word == "tablesample") {
		return i, append(aliases, name)
	}
	if part, ok := s.ts.part(i); ok && i < end {
		return i + 1, append(aliases, part)
	}
	return i, append(aliases, name)
}

// notCalls are words before a parenthesis that are no functions.
var notCalls = map[string]bool{
	"in": true, "and": true, "or": true, "not": true, "on": true, "using": true, "as": true, "select": true, "from": true, "where": true,
	"values": true, "exists": true, "any": true, "all": true, "some": true, "over": true, "by": true, "then": true, "when": true, "else": true,
	"case": true, "union": true, "except": true, "intersect": true, "minus": true, "having": true, "limit": true, "top": true, "filter": true,
	"group": true, "pivot": true, "unpivot": true, "rollup": true, "cube": true, "sets": true, "with": true, "within": true, "distinct": true,
	"exclude": true, "varchar": true, "char": true, "decimal": true, "numeric": true, "between": true, "like": true, "join": true, "is": true,
	"array": true, "row": true, "set": true, "into": true, "conflict": true, "returning": true, "recursive": true, "lateral": true, "cast": true,
	"materialized": true, "only": true, "table": true, "interval": true, "timestamp": true, "time": true, "extract": true, "qualify": true,
	"character": true, "varying": true, "bpchar": true, "nchar": true, "nvarchar": true, "varbyte": true, "float": true, "bit": true, "offset": true,
}
