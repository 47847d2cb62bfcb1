// Package proxy is the door: it stands between clients and the warehouse,
// speaks Postgres' protocol to both, asks the policy about every statement, and
// records it before it goes up.
//
// # The path of one statement
//
//	client        clientPump              warehouse        serverPump
//	  │ Query        │                        │                │
//	  ├─────────────►│ gate: unit before      │                │
//	  │              │ answered, nobody holds │                │
//	  │              │ parse → facts          │                │
//	  │              │ decide ⟲ queue         │                │
//	  │              │ record intent          │                │
//	  │              │ machine.Push           │                │
//	  │              ├───────────────────────►│                │
//	  │              │                        ├───────────────►│ machine.Server
//	  │◄─────────────┼────────────────────────┼────────────────┤ T D D C
//	  │              │                        │                │ outcome, settle
//	  │◄─────────────┼────────────────────────┼────────────────┤ Z, gate opens
//
// In the extended protocol Parse, Bind and Describe are held until an Execute,
// Flush or Sync moves their unit; facts come from Parse, rules are asked at
// Bind. A refusal is the server's own error wherever the server knows of a unit
// or transaction (refuse.go), else ours.
//
// # Principals
//
// The office runs statements for people through this same door. It brings the
// connection itself, and who it is as a value:
//
//	office                       door                          warehouse
//	  │ Dial(ctx, Principal)      │                                │
//	  │◄─ one end of a pair ──────┤ servePrincipal on the other    │
//	  │ StartupMessage            │                                │
//	  ├──────────────────────────►│ database, settings from it     │
//	  │                           │ who: from the Principal        │
//	  │                           │ Warehouse(user, groups, Internal)
//	  │                           ├───────────────────────────────►│
//	  │◄─ ready, a cancel key ────┤                                │
//	  ├─ as any client ──────────►│ as any session                 │
//
// No password is asked for, so a login that needs the client's own is none. No
// start-up parameter named lockkeeper.* goes anywhere, on any listener. A
// read-only principal is refused by the policy what writes or could end the
// mode; the warehouse session has default_transaction_read_only where it knows
// it, and ends when that is reported to have changed. A CancelRequest comes in
// by Dial or ServeConn too; Act cancels by the number of a statement.
//
// What goes on is told by Snapshot, RunStatus and Version, all by value; the
// console's tables are made of the same.
//
// # Goroutines
//
//	goroutine       how many            ends with                reads     writes
//	Serve           one a listener      the listener             accept    –
//	admit →         one a client        the session              client    warehouse
//	 clientPump                                                            client: notices, local answers
//	serverPump      one a session       the warehouse connection warehouse client
//	tick            now and then        its remedy               –         both: remedies
//	cut-off, tell   now and then        a cancel; one write      –         client: notices
//	servePrincipal  one a principal     as admit                 client    warehouse
//	 endWith        when ctx ends       its cancel               –         client: farewell
//	admit (cancel)  one a CancelRequest the effect's settlement  client    –
//	locks.run       one, with Watcher   Close                    operator  –
//	release         one an order        15 s                     –         both: M1, M2
//
// Close waits for all of them: the server's in Server.wg, the session's in run.
// An idle session is two parked goroutines, no buffer and no armed limit.
//
// # Locks
//
// In this order, each only where the ones before it are free to be held:
//
//	Server.mu, sessions.mu, locks.mu, strangers, operators, caps
//	  session.mu
//	    the policy's (admission, ledger)
//	      Writer.mu: not under session.mu, only behind it
//
// None is held over I/O, but for Writer.mu, which is a frame's. Setting a
// deadline is not I/O.
//
// # Rules of the session
//
//   - Each socket has one reader. Writes go through pgwire.Writer: frames are
//     atomic, and what may wait for ever (a stream) is never waited for by a
//     remedy: it uses TryWrite.
//   - Each step of the machine, and each decision to act on an idle session,
//     is taken under session.mu. busy is set before gate asks for session.mu,
//     holds is raised under it: so either the release sees the client, or the
//     client waits for the release.
//   - A unit goes up when the one before is answered, its answer is written,
//     and holds is zero. Whoever raises holds lowers it, sets the timer anew and
//     broadcasts.
//   - Whoever waits on cond is woken by a verdict with flush (serverPump), by
//     holds reaching zero, by end. serverPump makes a flush of any answer after
//     which nothing is owed while settling is set; waitAnswerLocked sets it.
//   - unit is the number of the unit in flight. A cancel names it and is
//     dropped if it is over; until the cancel is settled no later unit goes up.
//     The first reason of ours for ending a unit stays its reason, and only an
//     error that has the code of our doing is put into our words.
//   - An intent has one outcome. An execution is in a slot from the moment it
//     goes up until finishLocked; what was decided and never went up is given a
//     slot by close. recordFinished runs in serverPump, and in close when
//     serverPump has ended.
//   - A slot's number may be taken anew only when no answer is owed for it.
//   - The facts of a statement are those of the newest Parse or PREPARE of what
//     the server compares of its name; where order is unclear there are none,
//     and that is judged as unknown.
//   - One timer a session, never moved to a later time. A remedy without effect
//     is tried again after a second, never at once.
package proxy
