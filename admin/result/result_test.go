package result_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
)

// oddRows are rows of three columns with what breaks naive codecs, and sizes
// around every boundary of the format.
func oddRows() [][][]byte {
	rows := [][][]byte{
		resulttest.Row(nil, "", "a"), resulttest.Row("", nil, nil), resulttest.Row("\x00\xff\n", "\"\t", `\N`),
	}
	for _, n := range []int{126, 127, 128, 16382, 16383, 1<<20 - 8, 1<<20 - 7, 1<<20 - 6, 1<<20 - 5, 1<<20 - 4, 1 << 20, 3<<20 + 1} {
		rows = append(rows, [][]byte{bytes.Repeat([]byte{'x'}, n), nil, []byte("end")}, resulttest.Row("between", n, nil))
	}
	return rows
}

func oddColumns() []result.Column {
	return []result.Column{
		{Name: "x", Type: "text", OID: 25, Typmod: -1},
		{Name: "x", Type: "numeric", OID: 1700, Typmod: resulttest.NumericTypmod(38, 20)},
		{Name: "", Type: "", OID: 1<<32 - 1, Typmod: -1 << 31},
	}
}

func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	rows := oddRows()
	r := resulttest.Store(t, oddColumns(), rows)
	if diff := cmp.Diff(oddColumns(), r.Columns()); diff != "" {
		t.Error(diff)
	}
	if got := r.Count(); got != int64(len(rows)) {
		t.Errorf("got %d rows, want %d", got, len(rows))
	}
	for offset := range rows {
		for _, limit := range []int64{0, 1, 3, -1} {
			want := rows[offset:]
			if limit >= 0 {
				want = want[:min(int(limit), len(want))]
			}
			got := resulttest.Rows(t, r, int64(offset), limit)
			if !resulttest.Equal(got, want) {
				t.Errorf("rows from %d, limit %d: not what was written", offset, limit)
			}
		}
	}
	if got := resulttest.Rows(t, r, int64(len(rows)), -1); len(got) != 0 {
		t.Errorf("got %d rows after the last", len(got))
	}
}

func TestNoColumns(t *testing.T) {
	t.Parallel()
	rows := make([][][]byte, 1<<20+5) // more than a chunk
	for i := range rows {
		rows[i] = [][]byte{}
	}
	r := resulttest.Store(t, nil, rows)
	if got := len(resulttest.Rows(t, r, 3, -1)); got != len(rows)-3 {
		t.Errorf("got %d rows, want %d", got, len(rows)-3)
	}
	if r := resulttest.Store(t, oddColumns(), nil); r.Count() != 0 || len(resulttest.Rows(t, r, 0, -1)) != 0 {
		t.Error("an empty result has rows")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const count = 60_000
	maker := resulttest.NewOrdinary(20, 7)
	var rows [][][]byte
	for range count {
		rows = append(rows, resulttest.Copy(maker.Next()))
	}
	r := resulttest.Store(t, maker.Columns(), rows)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for range 50 {
				offset, limit := rng.IntN(count), rng.IntN(300)
				want := rows[offset:min(offset+limit, count)]
				got := resulttest.Rows(t, r, int64(offset), int64(limit))
				if !resulttest.Equal(got, want) {
					t.Errorf("page at %d of %d rows differs", offset, limit)
				}
			}
		})
	}
	wg.Wait()
}

