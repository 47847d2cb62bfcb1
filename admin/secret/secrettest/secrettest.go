// Package secrettest holds what every vault must do, whatever keeps its keys.
// An implementation is finished when Run passes.
package secrettest

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// Vault is what the office asks of a vault.
type Vault interface {
	Seal(purpose string, plain []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
	SealKey(purpose string, key secret.Key) ([]byte, error)
	OpenKey(purpose string, sealed []byte) (secret.Key, error)
	Rewrap(purpose string, sealed []byte) (rewrapped []byte, moved bool, err error)
	KeyIDs() []string
}

// Place is where the keys of a vault are kept.
type Place interface {
	// Open opens the vault; the first time it makes its first key.
	Open() (Vault, error)
	// Rotate adds a key that vaults opened from now on seal with.
	Rotate() error
}

// Run checks a vault. newPlace returns one without keys.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Place){
		"round trip":   testRoundTrip,
		"purpose":      testPurpose,
		"every bit":    testEveryBit,
		"not the same": testNotTheSame,
		"bounds":       testBounds,
		"reopen":       testReopen,
		"rotate":       testRotate,
		"another":      func(t *testing.T, p Place) { testAnother(t, p, newPlace(t)) },
		"key":          testKey,
		"at once":      testAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPlace(t))
		})
	}
}

func open(t *testing.T, p Place) Vault {
	t.Helper()
	v, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func seal(t *testing.T, v Vault, purpose, plain string) []byte {
	t.Helper()
	sealed, err := v.Seal(purpose, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantOpen(t *testing.T, v Vault, purpose string, sealed []byte, want string) {
	t.Helper()
	if got, err := v.Open(purpose, sealed); err != nil || string(got) != want {
		t.Errorf("open %s: %q, %v; want %q", purpose, got, err, want)
	}
}

func wantRefused(t *testing.T, v Vault, purpose string, sealed []byte, want error) {
	t.Helper()
	if got, err := v.Open(purpose, sealed); !errors.Is(err, want) || got != nil {
		t.Errorf("open %q: %q, %v; want %v", purpose, got, err, want)
	}
}

func testRoundTrip(t *testing.T, p Place) {
	v := open(t, p)
	for _, plain := range []string{"", "x", "pass\x00word", strings.Repeat("long", 1<<16)} {
		sealed := seal(t, v, "login:1", plain)
		if plain != "" && len(plain) > 3 && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the text lies open in what was sealed")
		}
		wantOpen(t, v, "login:1", sealed, plain)
	}
}

func testPurpose(t *testing.T, p Place) {
	v := open(t, p)
	sealed := seal(t, v, "run:1", "x")
	for _, other := range []string{"run:2", "run:", "run:11", "login:1", "un:1"} {
		wantRefused(t, v, other, sealed, secret.ErrSealed)
	}
}

func testEveryBit(t *testing.T, p Place) {
	v := open(t, p)
	sealed := seal(t, v, "run:1", "four")
	for i := range len(sealed) * 8 {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		if got, err := v.Open("run:1", bad); err == nil {
			t.Fatalf("opens with bit %d turned: %q", i, got)
		}
	}
	for n := range sealed {
		if _, err := v.Open("run:1", sealed[:n]); err == nil {
			t.Fatalf("opens when cut to %d bytes", n)
		}
	}
	wantRefused(t, v, "run:1", append(bytes.Clone(sealed), 0), secret.ErrSealed)
}

func testNotTheSame(t *testing.T, p Place) {
	v := open(t, p)
	if bytes.Equal(seal(t, v, "a:1", "same"), seal(t, v, "a:1", "same")) {
		t.Error("the same text sealed twice looks the same")
	}
}

func testBounds(t *testing.T, p Place) {
	v := open(t, p)
	if _, err := v.Seal("", nil); err == nil {
		t.Error("sealed for no purpose")
	}
	if _, err := v.Seal(strings.Repeat("p", secret.MaxPurpose+1), nil); !errors.Is(err, secret.ErrTooLong) {
		t.Errorf("a long purpose: %v", err)
	}
	if _, err := v.Seal("a:1", make([]byte, secret.MaxPlain+1)); !errors.Is(err, secret.ErrTooLong) {
		t.Errorf("a long text: %v", err)
	}
	most := strings.Repeat("m", secret.MaxPlain)
	wantOpen(t, v, "a:1", seal(t, v, "a:1", most), most)
}

func testReopen(t *testing.T, p Place) {
	sealed := seal(t, open(t, p), "a:1", "kept")
	wantOpen(t, open(t, p), "a:1", sealed, "kept")
}

func testRotate(t *testing.T, p Place) {
	before := open(t, p)
	old := seal(t, before, "a:1", "old")
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	after := open(t, p)
	if ids := after.KeyIDs(); len(ids) != 2 || ids[0] == ids[1] || ids[1] != before.KeyIDs()[0] {
		t.Errorf("keys %v after %v", ids, before.KeyIDs())
	}
	wantOpen(t, after, "a:1", old, "old")
	wantRefused(t, before, "a:1", seal(t, after, "a:1", "new"), secret.ErrUnknownKey)

	moved, did, err := after.Rewrap("a:1", old)
	if err != nil || !did {
		t.Fatalf("rewrap: %v, %v", did, err)
	}
	wantOpen(t, after, "a:1", moved, "old")
	wantRefused(t, before, "a:1", moved, secret.ErrUnknownKey)
	again, did, err := after.Rewrap("a:1", moved)
	if err != nil || did || !bytes.Equal(again, moved) {
		t.Errorf("rewrap of what is under the newest key: %v, %v", did, err)
	}
	if _, _, err := after.Rewrap("a:2", old); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("rewrap for another purpose: %v", err)
	}
}

func testAnother(t *testing.T, one, two Place) {
	sealed := seal(t, open(t, one), "a:1", "x")
	wantRefused(t, open(t, two), "a:1", sealed, secret.ErrUnknownKey)
}

func testKey(t *testing.T, p Place) {
	v := open(t, p)
	key := secret.NewKey()
	sealed, err := v.SealKey("run:1", key)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, key.Bytes()) {
		t.Error("the key lies open in what was sealed")
	}
	if got, err := v.OpenKey("run:1", sealed); err != nil || !got.Equal(key) {
		t.Errorf("open key: %v", err)
	}
	if _, err := v.OpenKey("run:2", sealed); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("open key of another run: %v", err)
	}
	if _, err := v.OpenKey("run:1", seal(t, v, "run:1", "short")); err == nil {
		t.Error("five bytes opened as a key")
	}
	if _, err := v.SealKey("run:1", secret.Key{}); err == nil {
		t.Error("sealed no key")
	}
}

func testAtOnce(t *testing.T, p Place) {
	v := open(t, p)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				sealed, err := v.Seal("a:1", []byte("x"))
				if err != nil {
					t.Error(err)
					return
				}
				wantOpen(t, v, "a:1", sealed, "x")
			}
		})
	}
	wg.Wait()
}
