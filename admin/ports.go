package admin

import "context"

// Vault seals what must be read again, such as the password of a warehouse
// login. The purpose is bound to what is sealed: it opens with the same only.
type Vault interface {
	Seal(purpose string, plain []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Passwords hashes the passwords that people choose, slowly and few at once.
type Passwords interface {
	// Hash returns the PHC form.
	Hash(ctx context.Context, secret string) (string, error)
	// Verify reports whether secret is the one behind the hash, and whether
	// the hash should be made anew with the parameters of today.
	Verify(ctx context.Context, phc, secret string) (ok, rehash bool, err error)
}

// Verifiers makes what the door needs to check a database password, in the form
// SCRAM-SHA-256$…. All of one principal share a salt: the door sends one before
// it knows which of the passwords comes.
type Verifiers interface {
	New(password string, salt []byte) (string, error)
}

// SavedQueries knows the saved queries that a token can be bound to.
type SavedQueries interface {
	// Bindable returns an error for the caller unless each of the queries is open
	// to them and has that version.
	Bindable(ctx context.Context, c *Caller, queries map[string]int) error
}

// Revoker ends what goes on under ids that no longer hold: sessions at the
// door, runs, event streams, downloads. Ids are those of Caller.Principals.
type Revoker interface {
	Revoke(ids ...string)
}
