// Package policy is the kernel of Lockkeeper: it decides who may do what, when
// and how much. It is pure. Time is an argument, nothing is read or written,
// no goroutine is started; the same input gives the same answer, so decisions
// are tested as text.
//
// # The words
//
//	Subject    who asks: login, role, database, certificate, address
//	Principal  a subject the house itself has let in, with who acts for it
//	Batch      what one Query or Parse message holds: Statements with facts
//	Ruleset    a compiled policy, immutable
//	Conn       the policy's view of one connection: the subject, resolved
//	Decision   verdict, class, limits, release plan, audit plan, reasons
//	Ticket     a statement's place in a queue and what it has taken
//	Engine     joins the ruleset in force with the queue and the counters
//
// # Three layers, one merge rule each
//
//	classify   ordered; the first line that matches names exactly one class
//	classes    a tree; a child inherits and may only tighten
//	rules      all that match apply, in any order, merged by a lattice:
//	           deny > queue > warn > allow; limits take the minimum,
//	           audit detail takes the maximum, release ladders intersect
//
// Quotas stand beside them: counters under composite keys, all of which must
// pass.
//
// # Matching what cannot be read
//
// A fact is yes, no or unknown. An unknown fact meets every rule and quota it
// cannot exclude, and no line of classify and no exception; the negation of
// unknown is unknown. This is a guard rail for people who mean well and for
// tools that do not know better. The boundary is GRANT.
//
// # The life of a statement
//
//	Decide ── rules ── quota take ── admission ──► Allow, Warn ─► Charge… ─► Settle
//	   ▲                                  │
//	   └──────── Waker ◄── waits ◄── Queue┘          Leave gives all back
//
// A ROLLBACK is never refused, and statements that control a transaction or the
// session (BEGIN, COMMIT, SET, SHOW) are never charged to a quota and never
// wait: nobody is locked into a transaction by a policy, and a driver can log in
// when a quota is used up.
//
// # Locks
//
// Admission before ledger; neither is held while a Waker is called.
package policy
