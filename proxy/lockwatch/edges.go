package lockwatch

import (
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
)

// conflicts holds, for each mode of a table lock, those it cannot stand beside
// (PostgreSQL manual, "Conflicting Lock Modes").
//
//nolint:gochecknoglobals // an immutable table
var conflicts = map[string]string{
	"AccessShareLock":          "AccessExclusiveLock",
	"RowShareLock":             "ExclusiveLock AccessExclusiveLock",
	"RowExclusiveLock":         "ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
	"ShareUpdateExclusiveLock": "ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
	"ShareLock":                "RowExclusiveLock ShareUpdateExclusiveLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
	"ShareRowExclusiveLock":    "RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
	"ExclusiveLock":            "RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
	"AccessExclusiveLock":      "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock",
}

func conflict(a, b string) bool {
	return slices.Contains(strings.Fields(conflicts[a]), b)
}

// join makes edges of who waits for whom and of the locks they have, sorted by
// waiter and holder.
func join(blocked waits, locks []lock) []policy.LockEdge {
	byPID := make(map[uint32][]lock, len(blocked))
	for _, l := range locks {
		byPID[l.pid] = append(byPID[l.pid], l)
	}
	var edges []policy.LockEdge
	for _, waiter := range slices.Sorted(maps.Keys(blocked)) {
		awaited := waitsFor(byPID[waiter])
		for _, holder := range blocked[waiter] {
			_, holderWaits := blocked[holder]
			e := policy.LockEdge{Waiter: waiter, Holder: holder, Relations: meet(awaited, byPID[waiter], byPID[holder])}
			if awaited != nil {
				e.Mode = awaited.mode
				e.Soft = holderWaits && !holds(awaited, byPID[holder])
			}
			edges = append(edges, e)
		}
	}
	return edges
}

// waitsFor returns the one lock a backend waits for; nil: it has got it since.
func waitsFor(locks []lock) *lock {
	for i := range locks {
		if !locks[i].granted {
			return &locks[i]
		}
	}
	return nil
}

// holds reports whether one of the holder's granted locks is in the way of the
// awaited one; if none is, the holder only stands before it in the queue.
func holds(awaited *lock, holder []lock) bool {
	for _, h := range holder {
		if h.granted && h.tag == awaited.tag && conflict(awaited.mode, h.mode) {
			return true
		}
	}
	return false
}

// meet names the relations on which waiter and holder meet. A wait for a row is
// a wait for the other's transaction: then it is the table of the row the
// waiter has in hand, or else the tables both write to.
func meet(awaited *lock, waiter, holder []lock) []string {
	if awaited == nil {
		return nil
	}
	if awaited.relation != "" {
		return []string{awaited.relation}
	}
	if awaited.kind != "transactionid" {
		return nil
	}
	var out []string
	for _, l := range waiter {
		if l.kind == "tuple" && l.granted && l.relation != "" {
			out = append(out, l.relation)
		}
	}
	if out == nil {
		for _, l := range waiter {
			if l.table && l.granted && slices.ContainsFunc(holder, func(h lock) bool { return h.granted && h.table && h.tag == l.tag }) {
				out = append(out, l.relation)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
