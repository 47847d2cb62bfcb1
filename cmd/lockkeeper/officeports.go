package main

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/door"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
)

// This file joins the office's use cases to the door: what admin/query asks of
// a parser, the policy, the record and the proxy.

// officeQueries says which saved queries somebody may bind a token to. The
// library is built on the people, who ask it; by then it stands.
type officeQueries struct{ office *office }

// Bindable implements admin.SavedQueries.
func (q officeQueries) Bindable(ctx context.Context, c *admin.Caller, queries map[string]int) error {
	return q.office.rooms.library.Bindable(ctx, c, queries)
}

// officeDoor opens sessions at the door for runs.
type officeDoor struct{ door *door.Door }

// Open implements query.Door.
func (d officeDoor) Open(ctx context.Context, p query.Principal, target query.Target) (query.Conn, error) {
	c, err := d.door.Open(ctx, p, target.Database)
	if err != nil {
		return nil, err // a nil *door.Conn must not become a query.Conn
	}
	return c, nil
}

// officePrivileges asks the warehouse what a viewer may read.
type officePrivileges struct{ asker *door.Privileges }

// CanSelect implements query.Privileges.
func (o officePrivileges) CanSelect(ctx context.Context, login string, target query.Target, relations []policy.Relation) (bool, error) {
	return o.asker.CanSelect(ctx, login, target.Database, relations)
}

// officeFacts reads SQL for the office as the door does.
type officeFacts struct{ parser proxy.Parser }

// Parse implements query.Facts.
func (f officeFacts) Parse(target query.Target, sql string) *policy.Batch {
	return f.parser.Parse([]byte(sql), proxy.ParseEnv{Redshift: target.Dialect == string(backend.DialectRedshift), Encoding: "UTF8"})
}

// officeStatuses tells how a run stands at the door.
type officeStatuses struct{ server *proxy.Server }

// RunStatus implements query.Statuses.
func (s officeStatuses) RunStatus(run string) (query.Status, bool) {
	found, ok := s.server.RunStatus(run)
	if !ok {
		return query.Status{}, false
	}
	st := found.Statement
	out := query.Status{Class: found.Session.Class, Running: st.Session != "" && st.Queue == ""}
	if b := found.Blocker; b != nil {
		out.Blocked = &query.Holder{User: b.User, Tool: b.Tool}
	}
	if st.Queue == "" {
		return out, true
	}
	out.Queued = true
	out.Wait = query.Wait{Reason: waitReason(st), Position: &st.Position, Class: st.Queue, Detail: st.Why}
	if st.Ahead > 0 {
		out.Wait.Ahead = &st.Ahead
	}
	return out, true
}

// waitReason names what holds a waiting statement, as the API does.
func waitReason(st proxy.StatementInfo) string {
	if st.ByRule {
		return query.WaitRule
	}
	return query.WaitSlot
}

// officeIntents finds what the door recorded of a run before it ran.
type officeIntents struct{ record audit.Reader }

// maxIntents bounds the statements of a run that are looked at.
const maxIntents = 1000

// Intents implements query.Intents.
func (i officeIntents) Intents(ctx context.Context, run string, since time.Time) ([]audit.Event, error) {
	page, err := i.record.Search(ctx, audit.Query{
		Filter: audit.Filter{Run: run, Since: since, Kinds: []audit.Kind{audit.KindIntent}}, Limit: maxIntents,
	})
	return page.Events, err
}

// officePolicy asks the policy on behalf of the office.
type officePolicy struct {
	engine *policy.Engine
	now    func() time.Time
}

// MayRead implements query.Rights.
func (o officePolicy) MayRead(_ context.Context, viewer policy.Subject, target query.Target, relations []policy.Relation, functions []policy.Function) (bool, error) {
	return o.engine.MayRead(o.now(), viewer, target.Database, relations, functions).Verdict != policy.Deny, nil
}

// Explain implements query.Explains.
func (o officePolicy) Explain(_ context.Context, who query.Principal, target query.Target, batch *policy.Batch) (query.Verdict, error) {
	now := o.now()
	who.Subject.Database = target.Database
	x := o.engine.Explain(now, o.engine.NewConnFor(&who), batch, &policy.SessionState{Tx: policy.TxIdle, Started: now})
	d := x.Decision
	v := query.Verdict{Verdict: d.Verdict.String(), Class: x.Class, Rules: d.Rules, Limits: map[string]string{}}
	for _, l := range x.Limits {
		v.Limits[l.Name] = l.Value
	}
	switch {
	case d.Refusal != nil:
		v.Message = d.Refusal.Message
	case len(d.Warnings) > 0:
		v.Message = d.Warnings[0].Text
	case x.Queue != "":
		v.Message = "would wait now: " + x.Queue
	}
	return v, nil
}

// ChargeRows implements query.Meter: rows that leave the house as a download are
// charged as if the warehouse had sent them again.
func (o officePolicy) ChargeRows(_ context.Context, who query.Principal, target query.Target, relations []policy.Relation, rows int64) error {
	if refusal := o.engine.ChargeRead(o.now(), &who, target.Database, relations, rows); refusal != nil {
		return quotaError{refusal}
	}
	return nil
}

// quotaError says that a quota lets no more rows out.
type quotaError struct{ *policy.Refusal }

// Error returns the quota's own words.
func (r quotaError) Error() string { return r.Message }
