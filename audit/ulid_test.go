package audit

import (
	"bytes"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestULIDText(t *testing.T) {
	t.Parallel()
	ids, err := newULIDs()
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1790000000123)
	for range 1000 {
		u := ids.next(at)
		if got, want := u.String(), ulid.ULID(u).String(); got != want {
			t.Fatalf("text %s, want %s", got, want)
		}
		if !u.Time().Equal(at) {
			t.Fatalf("time %s, want %s", u.Time(), at)
		}
		var back ULID
		if err := back.UnmarshalText([]byte(u.String())); err != nil || back != u {
			t.Fatalf("read back %v %v, want %v", back, err, u)
		}
	}
}

func TestULIDsGrow(t *testing.T) {
	t.Parallel()
	ids, err := newULIDs()
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1790000000000)
	var last ULID
	for i, step := range []time.Duration{0, 0, time.Millisecond, -time.Hour, 0, 2 * time.Hour, -time.Second} {
		at = at.Add(step)
		u := ids.next(at)
		if bytes.Compare(u[:], last[:]) <= 0 {
			t.Errorf("id %d: %v does not follow %v", i, u, last)
		}
		last = u
	}
	other, err := newULIDs()
	if err != nil {
		t.Fatal(err)
	}
	other.after(last) // a restart with a clock that stepped back
	if u := other.next(time.UnixMilli(1)); bytes.Compare(u[:], last[:]) <= 0 {
		t.Errorf("after a restart: %v does not follow %v", u, last)
	}
	ids = ulids{ms: 5, hi: 0xffff, lo: ^uint64(0)}
	before := ULID{5: 5, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}
	if u := ids.next(time.UnixMilli(5)); bytes.Compare(u[:], before[:]) <= 0 {
		t.Errorf("overflow: %v does not follow %v", u, before)
	}
}
