// Package admin is the kernel of the office: the admin server's words for
// people, rights and errors, and what every use case of it needs.
//
// The office stands beside the door (package proxy) and reaches the warehouse
// only through it, as one more client. What it adds is people: who somebody is
// (Person, Service, Team), what they may do (Grant, Token, Scope), and who is
// asking right now (Caller). Everything else is a use case in a package of its
// own: runs and saved queries in admin/query, and so on. They meet only in
// admin/api and in cmd.
//
//	browser, curl ──► api ──► use cases ──► ports ──► store, blob, secret, door
//	                   │          │
//	                Caller      Journal: recorded before it takes effect
//
// Office is the use cases of people: it lets them in, gives and takes rights,
// makes tokens and passwords, signs people in and says who a request is from.
// Directory is what the door knows of them: a snapshot that outlives the store
// for a while. Rechecker asks the identity provider whether they may still come
// in. All stand on ports: a Store (admin/store), a Journal, a Vault, a
// hasher of passwords, a maker of the door's verifiers, and a Revoker that ends
// elsewhere what no longer holds.
//
//	change rights ──► store: read, decide, write ──► record ──► commit
//	                                                              │
//	                     answer ◄── Revoker ◄── Directory.Refresh ┘
//
// What the package promises:
//
//   - A Caller is made once, where somebody proved who they are, and is never
//     read from a request again.
//   - An Error carries a code, a text that is safe for whoever asked, and what
//     to do next. What does not is an internal error, and only an id is shown.
//   - Whoever may not see a thing gets the same answer as if it did not exist.
//   - A proof that does not hold gets one answer, whatever is wrong with it, and
//     what it allows is within the rights of its holder at that moment.
//   - Secrets are shown once and kept as hashes; what must be read again is
//     sealed. The type Secret is printed by nothing.
//   - Who loses the required group at the identity provider loses all they have
//     here, whether they come by or not; a provider that is away takes nothing.
//   - Nobody takes away the last admin, but the identity provider; the operator
//     of the machine makes another (FirstAdmin).
//   - What changes rights, or shows a stored result, is in the record before it
//     happens (Journal).
//
// What it does not do: it speaks no HTTP and no SQL, and opens no file.
package admin
