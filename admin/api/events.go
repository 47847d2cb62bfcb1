package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/notify"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// The topics of GET /events.
const (
	topicRuns    = "runs"
	topicMe      = "me"
	topicConnect = "connect"
)

// TopicOf is the topic of the hub that wakes a topic of one caller's stream.
// Whoever changes what it shows publishes to it; the snapshot is not used.
func TopicOf(topic, principalID string) string { return topic + ":" + principalID }

// TopicOfRun is the topic of the hub that wakes the stream of one run.
func TopicOfRun(id string) string { return "run:" + id }

// eventStream is an answer of server-sent events.
type eventStream struct {
	Type string `header:"Content-Type"`
	Body func(huma.Context)
}

func (a *API) eventRoutes() {
	register(a, route{id: "events", method: "GET", path: "/events", summary: "Follow topics: whole snapshots as they change", tag: "events", slow: true, stream: true}, a.events)
	register(a, route{id: "run-events", method: "GET", path: "/runs/{id}/events", summary: "Follow a run until it has ended", tag: "runs", scopes: []admin.Scope{admin.ScopeRunsRead}, slow: true, stream: true}, a.runEvents)
}

// snapshot is the data of one event.
type snapshot struct {
	Topic   string `json:"topic"`
	Version uint64 `json:"version"`
	Data    any    `json:"data"`
}

func (a *API) events(ctx context.Context, c *admin.Caller, in *struct {
	Topics string `query:"topics" required:"true" maxLength:"100" doc:"Of runs, me, connect; joined by commas."`
	LastID string `header:"Last-Event-ID" doc:"Not needed: a stream begins with whole snapshots."`
},
) (*eventStream, error) {
	topics, err := parseTopics(in.Topics)
	if err != nil {
		return nil, err
	}
	if slices.Contains(topics, topicRuns) {
		if err := c.Need(admin.ScopeRunsRead); err != nil {
			return nil, err
		}
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = TopicOf(t, c.ID)
	}
	return a.stream(ctx, c, names, func(ctx context.Context, c *admin.Caller, f *follower) error {
		for _, t := range topics {
			data, err := a.topic(ctx, c, t)
			if err != nil {
				return err
			}
			if err := f.changed(t, data); err != nil {
				return err
			}
		}
		return nil
	})
}

func parseTopics(s string) ([]string, error) {
	var out []string
	for t := range strings.SplitSeq(s, ",") {
		if !slices.Contains([]string{topicRuns, topicMe, topicConnect}, t) || slices.Contains(out, t) {
			return nil, badParameter("topics", "Write some of runs,me,connect, each once.")
		}
		out = append(out, t)
	}
	return out, nil
}

// topic returns the newest snapshot of one topic.
func (a *API) topic(ctx context.Context, c *admin.Caller, topic string) (any, error) {
	switch topic {
	case topicRuns:
		runs, err := a.cfg.Runs.Live(ctx, c)
		for i := range runs {
			runs[i] = short(runs[i])
		}
		return dense(items[query.Run]{Items: runs}.Items), err
	case topicConnect:
		seen, err := a.cfg.Office.Sightings(ctx, c)
		return dense(items[admin.Sighting]{Items: seen}.Items), err
	default:
		return dense(a.me(c)), nil
	}
}

// short is a run without what a list does not show.
func short(r query.Run) query.Run {
	r.SQL, r.Params = nil, nil
	return r
}

func (a *API) runEvents(ctx context.Context, c *admin.Caller, in *struct {
	RunID

	LastID string `header:"Last-Event-ID"`
},
) (*eventStream, error) {
	if _, err := a.cfg.Runs.Get(ctx, c, in.ID); err != nil {
		return nil, err
	}
	return a.stream(ctx, c, []string{TopicOfRun(in.ID)}, func(ctx context.Context, c *admin.Caller, f *follower) error {
		run, err := a.cfg.Runs.Get(ctx, c, in.ID)
		if err != nil {
			return err
		}
		if err := f.event("run", run.Version, dense(run)); err != nil {
			return err
		}
		if run.State.Terminal() {
			return io.EOF
		}
		return nil
	})
}

