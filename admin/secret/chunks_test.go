package secret

import (
	"bytes"
	"errors"
	"testing"
)

type place struct {
	index uint64
	final bool
}

func chunks(t testing.TB, key Key, stream string) *Chunks {
	t.Helper()
	c, err := NewChunks(key, stream)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A chunk opens at its place of its stream of its run, and nowhere else.
func TestChunksKeepTheirPlace(t *testing.T) {
	t.Parallel()
	key := NewKey()
	streams := []*Chunks{chunks(t, key, "rows"), chunks(t, key, "rows2"), chunks(t, NewKey(), "rows")}
	places := []place{{0, false}, {0, true}, {1, false}, {1, true}, {256, false}, {1 << 32, false}, {1<<64 - 1, true}}
	for s, stream := range streams {
		for _, p := range places {
			sealed, err := stream.Seal(nil, p.index, p.final, []byte("chunk"))
			if err != nil || len(sealed) != len("chunk")+ChunkOverhead {
				t.Fatalf("%d bytes, %v", len(sealed), err)
			}
			for s2, other := range streams {
				for _, p2 := range places {
					plain, err := other.Open(nil, p2.index, p2.final, sealed)
					same := s == s2 && p == p2
					if same && (err != nil || string(plain) != "chunk") {
						t.Errorf("stream %d, %v: %q, %v", s, p, plain, err)
					}
					if !same && !errors.Is(err, ErrChunk) {
						t.Errorf("chunk %v of stream %d opens as %v of stream %d", p, s, p2, s2)
					}
				}
			}
		}
	}
}

// The same key and name give the same stream again: the reader needs no state.
func TestChunksReopen(t *testing.T) {
	t.Parallel()
	key := NewKey()
	one, err := chunks(t, key, "rows").Seal([]byte("before "), 7, false, []byte("x"))
	if err != nil || !bytes.HasPrefix(one, []byte("before ")) {
		t.Fatalf("%q, %v", one, err)
	}
	plain, err := chunks(t, key, "rows").Open([]byte("out "), 7, false, one[len("before "):])
	if err != nil || string(plain) != "out x" {
		t.Errorf("%q, %v", plain, err)
	}
	two, err := chunks(t, key, "rows").Seal(nil, 7, false, []byte("x"))
	if err != nil || bytes.Equal(one[7:], two) {
		t.Errorf("the same chunk twice looks the same, %v", err)
	}
}

func TestChunksBounds(t *testing.T) {
	t.Parallel()
	if _, err := NewChunks(Key{}, "rows"); err == nil {
		t.Error("chunks without a key")
	}
	if _, err := NewChunks(NewKey(), ""); err == nil {
		t.Error("chunks of no stream")
	}
	c := chunks(t, NewKey(), "rows")
	if _, err := c.Seal(nil, 0, false, make([]byte, MaxChunk+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long chunk: %v", err)
	}
	if _, err := c.Open(nil, 0, false, make([]byte, MaxChunk+ChunkOverhead+1)); !errors.Is(err, ErrChunk) {
		t.Errorf("a long sealed chunk: %v", err)
	}
}

// FuzzChunks: nothing but what was sealed opens.
func FuzzChunks(f *testing.F) {
	c := chunks(f, NewKey(), "rows")
	sealed, err := c.Seal(nil, 3, true, []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint64(3), true, sealed)
	f.Add(uint64(3), false, sealed)
	f.Add(uint64(0), true, sealed[:ChunkOverhead])
	f.Fuzz(func(t *testing.T, index uint64, final bool, data []byte) {
		ours := index == 3 && final && bytes.Equal(data, sealed)
		if _, err := c.Open(nil, index, final, data); ours != (err == nil) {
			t.Fatalf("opened: %v", err)
		}
		box, err := c.Seal(nil, index, final, data)
		if err != nil {
			return
		}
		if back, err := c.Open(nil, index, final, box); err != nil || !bytes.Equal(back, data) {
			t.Errorf("round trip: %v", err)
		}
	})
}

func BenchmarkChunks(b *testing.B) {
	c := chunks(b, NewKey(), "rows")
	plain := make([]byte, 256<<10)
	sealed := make([]byte, 0, len(plain)+ChunkOverhead)
	out := make([]byte, 0, len(plain))
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		box, err := c.Seal(sealed, i, false, plain)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Open(out, i, false, box); err != nil {
			b.Fatal(err)
		}
	}
}
