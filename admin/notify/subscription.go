package notify

// Subscription is read by one goroutine:
//
//	for {
//		select {
//		case <-sub.Ready():
//			for _, event := range sub.Take() { … }
//		case <-sub.Done():
//			return sub.Err()
//		}
//	}
type Subscription struct {
	hub    *Hub
	owner  string
	topics []string
	ready  chan struct{} // holds one token while there is something to take
	done   chan struct{}

	// Guarded by the hub's mutex.
	pending []Event        // one a topic, in the order in which topics became new
	waiting map[string]int // topic → its place in pending
	err     error          // why it ended
	stop    func() bool    // ends the wait for the context
}

// Ready gives a value when there is something to take.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Take returns the newest of each topic that is new since the last Take; nil
// when there is none.
func (s *Subscription) Take() []Event {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	select {
	case <-s.ready:
	default:
	}
	events := s.pending
	s.pending = nil
	clear(s.waiting)
	return events
}

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err says why it ended: ErrClosed or the cause of its context. It is nil before.
func (s *Subscription) Err() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.err
}

// Close ends the subscription.
func (s *Subscription) Close() { s.end(ErrClosed) }

func (s *Subscription) end(why error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.endLocked(why)
}

func (s *Subscription) endLocked(why error) {
	if s.err != nil {
		return
	}
	s.err = why
	if s.stop != nil {
		s.stop()
	}
	close(s.done)
	h := s.hub
	delete(h.subs, s)
	if h.owners[s.owner]--; h.owners[s.owner] == 0 {
		delete(h.owners, s.owner)
	}
	for _, name := range s.topics {
		h.leaveLocked(name, s)
	}
}

// offerLocked puts an event in the place of an older one of its topic.
func (s *Subscription) offerLocked(e Event) {
	if i, found := s.waiting[e.Topic]; found {
		s.pending[i] = e
		return
	}
	s.waiting[e.Topic] = len(s.pending)
	s.pending = append(s.pending, e)
	select {
	case s.ready <- struct{}{}:
	default:
	}
}
