package policy

// A node keeps its waiters in a list in order of arrival, and the nodes that
// have waiters form a ring. Both run through the tickets and nodes themselves:
// waiting allocates nothing.

func (a *admission) linkLocked(t *Ticket, leaf *node) {
	t.leaf = leaf
	t.phase = ticketQueued
	after := leaf.last
	for after != nil && after.seq > t.seq { // one that moved here keeps its age
		after = after.prev
	}
	t.prev = after
	if after == nil {
		t.next, leaf.first = leaf.first, t
	} else {
		t.next, after.next = after.next, t
	}
	if t.next == nil {
		leaf.last = t
	} else {
		t.next.prev = t
	}
	leaf.own++
	if t.held {
		leaf.held++
	}
	for n := leaf; n != nil; n = n.parent {
		n.queued++
	}
	if leaf.own == 1 {
		a.ringLocked(leaf)
	}
}

func (a *admission) unlinkLocked(t *Ticket) {
	leaf := t.leaf
	if t.prev == nil {
		leaf.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		leaf.last = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.leaf = nil, nil, nil
	t.phase = ticketFresh
	leaf.own--
	if t.held {
		leaf.held--
	}
	for n := leaf; n != nil; n = n.parent {
		n.queued--
	}
	if leaf.own == 0 {
		a.unringLocked(leaf)
	}
}

func (a *admission) ringLocked(n *node) {
	if a.waiting == nil {
		n.next, n.prev = n, n
		a.waiting = n
		return
	}
	tail := a.waiting.prev
	n.prev, n.next = tail, a.waiting
	tail.next, a.waiting.prev = n, n
}

func (a *admission) unringLocked(n *node) {
	if n.next == n {
		a.waiting = nil
	} else {
		n.prev.next, n.next.prev = n.next, n.prev
		if a.waiting == n {
			a.waiting = n.next
		}
	}
	n.next, n.prev = nil, nil
}
