package pgauth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// shape is what a stranger sees of a failed login, and what it cost us.
type shape struct {
	Messages    []string // tag, code and size of each of ours
	Derivations int
	Error       string
}

// An unknown login must not be told from a known one: neither by the messages
// nor by the work, which is counted here rather than timed.
func TestUnknownLooksLikeKnown(t *testing.T) {
	t.Parallel()
	key := NewSaltKey([]byte("seed"))
	known := map[string]*Account{
		"scram verifier": account(t, "ann", key, verifier(t, "right")),
		"clear password": account(t, "ann", key, "right"),
		"md5 hash":       account(t, "ann", key, md5Prefix+md5Hex("right", "ann")),
		"two passwords":  account(t, "ann", key, "right", "left"),
		"no verifier":    account(t, "ann", key),
	}
	for _, m := range []Method{Scram, Password} {
		want := failure(t, key, m, nil)
		for name, a := range known {
			t.Run(string(m)+" against "+name, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(want, failure(t, key, m, a)); diff != "" {
					t.Errorf("unknown (-) and known (+) differ:\n%s", diff)
				}
			})
		}
	}
	if got := failure(t, key, Scram, nil).Derivations; got != 0 {
		t.Errorf("SCRAM costs %d key derivations", got)
	}
	if got := failure(t, key, Password, nil).Derivations; got != 1 {
		t.Errorf("a wrong password costs %d key derivations, want 1", got)
	}
}

func failure(t *testing.T, key SaltKey, m Method, account *Account) shape {
	t.Helper()
	var s shape
	a := New(key)
	a.derive = func(password string, salt []byte, iterations int) []byte {
		s.Derivations++
		return saltedPassword(password, salt, iterations)
	}
	var said bytes.Buffer
	client := &scripted{said: &said, nonce: "abc", method: m}
	_, err := a.Authenticate(t.Context(), Exchange{
		Reader: pgwire.NewReader(client, nil, nil), Writer: &said, Method: m, User: "ann", Account: account, Local: true,
	})
	if err == nil {
		t.Fatal("a wrong password let somebody in")
	}
	s.Error = err.(*Error).Message //nolint:errorlint // nothing else may come here
	for rest := said.Bytes(); len(rest) > 0; {
		size := int(binary.BigEndian.Uint32(rest[1:])) + 1
		s.Messages = append(s.Messages, fmt.Sprintf("%c %d %d bytes", rest[0], binary.BigEndian.Uint32(rest[5:]), size))
		rest = rest[size:]
	}
	return s
}

// scripted answers the server with a wrong password, message by message.
type scripted struct {
	said   *bytes.Buffer
	nonce  string
	method Method
	steps  int
}

func (c *scripted) Read(p []byte) (int, error) {
	c.steps++
	switch {
	case c.method == Password:
		return copy(p, pgwire.AppendString(nil, pgwire.MsgPassword, "wrong")), nil
	case c.steps == 1:
		return copy(p, AppendSASLInitial(nil, mechScram, []byte("n,,n=,r="+c.nonce))), nil
	}
	_, answer, _ := bytes.Cut(c.said.Bytes(), []byte("r="+c.nonce))
	s, err := parseServerFirst(append([]byte("r="+c.nonce), answer...))
	if err != nil {
		return 0, err
	}
	client := &ScramClient{password: "wrong", header: "n,,", nonce: c.nonce}
	final, err := client.Final([]byte(s.text()))
	return copy(p, pgwire.AppendFrame(nil, pgwire.MsgPassword, final)), err
}

// The salt of a login that does not exist stays the same, differs from that of
// others, and cannot be computed without the key.
func TestSaltOfUnknown(t *testing.T) {
	t.Parallel()
	a, b := NewSaltKey([]byte("seed")), NewSaltKey([]byte("other seed"))
	if !bytes.Equal(a.Salt("ann"), NewSaltKey([]byte("seed")).Salt("ann")) {
		t.Error("the salt changes")
	}
	if bytes.Equal(a.Salt("ann"), a.Salt("bob")) || bytes.Equal(a.Salt("ann"), b.Salt("ann")) {
		t.Error("two logins, or two keys, have one salt")
	}
	if bytes.Equal(New(SaltKey{}).key.Salt("ann"), New(SaltKey{}).key.Salt("ann")) {
		t.Error("the zero key makes salts that anybody can compute")
	}
}

func TestRightPasswordIsDerivedOnce(t *testing.T) {
	t.Parallel()
	a, derived := New(SaltKey{}), 0
	a.derive = func(password string, salt []byte, iterations int) []byte {
		derived++
		return saltedPassword(password, salt, iterations)
	}
	x := &Exchange{User: "ann", Account: account(t, "ann", SaltKey{}, verifier(t, "left"), verifier(t, "right"))}
	for range 3 {
		if !a.right(x, "right") {
			t.Fatal("the right password is wrong")
		}
	}
	if want := 4; derived != want { // two salts at first; then only the other one's
		t.Errorf("%d derivations, want %d", derived, want)
	}
	for range 3 {
		if a.right(x, "wrong") {
			t.Fatal("a wrong password is right")
		}
	}
	if want := 4 + 6; derived != want {
		t.Errorf("%d derivations after wrong passwords, want %d: nothing wrong may be remembered", derived, want)
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := NewKeyCache()
	for i := range 2*maxCachedKeys + 10 {
		c.put(fmt.Sprint(i), []byte("salt"), 1, []byte{1})
	}
	if n := len(c.keys); n > maxCachedKeys {
		t.Errorf("%d keys, want at most %d", n, maxCachedKeys)
	}
	if _, ok := c.get(fmt.Sprint(2*maxCachedKeys+9), []byte("salt"), 1); !ok {
		t.Error("the last key is gone")
	}
	if _, ok := c.get(fmt.Sprint(2*maxCachedKeys+9), []byte("salt"), 2); ok {
		t.Error("other iterations find the same key")
	}
}
