package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// record fills in what is stored of a run that begins.
func (s *Runs) record(l *live, c *admin.Caller, req *Request, ref QueryRef) error {
	r := &l.rec
	r.ID = admin.NewID(admin.PrefixRun)
	r.OwnerID, r.Kind, r.Login, r.Name, r.Token = c.ID, string(c.Kind), c.Login, c.Name, c.Token
	if c.Actor != nil {
		r.ActorID, r.Actor = c.Actor.ID, c.Actor.Login
	}
	r.Target, r.State, r.Via, r.Title = l.target.Name, StateQueued, c.Via, req.Title
	r.Access, r.Urgency, r.OnLimit, r.Tags = req.Access, req.Urgency, req.OnLimit, req.Tags
	r.Limits, r.Multi, r.Keep = s.bounded(req.Limits), req.Multi, req.Keep
	r.QueryID, r.QueryVersion, r.QueryTitle = ref.ID, ref.Version, ref.Title
	r.Submitted, r.Version = s.now(), 1
	params, err := json.Marshal(req.Params)
	if err != nil {
		return fmt.Errorf("write the parameters: %w", err)
	}
	texts, err := newTexts(s.cfg.Vault, r)
	if err != nil {
		return err
	}
	if r.SQL, err = texts.seal(sqlText, []byte(req.SQL)); err != nil {
		return err
	}
	r.Params, err = texts.seal(paramsText, params)
	return err
}

// bounded puts limits within the office's bounds.
func (s *Runs) bounded(l Limits) Limits {
	b := &s.cfg.Bounds
	pick := func(asked, usual, top int64) int64 {
		if asked == 0 {
			asked = usual
		}
		return min(asked, top)
	}
	return Limits{
		MaxRows: pick(l.MaxRows, b.MaxRows, b.TopRows), MaxBytes: pick(l.MaxBytes, b.MaxBytes, b.TopBytes),
		RunTimeoutMS:   pick(l.RunTimeoutMS, b.RunTimeout.Milliseconds(), b.TopRun.Milliseconds()),
		QueueTimeoutMS: pick(l.QueueTimeoutMS, b.QueueTimeout.Milliseconds(), b.QueueTimeout.Milliseconds()),
	}
}

// fresh is the first snapshot of a run.
func (s *Runs) fresh(l *live, params []Param) *Run {
	r := skeleton(&l.rec)
	r.SQL, r.Params = &l.src, params
	r.Wait = &Wait{Reason: WaitStarting}
	for i, p := range l.plan {
		r.Statements = append(r.Statements, Statement{Index: i, Kind: p.kind, Range: rangeOf(l.src, p.span), State: StatementPending, Notices: []Notice{}})
	}
	return r
}

// skeleton is a run without what is sealed.
func skeleton(rec *Record) *Run {
	r := &Run{
		ID: rec.ID, URL: "/r/" + strings.TrimPrefix(rec.ID, admin.PrefixRun), State: rec.State, Target: rec.Target, Access: rec.Access,
		Multi: rec.Multi, Via: rec.Via, Title: rec.Title, Urgency: rec.Urgency, Tags: rec.Tags, OnLimit: rec.OnLimit, Limits: rec.Limits, Keep: rec.Keep,
		Submitter: Submitter{ID: rec.OwnerID, Kind: rec.Kind, Login: rec.Login, Name: rec.Name},
		Times:     Times{Submitted: rec.Submitted, Started: optional(rec.Started), Finished: optional(rec.Finished)},
		Pinned:    rec.Pinned, Deleted: rec.Deleted, Version: rec.Version, Params: []Param{}, Statements: []Statement{},
	}
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	if rec.ActorID != "" {
		login := rec.Login
		r.Submitter = Submitter{ID: rec.ActorID, Kind: string(admin.KindService), Login: rec.Actor, Name: rec.Actor, OnBehalfOf: &login}
	}
	if rec.QueryID != "" {
		r.Query = &QueryRef{ID: rec.QueryID, Version: rec.QueryVersion, Title: rec.QueryTitle}
	}
	return r
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// outcome is what is stored, sealed, of how a run went.
type outcome struct {
	Statements      []Statement `json:"statements"`
	Error           *RunError   `json:"error"`
	Cancel          *Canceled   `json:"cancel"`
	OpenTransaction bool        `json:"open_transaction"`
}

// sealOutcome writes how a run went into its record.
func (s *Runs) sealOutcome(rec *Record, r *Run) error {
	b, err := json.Marshal(outcome{r.Statements, r.Error, r.Cancel, r.OpenTransaction})
	if err != nil {
		return fmt.Errorf("write how the run went: %w", err)
	}
	texts, err := textsOf(s.cfg.Vault, rec)
	if err != nil {
		return err
	}
	rec.Outcome, err = texts.seal(outcomeText, b)
	return err
}

// load makes a run of its record.
func (s *Runs) load(rec *Record) (*Run, error) {
	r := skeleton(rec)
	texts, err := textsOf(s.cfg.Vault, rec)
	if err != nil {
		return nil, err
	}
	if rec.Outcome != nil {
		b, err := texts.open(outcomeText, rec.Outcome)
		if err != nil {
			return nil, err
		}
		var o outcome
		if err := json.Unmarshal(b, &o); err != nil {
			return nil, fmt.Errorf("read how the run went: %w", err)
		}
		r.Statements, r.Error, r.Cancel, r.OpenTransaction = o.Statements, o.Error, o.Cancel, o.OpenTransaction
	}
	if rec.SQL != nil {
		b, err := texts.open(sqlText, rec.SQL)
		if err != nil {
			return nil, err
		}
		sql := string(b)
		r.SQL = &sql
	}
	if rec.Params != nil {
		b, err := texts.open(paramsText, rec.Params)
		if err != nil {
			return nil, err
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber() // the digits as they were sent
		if err := dec.Decode(&r.Params); err != nil {
			return nil, fmt.Errorf("read the parameters: %w", err)
		}
	}
	if rec.State.Terminal() && hadRows(r) {
		r.ExpiresAt = optional(rec.Expires)
		r.RowsExpired = rec.RowsKey == nil && !rec.Deleted
	}
	measure(r, s.now())
	return r, nil
}

// hadRows reports whether a statement of the run gave rows.
func hadRows(r *Run) bool {
	for i := range r.Statements {
		if res := r.Statements[i].Result; res != nil && len(res.Columns) > 0 {
			return true
		}
	}
	return false
}
