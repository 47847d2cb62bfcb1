package jsonl

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
)

// TestTailOverACutBack: what was written and taken back by a full disk has been
// seen; what is written in its place must not be lost to the reader.
func TestTailOverACutBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir})
	tail := follower{dir: dir, match: newMatcher(audit.Filter{})}
	defer tail.close()
	next := func(want uint64) {
		t.Helper()
		e, ok, err := tail.next()
		if err != nil || ok != (want > 0) || e.Seq != want {
			t.Errorf("next is seq %d, %v, %v; want %d", e.Seq, ok, err, want)
		}
	}
	next(0)
	appended(t, l, events(1)...)
	next(1)
	head, size := l.Head(), l.size
	long := events(1)
	long[0].Text = strings.Repeat("x", 5000)
	appended(t, l, long...)
	next(2)
	next(0)
	l.sealer.Rewind(head)
	l.mark, l.size = head, size
	if err := l.cutBack(); err != nil {
		t.Fatal(err)
	}
	appended(t, l, events(2)...)
	next(3)
	next(0)
	appended(t, l, events(1)...)
	next(4)
}
