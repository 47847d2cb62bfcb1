package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxItems bounds the lines of classify, rules and quotas of a policy together.
const MaxItems = 4096

// maxOutcomes bounds the merged outcomes a ruleset remembers.
const maxOutcomes = 4096

// item is what is matched against a statement: a line of classify, a rule or a
// quota. All of them share one numbering, so that one pass over the bits
// answers for all.
type item struct {
	when   cond
	except []cond
	rest   bool // the condition has a part for the moment
	late   bool // an exception can only be asked at the moment
	mode   Mode
	limits Limits // of a rule, with its name in them
	rule   *RuleSource
	quota  *quota
	line   *classifyLine

	matched, observed *atomic.Uint64
}

type classifyLine struct {
	source    ClassifyLine
	templates []template
}

// Ruleset is a compiled policy. Its decisions never change; it remembers some
// of them to be fast.
type Ruleset struct {
	source     Source
	mode       Mode
	audit      AuditSource
	identities Identities
	root       *classDef
	items      []item
	lines      int // items[:lines] are classify, then rules
	quotas     int // items[quotas:] are quotas
	words      int // of 64 bits, for all items
	asksClass  bool
	asksNames  bool     // some item looks at relations or functions
	denies     []uint64 // items that deny
	unread     []uint64 // items that ask nothing about a statement
	plain      []uint64 // rules and quotas that the bits answer wholly
	later      []uint64 // rules and quotas with something left to ask

	mu       sync.Mutex
	classes  map[string]*class // by path and templates; bounded
	outcomes map[string]*outcome
}

// Compile checks a policy and makes it ready. Errors are *SourceError.
func Compile(src Source) (*Ruleset, error) {
	rs := &Ruleset{
		source:     src,
		mode:       src.Mode,
		audit:      src.Audit,
		identities: src.Identities,
		classes:    map[string]*class{},
		outcomes:   map[string]*outcome{},
	}
	if rs.mode == ModeInherit {
		rs.mode = ModeEnforce
	}
	rs.identities.complete()
	if n := len(src.Classify) + len(src.Rules) + len(src.Quotas); n > MaxItems {
		return nil, &SourceError{Where: "rules", Err: fmt.Errorf("%d lines, rules and quotas; at most %d", n, MaxItems)}
	}
	var err error
	if rs.root, err = compileClasses(&src, rs.mode); err != nil {
		return nil, err
	}
	if err := rs.addLines(src.Classify); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	if err := rs.addRules(src.Rules, ids); err != nil {
		return nil, err
	}
	rs.quotas = len(rs.items)
	if err := rs.addQuotas(src.Quotas, ids); err != nil {
		return nil, err
	}
	rs.seal()
	return rs, nil
}

// complete fills what a policy leaves out.
func (id *Identities) complete() {
	if len(id.TeamFrom) == 0 {
		id.TeamFrom = []string{FromGroups, FromCertOU, FromRoleMap}
	}
	if len(id.ToolFrom) == 0 {
		id.ToolFrom = []string{FromCertCN, FromApplication}
	}
	if len(id.TagsFrom) == 0 {
		id.TagsFrom = []string{FromCommenter, FromComment, FromSession}
	}
	folded := make(map[string]string, len(id.RoleMap))
	for login, team := range id.RoleMap {
		folded[strings.ToLower(login)] = team
	}
	id.RoleMap = folded
}

func (rs *Ruleset) addLines(lines []ClassifyLine) error {
	for i := range lines {
		l := &lines[i]
		templates, err := parsePath(l.Class)
		if err != nil {
			return &SourceError{Where: at("classify", i), Err: err}
		}
		it := item{when: compileCondition(&l.When), line: &classifyLine{source: *l, templates: templates}}
		if it.when.sides&sideClass != 0 {
			return &SourceError{Where: at("classify", i), Err: errors.New("classify cannot ask for a class: it is what names one")}
		}
		rs.items = append(rs.items, it)
	}
	rs.lines = len(lines)
	return nil
}

