package policy

import (
	"strings"
	"time"
)

// take charges the quotas that the batch's statements meet; all must pass.
func (v *verdict) take(t *Ticket) *Refusal {
	if !v.outcome.quotas {
		return nil
	}
	l := v.e.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty.Add(1)
	rs := v.c.world.rs
	sc := scope{now: v.now, id: v.c.of, tags: v.batch.Tags, state: v.state}
	for i := range v.facts.list {
		f := &v.facts.list[i]
		if f.free {
			continue
		}
		sc.st, sc.names = f.st, f.names
		sc.class = v.c.classify(&sc, f)
		for j := range rs.items[rs.quotas:] {
			n := rs.quotas + j
			if !hasBit(v.outcome.matched, n) || !v.c.meets(n, &sc, f) {
				continue
			}
			q := rs.items[n].quota
			v.c.key = q.key(v.c.key[:0], &sc)
			if r := l.takeLocked(v.now, t, q, v.c.key, v.observe); r != nil {
				l.giveBackLocked(v.now, t)
				return r
			}
		}
	}
	return nil
}

// meets tells whether one statement meets one quota.
func (c *Conn) meets(i int, sc *scope, f *facts) bool {
	n := c.world.rs.words
	if !hasBit(c.bits[:n], i) || !hasBit(f.may, i) || hasBit(c.bits[n:2*n], i) || hasBit(f.except, i) {
		return false
	}
	if k := sc.class; k.may != nil && (!hasBit(k.may, i) || hasBit(k.except, i)) {
		return false
	}
	return c.late(&c.world.rs.items[i], sc) != no
}

// key writes the key of the quota's cell: the id and one value a part.
func (q *quota) key(buf []byte, sc *scope) []byte {
	buf = append(buf, q.src.ID...)
	for i := range q.src.Key {
		k := &q.src.Key[i]
		v := ""
		switch k.Name {
		case "table":
			v = k.Table
		case "class":
			v = sc.class.path
		case "fingerprint":
			if sc.st != nil {
				v = sc.st.Fingerprint
			}
		default:
			v = sc.id.value(k.Name)
		}
		if v == "" {
			v = "none"
		}
		buf = append(buf, 0)
		buf = append(buf, v...)
	}
	return buf
}

// chargeIdle charges idle time in a transaction to the quotas that count it.
func (e *Engine) chargeIdle(now time.Time, c *Conn, path string, d time.Duration) {
	rs := e.world.Load().rs
	k := &class{path: path, folded: strings.ToLower(path)}
	sc := scope{now: now, id: c.id.Load(), class: k, state: &SessionState{Tx: TxActive}}
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	for i := rs.quotas; i < len(rs.items); i++ {
		it := &rs.items[i]
		if it.quota.src.Unit != UnitIdleTxSeconds || it.ask(&sc) == no {
			continue
		}
		e.ledger.dirty.Add(1)
		e.ledger.cellLocked(now, it.quota, it.quota.key(nil, &sc)).addLocked(int64(d))
	}
}
