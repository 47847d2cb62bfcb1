package query

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// SealForTest seals the SQL of a run as it was before runs had text keys.
func SealForTest(v *secret.Vault, id, sql string) []byte {
	b, err := texts{vault: v, id: id}.seal(sqlText, []byte(sql))
	if err != nil {
		panic(err)
	}
	return b
}

// OpenForTest opens the SQL of a record.
func OpenForTest(v *secret.Vault, rec *Record) (string, error) {
	t, err := textsOf(v, rec)
	if err != nil {
		return "", err
	}
	b, err := t.open(sqlText, rec.SQL)
	return string(b), err
}

func vault(t testing.TB) *secret.Vault {
	t.Helper()
	v, err := secret.New(secret.Config{Path: filepath.Join(t.TempDir(), "key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// HoldSorts takes all memory for sorts until the function returned is called.
func (s *Runs) HoldSorts(t testing.TB) (release func()) { t.Helper(); return hold(t, s.sorts) }

// HoldPages takes all memory for pages until the function returned is called.
func (s *Runs) HoldPages(t testing.TB) (release func()) { t.Helper(); return hold(t, s.pages) }

func hold(t testing.TB, b *budget) func() {
	t.Helper()
	all, err := b.take(t.Context(), "somebody", b.most, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return all.close
}

// HoldExports takes all memory for exports until the function returned is called.
func (s *Runs) HoldExports(t testing.TB) (release func()) { t.Helper(); return hold(t, s.exports) }

// PagesHeld returns the bytes of pages that nobody has closed.
func (s *Runs) PagesHeld() int64 { return s.pages.heldNow() }

// ExportsHeld returns the bytes of exports that nobody has closed.
func (s *Runs) ExportsHeld() int64 { return s.exports.heldNow() }

func (b *budget) heldNow() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Views returns how many sorted and filtered views are kept, and their bytes.
func (s *Runs) Views() (n int, bytes int64) {
	s.views.mu.Lock()
	defer s.views.mu.Unlock()
	return len(s.views.byKey), s.views.used
}
