// Package notify tells those who wait inside the office what is new, and stops
// those who lost the right to wait.
//
//	Hub: Publish(topic, version, snapshot) ──► newest of each topic ──► Take
//	Revocations: Watch(ctx, ids) ──► a context ◄── ends ── Revoke(id)
//
// A [Hub] carries whole snapshots, never differences, so that a slow reader loses
// nothing that matters: it gets the newest of each topic and skips what was
// between. No queue grows, and Publish waits for nobody.
//
// [Revocations] ends what lives longer than the request that began it: streams
// of events, downloads, runs, sockets. Whoever starts one names all that it
// depends on (its person, session, token, grants, and the session its own came
// from), and works under the context it gets.
//
// What the package does not do: it does not cross processes (one office is
// active), it decides no rights, and it remembers no revocation. What was
// revoked before Watch is for the store to say, so the order is: Watch, then ask
// the store, then serve.
package notify
