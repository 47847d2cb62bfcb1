package admin

import (
	"context"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Journal is the record, as the office writes it: before an act takes effect,
// before the first byte of a result leaves. An error means that the act must
// not happen; it is shown as "the record is unavailable".
type Journal interface {
	Record(ctx context.Context, e *audit.Event) error
}

// Entry begins an event about what a caller does.
func (c *Caller) Entry(kind audit.Kind) audit.Event {
	e := audit.Event{Kind: kind, User: c.Login, Via: c.Via, Token: c.Token, Durability: audit.Durable, OnFailure: audit.Closed}
	if len(c.Teams) > 0 {
		e.Team = c.Teams[0]
	}
	if c.Actor != nil {
		e.Actor = c.Actor.Login
	}
	if c.Addr.IsValid() {
		e.ClientAddr = c.Addr.String()
	}
	return e
}
