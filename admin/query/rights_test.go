package query_test

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/policy"
)

// slowCommit calls between when a run was admitted and its record not committed.
type slowCommit struct {
	query.Store

	between func()
}

func (s *slowCommit) Update(ctx context.Context, fn func(query.Tx) error) error {
	added := false
	err := s.Store.Update(ctx, func(tx query.Tx) error { return fn(addSpy{tx, &added}) })
	if added && s.between != nil { // committed, and Submit has not gone on yet
		s.between()
	}
	return err
}

type addSpy struct {
	query.Tx

	added *bool
}

func (t addSpy) AddRun(ctx context.Context, r *query.Record) error {
	*t.added = true
	return t.Tx.AddRun(ctx, r)
}

// Rights that end between a run's admission and its beginning end it, too.
func TestRevokedWhileARunBegins(t *testing.T) {
	t.Parallel()
	slow := &slowCommit{}
	h := build(t, policy.Source{}, func(c *query.Config) { slow.Store, c.Store = c.Store, slow })
	slow.between = func() {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("Revoke panicked: %v", p)
			}
		}()
		h.runs.Revoke(h.ann.ID) // what admin.Office.settle does
	}
	out, err := h.runs.Submit(t.Context(), h.ann, query.Request{Target: "warehouse", SQL: "SELECT 1"})
	if err == nil {
		if run := h.end(h.ann, out.Run.ID); run.State == query.StateSucceeded {
			t.Error("the run of a person whose rights ended went on to its end")
		}
	}
}

// Being an admin is not in every token of theirs.
func TestNarrowTokenOfAnAdminDeletesNothing(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.end(h.ann, h.submit(h.ann, query.Request{Target: "warehouse", SQL: "SELECT 1"}).ID)
	root := person("root", admin.RoleAdmin)
	root.Token, root.Via = admin.NewID(admin.PrefixToken), "api"
	root.Scopes = admin.Scopes{admin.ScopeQueriesRun}
	root.Queries = map[string]int{admin.NewID(admin.PrefixQuery): 1}
	if _, err := h.runs.Get(t.Context(), root, run.ID); admin.CodeOf(err) != admin.NotFound {
		t.Fatalf("get: %v", err)
	}
	if err := h.runs.Delete(t.Context(), root, run.ID); err == nil {
		got, _ := h.runs.Get(t.Context(), h.ann, run.ID)
		t.Errorf("a token for one saved query, without admin:*, destroyed ann's run: deleted=%v sql=%v", got.Deleted, got.SQL)
	}
}

// What Get says is not there, the list of what runs does not show.
func TestLiveRunsAreNotForWhoActs(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.submit(h.ann, query.Request{Target: "warehouse", Title: "salaries of the board", SQL: "DO $$ BEGIN RAISE NOTICE 'iban DE00 1234'; PERFORM pg_sleep(1); END $$", Access: query.ReadWrite, Keep: true})
	svc := service("bi")
	svc.Token = admin.NewID(admin.PrefixToken)
	behalf := *h.ann
	behalf.Via, behalf.Token, behalf.Actor = "api", svc.Token, svc
	behalf.Scopes = admin.Scopes{admin.ScopeRunsRead}
	for range 20 {
		if _, err := h.runs.Get(t.Context(), &behalf, run.ID); admin.CodeOf(err) != admin.NotFound {
			t.Fatalf("get: %v", err)
		}
	}
	all, err := h.runs.Live(t.Context(), &behalf)
	for _, r := range all {
		t.Errorf("Get says 404, Live shows %s %q", r.ID, r.Title)
	}
	if err != nil {
		t.Error(err)
	}
	h.end(h.ann, run.ID)
}
