package secret

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpen: whatever does not come from Seal for this purpose does not open,
// and what does, opens to what went in.
func FuzzOpen(f *testing.F) {
	v := newVault([]Key{NewKey(), NewKey()})
	sealed, err := v.Seal("run:1", []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("run:1", sealed)
	f.Add("run:2", sealed)
	f.Add("run:1", sealed[:Overhead])
	f.Add("", []byte{version})
	f.Fuzz(func(t *testing.T, purpose string, data []byte) {
		plain, err := v.Open(purpose, data)
		if ours := purpose == "run:1" && bytes.Equal(data, sealed); ours != (err == nil) {
			t.Fatalf("opened: %v", err)
		}
		if err == nil && string(plain) != "plain" {
			t.Errorf("opened to %q", plain)
		}
		box, err := v.Seal(purpose, data)
		if err != nil {
			if purpose != "" && len(purpose) <= MaxPurpose && len(data) <= MaxPlain {
				t.Errorf("seal: %v", err)
			}
			return
		}
		if back, err := v.Open(purpose, box); err != nil || !bytes.Equal(back, data) {
			t.Errorf("round trip: %v", err)
		}
	})
}

func TestKeyID(t *testing.T) {
	t.Parallel()
	v := newVault([]Key{NewKey()})
	sealed, err := v.Seal("a:1", nil)
	if err != nil || len(sealed) != Overhead {
		t.Fatalf("%d bytes, %v", len(sealed), err)
	}
	if id, err := KeyID(sealed); err != nil || id != v.KeyIDs()[0] {
		t.Errorf("id %s, %v", id, err)
	}
	for _, bad := range [][]byte{nil, sealed[1:], append([]byte{9}, sealed...)} {
		if _, err := KeyID(bad); !errors.Is(err, ErrSealed) {
			t.Errorf("id of %x: %v", bad, err)
		}
	}
}
