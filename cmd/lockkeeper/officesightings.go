package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// sightings tell the office who came in at the door, for the page's "we saw
// you": the door records each session as it begins, and this looks over its
// shoulder. Nobody's login waits for it; when many come at once some are not
// told, nor are those who come in while the office stands by and writes nothing.
type sightings struct {
	proxy.Recorder
	office *office
	seen   chan admin.Login
	told   uint64 // version of the topic; run's alone
}

// sightingsHeld bounds those that wait to be written.
const sightingsHeld = 64

func newSightings(record proxy.Recorder, o *office) *sightings {
	return &sightings{Recorder: record, office: o, seen: make(chan admin.Login, sightingsHeld)}
}

// Record implements proxy.Recorder.
func (s *sightings) Record(ctx context.Context, e *audit.Event) error {
	if err := s.Recorder.Record(ctx, e); err != nil {
		return err
	}
	if e.Kind == audit.KindSessionStart && e.Via == proxy.ViaWire {
		select {
		case s.seen <- admin.Login{Login: e.User, Application: e.ApplicationName, Addr: e.ClientAddr}:
		default:
		}
	}
	return nil
}

// run writes what was seen, until ctx ends.
func (s *sightings) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-s.seen:
			account, err := s.office.directory.Lookup(l.Login)
			if err != nil || !s.office.works() {
				continue // not one of ours, or not ours to write
			}
			if err = s.office.people.SawLogin(ctx, l); err == nil {
				s.told++
				s.office.hub.Publish(api.TopicOf("connect", account.ID), s.told, nil)
			}
			if err != nil && ctx.Err() == nil && !errors.Is(err, admin.ErrAbsent) {
				s.office.log.WarnContext(ctx, "cannot note who came in", slog.Any("error", err))
			}
		}
	}
}
