package main

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
)

type noRecord struct{}

func (noRecord) Record(context.Context, *audit.Event) error { return nil }

func TestDDLWatch(t *testing.T) {
	t.Parallel()
	ddl := func(session string, tx uint64, state string) audit.Event {
		return audit.Event{Kind: audit.KindOutcome, Session: session, TxID: tx, SQLState: state, Verbs: []string{"ddl"}}
	}
	end := func(session, how string) audit.Event {
		return audit.Event{Kind: audit.KindTxEnd, Session: session, Tx: how}
	}
	for _, c := range []struct {
		name   string
		events []audit.Event
		want   int
	}{
		{"by itself", []audit.Event{ddl("a", 0, "")}, 1},
		{"failed", []audit.Event{ddl("a", 0, "42P07")}, 0},
		{"not before the commit", []audit.Event{ddl("a", 1, "")}, 0},
		{"committed", []audit.Event{ddl("a", 1, ""), end("a", audit.TxCommitted)}, 1},
		{"rolled back", []audit.Event{ddl("a", 1, ""), end("a", audit.TxRolledBack), end("a", audit.TxCommitted)}, 0},
		{"another's commit", []audit.Event{ddl("a", 1, ""), end("b", audit.TxCommitted)}, 0},
		{"client gone", []audit.Event{ddl("a", 1, ""), {Kind: audit.KindSessionEnd, Session: "a"}, end("a", audit.TxCommitted)}, 0},
		{"a read", []audit.Event{{Kind: audit.KindOutcome, Verbs: []string{"read"}}}, 0},
	} {
		got := 0
		w := &ddlWatch{Recorder: noRecord{}, refresh: func() { got++ }}
		for _, e := range c.events {
			if err := w.Record(t.Context(), &e); err != nil {
				t.Fatal(err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %d reads, want %d", c.name, got, c.want)
		}
		if len(w.open) > 0 != (c.name == "not before the commit" || c.name == "another's commit") {
			t.Errorf("%s: %d sessions remembered", c.name, len(w.open))
		}
	}
}
