package query

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// Bounds of a request.
const (
	MaxSQL        = 1 << 20 // bytes
	maxStatements = 100
	MaxTitle      = 300
	MaxTags       = 20
	maxTag        = 100
	maxKey        = 255
	keyLife       = 24 * time.Hour
)

// Submit begins a run, or returns the one that the same idempotency key already
// began. It returns at once; Wait waits.
func (s *Runs) Submit(ctx context.Context, c *admin.Caller, req Request) (Submitted, error) {
	if err := s.allowed(c, &req); err != nil {
		return Submitted{}, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return Submitted{}, admin.Errorf(admin.Invalid, "bad-request", "The request cannot be read: a parameter's value is of no known kind.")
	}
	key := keyOf(c, req.IdempotencyKey, body)
	s.opening(ctx)
	var l *live
	var replayed string
	err = s.cfg.Store.Update(ctx, func(tx Tx) error {
		if replayed, err = s.replay(ctx, tx, key); err != nil || replayed != "" {
			return err
		}
		if l, err = s.prepare(ctx, tx, c, req); err != nil {
			return err
		}
		if key != nil {
			key.RunID, key.At = l.rec.ID, l.rec.Submitted
			if err := tx.PutKey(ctx, key); err != nil {
				return fmt.Errorf("keep the idempotency key: %w", err)
			}
		}
		if err := s.roomToRun(ctx, tx, &l.rec); err != nil {
			return err
		}
		if err := s.admit(l); err != nil {
			return err
		}
		return tx.AddRun(ctx, &l.rec)
	})
	if err != nil {
		if l != nil {
			s.dismiss(l)
		}
		return Submitted{}, err
	}
	if replayed != "" {
		run, err := s.Get(ctx, c, replayed)
		return Submitted{Run: run, Replayed: true}, err
	}
	rec := l.rec // what follows is the run's goroutine's
	s.begin(l)
	run, _ := l.snapshot()
	return Submitted{Run: s.show(c, run, &rec, l, ownerUnrecorded)}, nil
}

// allowed checks what depends on the caller and the request alone.
func (s *Runs) allowed(c *admin.Caller, req *Request) error {
	need := admin.ScopeRunsWrite
	if req.Query != nil && !c.Scopes.Has(need) {
		need = admin.ScopeQueriesRun
	}
	if err := c.Need(need); err != nil {
		return err
	}
	if c.Queries != nil && req.Query == nil {
		return admin.Errorf(admin.Forbidden, "query-only", "This token runs saved queries only. Name one, or use another token.")
	}
	if req.Urgency == "" && c.Token != "" {
		req.Urgency = Batch // nobody sits before a program
	}
	if err := req.defaults(); err != nil {
		return err
	}
	if req.Access != ReadWrite {
		return nil
	}
	if err := c.Need(admin.ScopeRunsWriteDML); err != nil {
		return err
	}
	service := c.Kind == admin.KindService || c.Actor != nil
	if service && c.Token != "" && req.IdempotencyKey == "" {
		return admin.Errorf(admin.Invalid, "idempotency-key-missing", "A service that writes must send the header Idempotency-Key, so that a repeated request does not write twice.")
	}
	return nil
}

// defaults fills in what is left out and refuses what is out of bounds.
func (req *Request) defaults() error {
	if req.Access == "" {
		req.Access = ReadOnly
	}
	if req.Urgency == "" {
		req.Urgency = Interactive
	}
	if req.OnLimit == "" {
		req.OnLimit = Truncate
	}
	var fields []admin.FieldError
	wrong := func(bad bool, pointer, message string) {
		if bad {
			fields = append(fields, admin.FieldError{Pointer: pointer, Message: message})
		}
	}
	wrong(req.Access != ReadOnly && req.Access != ReadWrite, "/access", "is read_only or read_write")
	wrong(req.Urgency != Interactive && req.Urgency != Batch, "/urgency", "is interactive or batch")
	wrong(req.OnLimit != Truncate && req.OnLimit != Fail, "/on_limit", "is truncate or fail")
	wrong(req.SQL == "" && req.Query == nil, "/sql", "is missing")
	wrong(req.SQL != "" && req.Query != nil, "/query", "stands beside sql; send one of them")
	wrong(utf8.RuneCountInString(req.Title) > MaxTitle, "/title", fmt.Sprintf("has more than %d characters", MaxTitle))
	wrong(len(req.IdempotencyKey) > maxKey, "Idempotency-Key", fmt.Sprintf("has more than %d bytes", maxKey))
	wrong(len(req.Tags) > MaxTags, "/tags", fmt.Sprintf("has more than %d tags", MaxTags))
	for k, v := range req.Tags {
		wrong(k == "" || len(k) > maxTag || len(v) > maxTag, "/tags", fmt.Sprintf("has a tag that is empty or longer than %d bytes", maxTag))
	}
	l := req.Limits
	wrong(min(l.MaxRows, l.MaxBytes, l.RunTimeoutMS, l.QueueTimeoutMS) < 0, "/limits", "has a negative number")
	if len(fields) > 0 {
		e := admin.Errorf(admin.Invalid, "bad-request", "The request has parts that make no sense.")
		e.Fields = fields
		return e
	}
	return checkSQL(req.SQL)
}

// checkSQL bounds a text.
func checkSQL(sql string) error {
	if len(sql) > MaxSQL {
		e := admin.Errorf(admin.TooLarge, "sql-too-large", "The SQL has %d bytes; at most %d are possible. Load large lists into a table and join it.", len(sql), MaxSQL)
		e.Extra = map[string]any{"limit": MaxSQL}
		return e
	}
	if !utf8.ValidString(sql) || strings.IndexByte(sql, 0) >= 0 {
		return admin.Errorf(admin.Invalid, "bad-request", "The SQL is not valid UTF-8, or holds a zero byte.")
	}
	return nil
}