func TestReadingStops(t *testing.T) {
	t.Parallel()
	r := resulttest.Store(t, oddColumns(), oddRows())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	revoked := errors.New("no longer allowed")
	seen := 0
	var last error
	for _, err := range r.Rows(ctx, 0, -1) {
		if seen++; err != nil {
			last = err
			continue
		}
		cancel(revoked)
	}
	if !errors.Is(last, revoked) || seen >= len(oddRows()) {
		t.Errorf("after %d rows: %v", seen, last)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w, err := result.NewWriter(io.Discard, result.Unsealed{}, oddColumns())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(resulttest.Row("one")); !errors.Is(err, result.ErrColumns) {
		t.Errorf("a short row: %v", err)
	}
	if err := w.Close(); !errors.Is(err, result.ErrColumns) {
		t.Errorf("close after an error: %v", err)
	}
	if _, err := result.NewWriter(io.Discard, result.Unsealed{}, make([]result.Column, result.MaxColumns+1)); err == nil {
		t.Error("too many columns are accepted")
	}
	w, err = result.NewWriter(&brokenDisk{room: 100}, result.Unsealed{}, oddColumns())
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = w.Write([][]byte{make([]byte, 1<<19), nil, nil})
	}
	if !errors.Is(err, errFull) || !errors.Is(w.Close(), errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("disk full")

type brokenDisk struct{ room int }

func (d *brokenDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// threeChunks is a file of three chunks of equal length.
func threeChunks(t *testing.T) []byte {
	t.Helper()
	var rows [][][]byte
	for i := range 3 {
		row := make([]byte, 1<<19+1<<18)
		rng := rand.NewChaCha8([32]byte{byte(i)})
		if _, err := rng.Read(row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, [][]byte{row})
	}
	return resulttest.Pack(t, []result.Column{{Name: "r"}}, rows)
}

func readAll(ctx context.Context, file []byte, opener result.Opener) error {
	r, err := result.Open(bytes.NewReader(file), int64(len(file)), opener)
	if err != nil {
		return err
	}
	for _, err := range r.Rows(ctx, 0, -1) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Every cut and every flipped byte is found and said.
func TestDamage(t *testing.T) {
	t.Parallel()
	file := resulttest.Pack(t, oddColumns(), oddRows()[:6])
	if err := readAll(t.Context(), file, result.Unsealed{}); err != nil {
		t.Fatal(err)
	}
	for n := range file {
		if err := readAll(t.Context(), file[:n], result.Unsealed{}); !errors.Is(err, result.ErrTruncated) && !errors.Is(err, result.ErrDamaged) {
			t.Errorf("cut at %d: %v", n, err)
		}
		bad := bytes.Clone(file)
		bad[n] ^= 0x10
		if err := readAll(t.Context(), bad, result.Unsealed{}); !errors.Is(err, result.ErrTruncated) && !errors.Is(err, result.ErrDamaged) {
			t.Errorf("byte %d changed: %v", n, err)
		}
	}
}

func TestSwappedChunks(t *testing.T) {
	t.Parallel()
	file := threeChunks(t)
	// Incompressible chunks of the same length lie one behind the other.
	size := (1<<19 + 1<<18) + 100
	bad := bytes.Clone(file)
	copy(bad[1000:size], file[1000+size:2*size])
	err := readAll(t.Context(), bad, result.Unsealed{})
	var damage *result.DamageError
	if !errors.As(err, &damage) || damage.Part != "chunk 0" {
		t.Errorf("got %v", err)
	}
}

// gcm is a sealer as the office uses one: the index is bound to the part.
type gcm struct{ cipher.AEAD }

func newGCM(t *testing.T) gcm {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcm{aead}
}

func nonce(index uint64, final bool) []byte {
	n := binary.BigEndian.AppendUint64(nil, index)
	if final {
		return append(n, 1, 0, 0, 0)
	}
	return append(n, 0, 0, 0, 0)
}

func (g gcm) Seal(index uint64, final bool, plain []byte) ([]byte, error) {
	return g.AEAD.Seal(nil, nonce(index, final), plain, nil), nil
}

func (g gcm) Open(index uint64, final bool, sealed []byte) ([]byte, error) {
	return g.AEAD.Open(nil, nonce(index, final), sealed, nil)
}

func TestSealed(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := result.NewWriter(&file, newGCM(t), oddColumns())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range oddRows() {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(file.Len()) {
		t.Errorf("size is %d, stored are %d bytes", w.Size(), file.Len())
	}
	if bytes.Contains(file.Bytes(), []byte("numeric")) || bytes.Contains(file.Bytes(), []byte("between")) {
		t.Error("the file can be read without the key")
	}
	r, err := result.Open(bytes.NewReader(file.Bytes()), int64(file.Len()), newGCM(t))
	if err != nil {
		t.Fatal(err)
	}
	if !resulttest.Equal(resulttest.Rows(t, r, 0, -1), oddRows()) {
		t.Error("not what was written")
	}
	if err := readAll(t.Context(), file.Bytes(), result.Unsealed{}); !errors.Is(err, result.ErrDamaged) {
		t.Errorf("without the key: %v", err)
	}
}

// Whatever the bytes are, reading them neither panics nor grows beyond what
// the file can justify; and what reads at all has the rows it claims.
func FuzzOpen(f *testing.F) {
	file := resulttest.Pack(f, oddColumns(), oddRows()[:3])
	f.Add(file)
	f.Add(resulttest.Pack(f, nil, [][][]byte{{}, {}}))
	f.Add(file[:len(file)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := result.Open(bytes.NewReader(b), int64(len(b)), result.Unsealed{})
		if err != nil {
			return
		}
		var n int64
		for row, err := range r.Rows(t.Context(), 0, -1) {
			if err != nil {
				return
			}
			if n++; len(row) != len(r.Columns()) {
				t.Fatal("a row of another width")
			}
		}
		if n != r.Count() {
			t.Fatalf("%d rows of %d", n, r.Count())
		}
	})
}

// FuzzRawIndex reaches behind the checksums: the bytes are the index, or the
// first chunk, of a file that is put together as a writer would.
func FuzzParts(f *testing.F) {
	f.Add([]byte("\x01\x01x\x00\x19\x00\x01\x01\x02\x0b\x00\x00\x00\x00"), []byte("\x02a"), uint8(1))
	f.Add([]byte("\x00\x00"), []byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, index, chunk []byte, rows uint8) {
		for _, file := range [][]byte{result.Assemble(index, chunk), result.AssembleChunk(chunk, uint32(rows), 2)} {
			if err := readAll(t.Context(), file, result.Unsealed{}); err != nil && !errors.Is(err, result.ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

// What is written is what is read, for cells and rows of any shape.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("a,b\x00c"), uint8(2), uint16(3))
	f.Add([]byte{}, uint8(0), uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, width uint8, blow uint16) {
		columns := make([]result.Column, width%8)
		var rows [][][]byte
		row := [][]byte{}
		for i, cell := range bytes.Split(data, []byte{0}) {
			if len(columns) == 0 {
				rows = append(rows, [][]byte{})
				continue
			}
			switch {
			case len(cell)%5 == 4:
				cell = nil
			case len(cell)%7 == 6:
				cell = bytes.Repeat(cell, int(blow)) // now and then longer than a chunk
			}
			if row = append(row, cell); len(row) == len(columns) || i > 1<<12 {
				rows, row = append(rows, append(row, make([][]byte, len(columns)-len(row))...)), nil
			}
		}
		got := resulttest.Rows(t, resulttest.Store(t, columns, rows), 0, -1)
		if !resulttest.Equal(got, rows) {
			t.Fatalf("got %d rows, want %d; not what was written", len(got), len(rows))
		}
	})
}

// Rows that lie apart are the rows with their numbers.
func TestPick(t *testing.T) {
	t.Parallel()
	rows := oddRows()
	for i := range 50_000 {
		rows = append(rows, resulttest.Row(i, i, "some text of a row"))
	}
	r := resulttest.Store(t, oddColumns(), rows)
	rng := rand.New(rand.NewPCG(1, 7))
	for _, one := range []int{1, 2, 50, 5000} {
		var want [][][]byte
		var numbers []uint32
		for i := range rows {
			if rng.IntN(one) == 0 {
				want, numbers = append(want, rows[i]), append(numbers, uint32(i))
			}
		}
		var got [][][]byte
		for row, err := range r.Pick(t.Context(), numbers) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, resulttest.Copy(row))
		}
		if !resulttest.Equal(got, want) {
			t.Errorf("one of %d: %d rows, want %d, or others", one, len(got), len(want))
		}
	}
	for row, err := range r.Pick(t.Context(), []uint32{3, uint32(len(rows))}) {
		if err == nil {
			t.Errorf("a row that is not there: %q", row)
		}
	}
	for row, err := range r.Pick(t.Context(), nil) {
		t.Errorf("a row of none: %q, %v", row, err)
	}
}
