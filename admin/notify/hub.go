package notify

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

const maxTopics = 64 // of one subscription

var (
	// ErrClosed says that the hub or the subscription was closed.
	ErrClosed = errors.New("no more events: closed")
	// ErrTooMany says that an owner has as many subscriptions as one may have,
	// or asks for too many topics in one.
	ErrTooMany = errors.New("too many subscriptions")
)

// Event is the newest of a topic.
type Event struct {
	Topic    string
	Version  uint64 // grows within a topic
	Snapshot any    // whole, shared by all readers, and never changed
}

// Hub carries snapshots from who makes them to who shows them. It is safe for
// concurrent use.
type Hub struct {
	cfg Config

	mu     sync.Mutex // guards the rest, and the fields of subscriptions and topics
	closed bool
	topics map[string]*topic
	idle   *list.List     // of *topic without subscribers, the longest unpublished first
	owners map[string]int // subscriptions
	subs   map[*Subscription]struct{}
}

type topic struct {
	last Event // Topic is set always, the rest once something was published
	has  bool
	subs map[*Subscription]struct{}
	idle *list.Element // nil while there are subscribers
}

// NewHub returns a hub without topics.
func NewHub(cfg Config) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Hub{
		cfg: cfg.withDefaults(), topics: map[string]*topic{}, idle: list.New(),
		owners: map[string]int{}, subs: map[*Subscription]struct{}{},
	}, nil
}

// Publish makes a snapshot the newest of its topic and wakes who reads it. A
// version that is not greater than the newest is dropped: of two that were made
// at once the later wins, in whatever order they arrive. The snapshot must not
// be changed any more. It never waits.
func (h *Hub) Publish(name string, version uint64, snapshot any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	t := h.topicLocked(name)
	if t.has && version <= t.last.Version {
		return
	}
	t.last, t.has = Event{Topic: name, Version: version, Snapshot: snapshot}, true
	for s := range t.subs {
		s.offerLocked(t.last)
	}
	if t.idle != nil {
		h.idle.MoveToBack(t.idle)
	}
	h.trimLocked()
}

// Forget drops the newest snapshot of a topic that will have no more. Its
// subscribers keep what they have not taken yet.
func (h *Hub) Forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		return
	}
	t.last, t.has = Event{Topic: name}, false
	if t.idle != nil {
		h.removeLocked(t)
	}
}

// Subscribe follows topics until ctx ends, the subscription is closed or the hub
// is. It begins with the newest snapshot of each topic that has one. Owner is
// whoever is to be bounded: a person or a token.
func (h *Hub) Subscribe(ctx context.Context, owner string, topics ...string) (*Subscription, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if len(topics) > maxTopics {
		return nil, fmt.Errorf("%w: %d topics in one, at most %d", ErrTooMany, len(topics), maxTopics)
	}
	s, err := h.subscribe(owner, topics)
	if err != nil {
		return nil, err
	}
	// Set under the lock: the context may end, and read it, at once.
	stop := context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })
	h.mu.Lock()
	defer h.mu.Unlock()
	s.stop = stop
	if s.err != nil {
		stop()
	}
	return s, nil
}

func (h *Hub) subscribe(owner string, topics []string) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case h.owners[owner] >= h.cfg.MaxPerOwner:
		return nil, fmt.Errorf("%w: %d are open, the most one may have", ErrTooMany, h.owners[owner])
	}
	s := &Subscription{
		hub: h, owner: owner, topics: topics,
		ready: make(chan struct{}, 1), done: make(chan struct{}), waiting: map[string]int{},
	}
	h.owners[owner]++
	h.subs[s] = struct{}{}
	for _, name := range topics {
		t := h.topicLocked(name)
		if t.idle != nil {
			h.idle.Remove(t.idle)
			t.idle = nil
		}
		if _, twice := t.subs[s]; !twice && t.has {
			s.offerLocked(t.last)
		}
		t.subs[s] = struct{}{}
	}
	return s, nil
}

// Close ends all subscriptions with ErrClosed. What is published later is
// dropped.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.endLocked(ErrClosed)
	}
	h.topics = map[string]*topic{}
	h.idle.Init()
}

// topicLocked returns a topic, made without subscribers when it is new.
func (h *Hub) topicLocked(name string) *topic {
	t := h.topics[name]
	if t == nil {
		t = &topic{last: Event{Topic: name}, subs: map[*Subscription]struct{}{}}
		t.idle = h.idle.PushBack(t)
		h.topics[name] = t
	}
	return t
}

// leaveLocked takes a subscriber out of a topic, which is kept for the next one
// as long as there is room.
func (h *Hub) leaveLocked(name string, s *Subscription) {
	t := h.topics[name]
	if t == nil || t.idle != nil {
		return
	}
	delete(t.subs, s)
	switch {
	case len(t.subs) > 0:
	case t.has:
		t.idle = h.idle.PushBack(t)
		h.trimLocked()
	default:
		delete(h.topics, name)
	}
}

func (h *Hub) trimLocked() {
	for h.idle.Len() > h.cfg.MaxTopics {
		if t, ok := h.idle.Front().Value.(*topic); ok {
			h.removeLocked(t)
		}
	}
}

func (h *Hub) removeLocked(t *topic) {
	h.idle.Remove(t.idle)
	delete(h.topics, t.last.Topic)
}