// keyOf hashes an idempotency key with whose it is, and the request; nil
// without one.
func keyOf(c *admin.Caller, key string, body []byte) *KeyRecord {
	if key == "" {
		return nil
	}
	who := c.Token
	if who == "" {
		who = c.ID
	}
	if c.Actor != nil {
		who += "\x00" + c.ID
	}
	hash, request := sha256.Sum256([]byte(who+"\x00"+key)), sha256.Sum256(body)
	return &KeyRecord{Hash: hash[:], Body: request[:]}
}

// replay returns the run that a key began, if it did.
func (s *Runs) replay(ctx context.Context, tx Tx, key *KeyRecord) (string, error) {
	if key == nil {
		return "", nil
	}
	had, err := tx.Key(ctx, key.Hash)
	switch {
	case errors.Is(err, admin.ErrAbsent) || err == nil && s.now().Sub(had.At) > keyLife:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look for the idempotency key: %w", err)
	case string(had.Body) != string(key.Body):
		return "", admin.Errorf(admin.Unprocessable, "idempotency-key-reused", "This Idempotency-Key came with another request within the last 24 hours. Use a new key for a new request.")
	}
	return had.RunID, nil
}

// prepare reads the request into a run that is ready to begin.
func (s *Runs) prepare(ctx context.Context, tx Tx, c *admin.Caller, req Request) (*live, error) {
	ref := QueryRef{}
	if req.Query != nil {
		var err error
		if ref, err = resolveSaved(ctx, tx, c, &req); err != nil {
			return nil, err
		}
	}
	target, err := s.target(c, req.Target)
	if err != nil {
		return nil, err
	}
	values, err := s.types.encode(req.Params)
	if err != nil {
		return nil, err
	}
	plan, err := s.plan(target, &req, values)
	if err != nil {
		return nil, err
	}
	l := &live{src: req.SQL, target: target, plan: plan, principals: c.Principals(), changed: make(chan struct{}), seen: s.now(), keep: req.Keep}
	// Whoever ends runs knows it as soon as it is admitted, before it begins.
	l.ctx, l.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := s.record(l, c, &req, ref); err != nil {
		return nil, err
	}
	l.who = principalOf(c)
	l.who.RunID, l.who.ReadOnly, l.who.Urgency = l.rec.ID, req.Access == ReadOnly, string(req.Urgency)
	for k, v := range req.Tags {
		l.who.Tags = append(l.who.Tags, policy.Tag{Key: k, Value: v})
	}
	l.run = s.fresh(l, req.Params)
	return l, nil
}

// principalOf is a caller as the door and the policy know him.
func principalOf(c *admin.Caller) Principal {
	p := Principal{Subject: subjectOf(c), Via: c.Via, TokenID: c.Token}
	if c.Actor != nil {
		actor := subjectOf(c.Actor)
		p.Actor = &actor
	}
	return p
}

func subjectOf(c *admin.Caller) policy.Subject {
	return policy.Subject{User: c.Login, Groups: c.Teams, ClientIP: c.Addr, Via: c.Via}
}

// plan cuts the text into statements and binds their parameters.
func (s *Runs) plan(target Target, req *Request, values map[string]value) ([]planned, error) {
	spans := sqllex.Split(req.SQL, target.mode(), maxStatements+1)
	switch {
	case len(spans) == 0:
		return nil, admin.Errorf(admin.Unprocessable, "sql-empty", "There is no statement in the SQL.")
	case len(spans) > maxStatements:
		return nil, admin.Errorf(admin.Unprocessable, "multiple-statements", "There are more than %d statements. Split them into several runs.", maxStatements)
	case len(spans) > 1 && !req.Multi:
		e := admin.Errorf(admin.Unprocessable, "multiple-statements", "There are %d statements. Run one, or say \"multi\": true to run them one after another.", len(spans))
		e.Extra = map[string]any{"statements": len(spans)}
		return nil, e
	}
	var out []planned
	for _, span := range spans {
		b, err := bind(req.SQL, span, target.mode(), values)
		if err != nil {
			return nil, err
		}
		p := planned{bound: b, kind: policy.KindUnknown.String()}
		if facts := s.cfg.Facts.Parse(target, b.sql); facts != nil && len(facts.Statements) == 1 {
			st := &facts.Statements[0]
			if st.Features&policy.FeatCopyWire != 0 {
				return nil, admin.Errorf(admin.Unprocessable, "copy-not-possible", "COPY from STDIN or to STDOUT needs a client of its own, such as psql. Use SELECT and download the result.")
			}
			p.kind, p.proven, p.commit = st.Kind.String(), onlyReads(st), st.Tx == policy.TxCommit
		}
		out = append(out, p)
	}
	return out, nil
}

// onlyReads reports whether the facts prove that ending the statement early
// loses nothing: it reads, and calls nothing that may do more.
func onlyReads(st *policy.Statement) bool {
	const more = policy.FeatVolatileCall | policy.FeatSequence | policy.FeatForUpdate | policy.FeatSet | policy.FeatSetLocal | policy.FeatNotify |
		policy.FeatAdvisory | policy.FeatLargeObject | policy.FeatServerFile | policy.FeatProgram | policy.FeatTemp | policy.FeatLock | policy.FeatCursorHold
	const unread = policy.UnknownVerbs | policy.UnknownWrites | policy.UnknownFunctions | policy.UnknownEffects
	return st.Kind == policy.KindRead && st.Verbs == policy.VerbRead && len(st.Writes) == 0 && st.Features&more == 0 && st.Unknown&unread == 0
}