func (rs *Ruleset) addRules(rules []RuleSource, ids map[string]string) error {
	for i := range rules {
		r := &rules[i]
		where := at("rules", i)
		if err := claim(ids, r.ID, where); err != nil {
			return err
		}
		if r.verbs() == "" {
			return &SourceError{Where: where, Err: fmt.Errorf("rule %q does nothing: give it deny, warn, queue, limits or audit", r.ID)}
		}
		it := item{when: compileCondition(&r.When), rule: r, mode: rs.modeOf(r.Mode), limits: r.Limits}
		it.limits.name(`rule "` + r.ID + `"`)
		it.addExcept(r.Except)
		rs.items = append(rs.items, it)
	}
	return nil
}

func (rs *Ruleset) addQuotas(quotas []QuotaSource, ids map[string]string) error {
	for i := range quotas {
		q := &quotas[i]
		where := at("quotas", i)
		if err := claim(ids, q.ID, where); err != nil {
			return err
		}
		cq, err := compileQuota(q)
		if err != nil {
			return &SourceError{Where: where, Err: err}
		}
		cq.mode = rs.modeOf(q.Mode)
		it := item{when: compileCondition(&q.When), quota: cq, mode: cq.mode}
		for _, k := range q.Key {
			if k.Name == "table" {
				it.when.touch(k.Table)
			}
		}
		it.addExcept(q.Except)
		rs.items = append(rs.items, it)
	}
	return nil
}

// touch adds "reads or writes the table" to a condition. Not (neither reads
// nor writes) says "or" in a language of "and".
func (c *cond) touch(table string) {
	neither := cond{sides: sideFacts}
	for _, k := range [...]key{keyReads, keyWrites} {
		one := cond{atoms: []atom{{key: k, names: newNamePatterns([]string{table})}}, sides: sideFacts}
		neither.nots = append(neither.nots, one)
	}
	c.nots = append(c.nots, neither)
	c.sides |= sideFacts
}

func claim(ids map[string]string, id, where string) error {
	if id == "" {
		return &SourceError{Where: where, Err: errors.New("it needs an id")}
	}
	if other, taken := ids[id]; taken {
		return &SourceError{Where: where, Err: fmt.Errorf("id %q is already taken by %s", id, other)}
	}
	ids[id] = where
	return nil
}

func (rs *Ruleset) modeOf(m Mode) Mode {
	if m == ModeInherit {
		return rs.mode
	}
	return m
}

func (it *item) addExcept(except []Condition) {
	for i := range except {
		x := compileCondition(&except[i])
		it.except = append(it.except, x)
		if x.hasRest() || !x.sides.single() || x.sides == 0 {
			it.late = true
		}
	}
}

// seal computes what every decision needs to know of the items.
func (rs *Ruleset) seal() {
	rs.words = (len(rs.items) + 63) / 64
	rs.denies = make([]uint64, rs.words)
	rs.unread = make([]uint64, rs.words)
	rs.plain = make([]uint64, rs.words)
	rs.later = make([]uint64, rs.words)
	for i := range rs.items {
		it := &rs.items[i]
		it.rest = it.when.hasRest()
		switch {
		case i < rs.lines:
		case it.rest || it.late:
			setBit(rs.later, i)
		default:
			setBit(rs.plain, i)
		}
		it.matched, it.observed = new(atomic.Uint64), new(atomic.Uint64)
		if it.rule != nil && it.rule.Deny != "" {
			setBit(rs.denies, i)
		}
		sides := it.when.sides
		rs.asksNames = rs.asksNames || it.when.asksNames()
		for i := range it.except {
			sides |= it.except[i].sides
			rs.asksNames = rs.asksNames || it.except[i].asksNames()
		}
		rs.asksClass = rs.asksClass || sides&sideClass != 0
		if sides&sideFacts == 0 {
			setBit(rs.unread, i)
		}
	}
}

// Source returns the policy the ruleset was compiled from, with the defaults
// of identities, mode and audit filled in. Its slices belong to the ruleset.
func (rs *Ruleset) Source() Source {
	s := rs.source
	s.Mode = rs.mode
	s.Identities = rs.identities
	base := basePlan(&rs.audit)
	s.Audit = AuditSource{Text: &base.Text, Params: &base.Params, Durability: base.Durability, OnFailure: &base.OnFailure}
	return s
}
