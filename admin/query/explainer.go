package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// ExplainerConfig says what an Explainer stands on.
type ExplainerConfig struct {
	Targets  []Target
	Door     Door
	Facts    Facts
	Explains Explains // nil: no verdicts
}

// Explainer says what a text would do, before it is run.
type Explainer struct {
	cfg   ExplainerConfig
	types *typeNames
}

// NewExplainer returns the service.
func NewExplainer(cfg ExplainerConfig) (*Explainer, error) {
	if len(cfg.Targets) == 0 || cfg.Door == nil || cfg.Facts == nil {
		return nil, errors.New("query: explaining needs targets, a door and facts")
	}
	return &Explainer{cfg: cfg, types: newTypeNames()}, nil
}

// Explain says what a text would do: for each statement its facts and what the
// policy says, and for a single one that reads the warehouse's plan. The plan
// is asked for by EXPLAIN through the door, read-only, as the caller.
func (x *Explainer) Explain(ctx context.Context, c *admin.Caller, req ExplainRequest) (Explanation, error) {
	if err := c.Need(admin.ScopeRunsWrite); err != nil {
		return Explanation{}, err
	}
	target, err := targetFor(x.cfg.Targets, c, req.Target)
	if err != nil {
		return Explanation{}, err
	}
	if err := checkSQL(req.SQL); err != nil {
		return Explanation{}, err
	}
	values, err := x.types.encode(req.Params)
	if err != nil {
		return Explanation{}, err
	}
	out := Explanation{Statements: []ExplainedStatement{}, Params: x.params(req, target.mode(), values)}
	spans := sqllex.Split(req.SQL, target.mode(), maxStatements)
	var only *bound
	for i, span := range spans {
		b, err := bind(req.SQL, span, target.mode(), withNulls(values, req.SQL, span, target.mode()))
		if err != nil {
			return Explanation{}, err
		}
		st, err := x.statement(ctx, c, target, i, req.SQL, &b)
		if err != nil {
			return Explanation{}, err
		}
		out.Statements = append(out.Statements, st)
		if len(spans) == 1 && plannable(st.Kind) && !asksForPlan(b.sql, target.mode()) {
			only = &b
		}
	}
	if only != nil {
		out.Plan = x.plan(ctx, c, target, req.SQL, only)
	}
	return out, nil
}

// plannable reports whether the warehouse has a plan for this kind.
func plannable(kind string) bool {
	return kind == policy.KindRead.String() || kind == policy.KindWrite.String()
}

// asksForPlan reports whether a statement is an EXPLAIN itself: it has no plan of
// its own, and one with ANALYZE would run what it explains.
func asksForPlan(sql string, mode sqllex.Mode) bool {
	l := sqllex.New(sql, mode)
	for t, ok := l.Next(); ok; t, ok = l.Next() {
		if !t.Kind.Insignificant() {
			return t.Kind == sqllex.Word && sqllex.Fold(sql[t.Start:t.End]) == "explain"
		}
	}
	return false
}

func (x *Explainer) statement(ctx context.Context, c *admin.Caller, target Target, i int, src string, b *bound) (ExplainedStatement, error) {
	out := ExplainedStatement{Index: i, Range: rangeOf(src, b.span), Kind: policy.KindUnknown.String(), Unknown: true}
	batch := x.cfg.Facts.Parse(target, b.sql)
	if batch == nil {
		return out, nil
	}
	if len(batch.Statements) == 1 {
		out.Kind = batch.Statements[0].Kind.String()
	}
	out.Unknown = batch.Unknown&^(policy.UnknownWhere|policy.UnknownLimit) != 0 || batch.Verbs.Has(policy.VerbUnknown)
	out.Verbs, out.Reads, out.Writes, out.Functions = list(batch.Verbs.Names()), list(batch.ReadNames), list(batch.WriteNames), list(batch.FunctionNames)
	if x.cfg.Explains == nil {
		return out, nil
	}
	v, err := x.cfg.Explains.Explain(ctx, principalOf(c), target, batch)
	if err != nil {
		return out, fmt.Errorf("ask the policy: %w", err)
	}
	out.Verdict, out.Class, out.Rules, out.Limits, out.Message = v.Verdict, v.Class, list(v.Rules), v.Limits, v.Message
	if out.Limits == nil {
		out.Limits = map[string]string{}
	}
	return out, nil
}

func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// params lists the :names of a text, and the types that were sent with them.
func (x *Explainer) params(req ExplainRequest, mode sqllex.Mode, values map[string]value) []ExplainedParam {
	out := []ExplainedParam{}
	for _, ref := range sqllex.Binds(req.SQL, mode) {
		if slices.ContainsFunc(out, func(p ExplainedParam) bool { return p.Name == ref.Name }) || len(out) == MaxParams {
			continue
		}
		p := ExplainedParam{Name: ref.Name}
		if v, ok := values[ref.Name]; ok {
			oid := v.oid
			if v.many {
				oid = v.all
			}
			if oid != 0 {
				name := x.types.name(oid)
				p.Type = &name
			}
		}
		out = append(out, p)
	}
	return out
}

// withNulls gives every :name of a statement a value, NULL where none was sent:
// a plan needs none.
func withNulls(values map[string]value, src string, span sqllex.Span, mode sqllex.Mode) map[string]value {
	out := make(map[string]value, len(values))
	for _, ref := range sqllex.Binds(src[:span.End], mode) {
		out[ref.Name] = value{name: ref.Name}
	}
	maps.Copy(out, values)
	return out
}

// plan asks the warehouse for its plan.
func (x *Explainer) plan(ctx context.Context, c *admin.Caller, target Target, src string, b *bound) *Plan {
	who := principalOf(c)
	who.ReadOnly, who.Urgency = true, string(Interactive)
	conn, err := x.cfg.Door.Open(ctx, who, target)
	if err != nil {
		return &Plan{Error: explainFailure(src, b, err)}
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const head = "EXPLAIN "
	rows, err := collect(ctx, conn, head+b.sql, b.oids, b.values, maxPlanLines)
	if err != nil {
		shifted := *b
		shifted.sql = head + b.sql
		shifted.pieces = []piece{{at: 0, from: b.span.Start, replaced: true}}
		for _, p := range b.pieces {
			p.at += len(head)
			shifted.pieces = append(shifted.pieces, p)
		}
		return &Plan{Error: explainFailure(src, &shifted, err)}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		if len(row) > 0 && row[0] != nil {
			lines = append(lines, *row[0])
		}
	}
	return &Plan{Text: strings.Join(lines, "\n")}
}

const maxPlanLines = 5000

// explainFailure tells why there is no plan.
func explainFailure(src string, b *bound, err error) *RunError {
	report, ok := errors.AsType[Failure](err)
	if !ok {
		return &RunError{Code: CodeConnection, Retriable: true, Message: "The warehouse could not be asked for a plan."}
	}
	e, _ := reportOf(src, &planned{bound: *b}, report)
	return e
}
