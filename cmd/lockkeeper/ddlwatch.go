package main

import (
	"context"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// ddlWatch stands between the door and the recorder and looks for changes of
// the schema on their way into the record: the catalog is read again as soon
// as one is committed, not at the next round.
type ddlWatch struct {
	proxy.Recorder
	refresh func() // asks for a read of the catalog; never blocks

	mu   sync.Mutex
	open map[string]struct{} // sessions with an open transaction that changed the schema
}

// Record implements proxy.Recorder.
func (w *ddlWatch) Record(ctx context.Context, e *audit.Event) error {
	err := w.Recorder.Record(ctx, e)
	switch e.Kind {
	case audit.KindOutcome:
		if e.SQLState == "" && slices.Contains(e.Verbs, "ddl") {
			w.changed(e)
		}
	case audit.KindTxEnd, audit.KindSessionEnd:
		w.ended(e)
	default:
	}
	return err
}

func (w *ddlWatch) changed(e *audit.Event) {
	if e.TxID == 0 {
		w.refresh()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = make(map[string]struct{})
	}
	w.open[e.Session] = struct{}{}
}

func (w *ddlWatch) ended(e *audit.Event) {
	w.mu.Lock()
	_, was := w.open[e.Session]
	delete(w.open, e.Session)
	w.mu.Unlock()
	if was && e.Tx == audit.TxCommitted {
		w.refresh()
	}
}
