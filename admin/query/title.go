package query

import "context"

// titled is a store whose records have their titles in clear, and which keeps
// them sealed with the other texts of a run: a title is often the beginning of
// its SQL. Titles of runs from before there was a text key stay as they are.
type titled struct {
	Store

	s *Runs
}

// Update implements Store.
func (t titled) Update(ctx context.Context, fn func(Tx) error) error {
	return t.Store.Update(ctx, func(tx Tx) error { return fn(titledTx{tx, t.s}) })
}

// View implements Store.
func (t titled) View(ctx context.Context, fn func(Tx) error) error {
	return t.Store.View(ctx, func(tx Tx) error { return fn(titledTx{tx, t.s}) })
}

type titledTx struct {
	Tx

	s *Runs
}

func (tx titledTx) Run(ctx context.Context, id string) (*Record, error) {
	rec, err := tx.Tx.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	return rec, tx.s.openTitle(rec)
}

func (tx titledTx) AddRun(ctx context.Context, r *Record) error {
	sealed, err := tx.s.sealTitle(r)
	if err != nil {
		return err
	}
	return tx.Tx.AddRun(ctx, sealed)
}

func (tx titledTx) SetRun(ctx context.Context, r *Record) error {
	sealed, err := tx.s.sealTitle(r)
	if err != nil {
		return err
	}
	return tx.Tx.SetRun(ctx, sealed)
}

func (tx titledTx) Runs(ctx context.Context, f RecordFilter) ([]Record, error) {
	return tx.opened(tx.Tx.Runs(ctx, f))
}

func (tx titledTx) OpenRuns(ctx context.Context) ([]Record, error) {
	return tx.opened(tx.Tx.OpenRuns(ctx))
}

func (tx titledTx) opened(list []Record, err error) ([]Record, error) {
	for i := range list {
		if err == nil {
			err = tx.s.openTitle(&list[i])
		}
	}
	return list, err
}

func (s *Runs) openTitle(rec *Record) error {
	if rec.SealedTitle == nil {
		return nil
	}
	t, err := textsOf(s.cfg.Vault, rec)
	if err != nil {
		return err
	}
	b, err := t.open(titleText, rec.SealedTitle)
	rec.Title, rec.SealedTitle = string(b), nil
	return err
}

// sealTitle returns the record as it is stored.
func (s *Runs) sealTitle(rec *Record) (*Record, error) {
	if rec.TextKey == nil || rec.Title == "" {
		return rec, nil
	}
	t, err := textsOf(s.cfg.Vault, rec)
	if err != nil {
		return nil, err
	}
	out := *rec
	out.Title = ""
	out.SealedTitle, err = t.seal(titleText, []byte(rec.Title))
	return &out, err
}