// look is asked for what is new: at the beginning, after each change, and
// whenever the caller's rights were looked at again.
type look func(ctx context.Context, c *admin.Caller, f *follower) error

// stream follows topics of the hub. It looks once before the first byte, so that
// what is not open is refused as any request is.
func (a *API) stream(ctx context.Context, c *admin.Caller, names []string, look look) (*eventStream, error) {
	sub, err := a.cfg.Hub.Subscribe(ctx, ownerOf(c), names...)
	if err != nil {
		if errors.Is(err, notify.ErrTooMany) {
			return nil, fail("too-many-streams", "You have as many open streams as one may have. Close some.")
		}
		return nil, fail("interrupted", "The server is stopping. Ask again.")
	}
	return &eventStream{Type: "text/event-stream", Body: func(hc huma.Context) {
		defer sub.Close()
		_, w := humago.Unwrap(hc)
		f := &follower{out: &heeding{w: w, ctx: ctx}, last: map[string]string{}, version: map[string]uint64{}}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // proxies that buffer would hold events back
		hc.SetStatus(http.StatusOK)
		a.follow(ctx, c, sub, f, look)
	}}, nil
}

// follow writes until the stream has nothing more to say or may not go on.
func (a *API) follow(ctx context.Context, c *admin.Caller, sub *notify.Subscription, f *follower, look look) {
	beat, recheck := time.NewTicker(a.cfg.Heartbeat), time.NewTicker(a.cfg.Recheck)
	defer beat.Stop()
	defer recheck.Stop()
	for {
		if err := look(ctx, c, f); err != nil || f.flush() != nil {
			return
		}
		select {
		case <-sub.Ready():
			sub.Take()
		case <-sub.Done():
			if isRevoked(context.Cause(ctx)) {
				a.farewell(ctx, c, f)
			}
			return
		case <-recheck.C:
			next, err := a.again(ctx)
			if err != nil {
				a.farewell(ctx, c, f)
				return
			}
			c = next
		case <-beat.C:
			if f.comment() != nil {
				return
			}
		}
	}
}

// farewellTime bounds the last word of a stream.
const farewellTime = time.Second

// farewell says to somebody who was put out why: nothing else will tell them, for
// what they ask from now on gets one answer.
func (a *API) farewell(ctx context.Context, c *admin.Caller, f *follower) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTime)
	defer cancel()
	why := a.cfg.Office.WhyEnded(ctx, c)
	if why == admin.EndedNot {
		return
	}
	f.out.ctx = ctx
	f.out.hurry(farewellTime)
	if f.write("ended", []byte(`{"reason":"`+string(why)+`"}`)) == nil {
		_ = f.flush() // it was the last
	}
}

// follower writes events, each only if it says something new.
type follower struct {
	out     *heeding
	last    map[string]string
	version map[string]uint64
}

// changed writes a topic's snapshot if it is not the one before.
func (f *follower) changed(topic string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if f.version[topic] > 0 && f.last[topic] == string(text) {
		return nil
	}
	f.last[topic] = string(text)
	f.version[topic]++
	body, err := json.Marshal(snapshot{Topic: topic, Version: f.version[topic], Data: json.RawMessage(text)})
	if err != nil {
		return err
	}
	return f.write(topic, body)
}

// event writes a value whose version grows with each change.
func (f *follower) event(name string, version int64, data any) error {
	body, err := json.Marshal(data)
	if err != nil || f.last[name] == string(body) {
		return err
	}
	if f.version[name] > 0 && uint64(version) < f.version[name] {
		return nil // an older look came later
	}
	f.last[name], f.version[name] = string(body), uint64(version)
	return f.write(name, body)
}

func (f *follower) write(name string, body []byte) error {
	_, err := io.WriteString(f.out, "event: "+name+"\ndata: "+string(body)+"\n\n")
	return err
}

func (f *follower) comment() error {
	_, err := io.WriteString(f.out, ": still here\n\n")
	return err
}

func (f *follower) flush() error { return f.out.flush() }
