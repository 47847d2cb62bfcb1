package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

const (
	maxPassword = 1024 // bytes
	saltBytes   = 16
	keyBytes    = 32
	maxWaiting  = 64 // who may wait for a computation; the next is sent away
)

// Password makes and checks argon2id hashes, few at a time: each takes the
// memory and the time that a guesser is to pay.
type Password struct {
	cfg     PasswordConfig
	slots   chan struct{}
	waiting atomic.Int32
	dummy   phc // what is computed for those whom nobody knows
}

// NewPassword returns a Password.
func NewPassword(cfg PasswordConfig) (*Password, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	p := &Password{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce), dummy: cfg.phc()}
	p.dummy.salt, p.dummy.key = random(saltBytes), random(keyBytes)
	return p, nil
}

// Check tells whether a person may choose this password; the Text of its error
// says how to choose a better one.
func (p *Password) Check(login, secret string) error {
	plain := norm.NFC.String(secret)
	switch n := utf8.RuneCountInString(plain); {
	case !utf8.ValidString(secret) || len(secret) > maxPassword:
		return badPassword(fmt.Sprintf("Use at most %d bytes of ordinary text.", maxPassword))
	case n < p.cfg.MinLength:
		return badPassword(fmt.Sprintf("Use at least %d characters; this has %d. Four unrelated words are easy to remember and hard to guess.", p.cfg.MinLength, n))
	case fewRunes(plain):
		return badPassword("Use more than four different characters. Four unrelated words are easy to remember and hard to guess.")
	case len(login) > 2 && strings.Contains(strings.ToLower(plain), strings.ToLower(login)):
		return badPassword("Leave your own name out of the password.")
	}
	return nil
}

// Hash returns the PHC string to store of a password. It does not Check it.
func (p *Password) Hash(ctx context.Context, secret string) (string, error) {
	if len(secret) > maxPassword {
		return "", badPassword(fmt.Sprintf("Use at most %d bytes.", maxPassword))
	}
	h := p.cfg.phc()
	h.salt = random(saltBytes)
	key, err := p.compute(ctx, h, keyBytes, secret)
	if err != nil {
		return "", err
	}
	h.key = key
	return h.String(), nil
}

// Verify tells whether the secret is the one that was hashed, and whether to
// hash it anew because the parameters changed. For a login that nobody has,
// pass "": it costs the same and is never right. An error says nothing about
// the secret.
func (p *Password) Verify(ctx context.Context, stored, secret string) (ok, rehash bool, err error) {
	if len(secret) > maxPassword {
		return false, false, badPassword(fmt.Sprintf("Use at most %d bytes.", maxPassword))
	}
	h := p.dummy
	if stored != "" {
		if h, err = parsePHC(stored); err != nil {
			return false, false, fmt.Errorf("stored password hash: %w", err)
		}
	}
	key, err := p.compute(ctx, h, len(h.key), secret)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(key, h.key) == 1 && stored != ""
	want := p.cfg.phc()
	same := h.memory == want.memory && h.passes == want.passes && h.lanes == want.lanes && len(h.key) == keyBytes && len(h.salt) == saltBytes
	return ok, ok && !same, nil
}

// compute waits for a slot and runs argon2id in it.
func (p *Password) compute(ctx context.Context, h phc, size int, secret string) ([]byte, error) {
	if p.waiting.Add(1) > maxWaiting {
		p.waiting.Add(-1)
		return nil, refuse(KindBusy, "%d password computations wait already", maxWaiting)
	}
	defer p.waiting.Add(-1)
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, &Error{Kind: KindBusy, Err: context.Cause(ctx)}
	}
	defer func() { <-p.slots }()
	if ctx.Err() != nil {
		return nil, &Error{Kind: KindBusy, Err: context.Cause(ctx)}
	}
	// The same word typed on two keyboards may come in two encodings.
	return argon2.IDKey([]byte(norm.NFC.String(secret)), h.salt, h.passes, h.memory, h.lanes, uint32(size)), nil
}

func badPassword(text string) error {
	return &Error{Kind: KindPassword, Err: fmt.Errorf("password refused: %s", text), text: text}
}

func fewRunes(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) <= 4
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
