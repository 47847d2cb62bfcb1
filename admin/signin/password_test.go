package signin

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// quick is a Password that costs next to nothing.
func quick(t *testing.T) *Password {
	t.Helper()
	p, err := NewPassword(PasswordConfig{Memory: 64, Passes: 1, Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPassword(t *testing.T) {
	t.Parallel()
	p := quick(t)
	stored, err := p.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	again := must(p.Hash(t.Context(), "correct horse battery"))
	if stored == again || !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hashes %q and %q", stored, again)
	}
	for _, test := range []struct {
		stored, secret string
		want           bool
	}{
		{stored, "correct horse battery", true},
		{stored, "correct horse batterz", false},
		{stored, "", false},
		{"", "correct horse battery", false},
		{"", "", false},
	} {
		if ok, rehash, err := p.Verify(t.Context(), test.stored, test.secret); ok != test.want || rehash || err != nil {
			t.Errorf("%q against %q: %t, %t, %v", test.secret, test.stored, ok, rehash, err)
		}
	}
	// é as one character and as two.
	stored = must(p.Hash(t.Context(), "caf\u00e9 au lait"))
	if ok, _, _ := p.Verify(t.Context(), stored, "cafe\u0301 au lait"); !ok {
		t.Error("the keyboard's encoding matters")
	}
}

// The reference implementation made this hash.
func TestPasswordReference(t *testing.T) {
	t.Parallel()
	const ref = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, rehash, err := must(NewPassword(PasswordConfig{})).Verify(t.Context(), ref, "password")
	if !ok || !rehash || err != nil {
		t.Errorf("%t, rehash %t, %v", ok, rehash, err)
	}
}

func TestPasswordCheck(t *testing.T) {
	t.Parallel()
	p := quick(t)
	for secret, want := range map[string]string{
		"correct horse battery":        "",
		"zwölf Äpfel!":                 "",
		"short":                        "Use at least 12 characters; this has 5.",
		"ääääää":                       "this has 6.",
		"aaaaaaaaaaaaaaaa":             "four different",
		"Ada.Lovelace-1815":            "your own name",
		strings.Repeat("correct", 200): "Use at most 1024 bytes",
		"not UTF-8 at all \xff":        "ordinary text",
	} {
		err := p.Check("lovelace", secret)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", secret, err)
			}
			continue
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != KindPassword || !strings.Contains(e.Text(), want) || strings.Contains(e.Error()+e.Text(), secret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	long := strings.Repeat("x", maxPassword+1)
	if _, err := p.Hash(t.Context(), long); kindOf(t, err) != KindPassword {
		t.Errorf("hash: %v", err)
	}
	if _, _, err := p.Verify(t.Context(), "", long); kindOf(t, err) != KindPassword {
		t.Errorf("verify: %v", err)
	}
}

// Two compute, others wait as long as their context lets them; a login that
// nobody has waits and costs like any other.
func TestPasswordAtOnce(t *testing.T) {
	t.Parallel()
	p := quick(t)
	stored := must(p.Hash(t.Context(), "correct horse battery"))
	if cap(p.slots) != 2 {
		t.Errorf("%d at once", cap(p.slots))
	}
	p.slots <- struct{}{}
	p.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, hash := range []string{stored, ""} {
		if _, _, err := p.Verify(ctx, hash, "x"); kindOf(t, err) != KindBusy {
			t.Errorf("with %q: %v", hash, err)
		}
	}
	if h, d := must(parsePHC(stored)), p.dummy; h.memory != d.memory || h.passes != d.passes || h.lanes != d.lanes || len(h.key) != len(d.key) {
		t.Error("a login that nobody has costs something else")
	}
	// The queue is bounded too.
	var wg sync.WaitGroup
	results := make(chan error, maxWaiting+1)
	waiting, release := context.WithCancel(t.Context())
	for range maxWaiting + 1 {
		wg.Go(func() {
			_, _, err := p.Verify(waiting, stored, "x")
			results <- err
		})
	}
	if err := <-results; kindOf(t, err) != KindBusy || waiting.Err() != nil {
		t.Errorf("one too many: %v", err)
	}
	<-p.slots
	<-p.slots
	for range maxWaiting {
		if err := <-results; err != nil {
			t.Errorf("one who waited: %v", err)
		}
	}
	release()
	wg.Wait()
	if n := p.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestPHCBounds(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, err := parsePHC("$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key); err != nil {
		t.Errorf("the one from which the others differ: %v", err)
	}
	for _, s := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key, "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=17,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967296,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=2$" + salt + "$" + key, "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAA$" + key, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 600),
	} {
		if _, err := parsePHC(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
		if ok, _, err := quick(t).Verify(t.Context(), s, "x"); ok || err == nil {
			t.Errorf("%q verifies", s)
		}
	}
	if _, err := NewPassword(PasswordConfig{Memory: maxMemory + 1}); err == nil {
		t.Error("a hash that could not be verified would be made")
	}
}

// What is read is written back the same, and costs no more than allowed.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=+64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q became %q", s, h)
		}
		if h.memory > maxMemory || h.passes > maxPasses || h.lanes > maxLanes || h.passes*uint32(h.lanes) == 0 {
			t.Errorf("%q is too dear", s)
		}
	})
}

func BenchmarkPassword(b *testing.B) {
	p := must(NewPassword(PasswordConfig{}))
	for b.Loop() {
		if ok, _, err := p.Verify(b.Context(), "", "correct horse battery"); ok || err != nil {
			b.Fatal(err)
		}
	}
}
