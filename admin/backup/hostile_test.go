package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/lockkeeper/lockkeeper/admin/backup"
)

// member is one of an archive, to be tampered with.
type member struct {
	tar.Header

	content []byte
}

func unpack(t testing.TB, file []byte) []member {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(file), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out []member
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{*h, content})
	}
}

func compress(t testing.TB, content []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(content, nil)
}

// pack is a valid file of whatever members.
func pack(t testing.TB, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		if m.Typeflag == tar.TypeReg && m.Size < 1<<30 {
			m.Size = int64(len(m.content))
		}
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
		if m.Size > int64(len(m.content)) {
			break // one that claims more than it has is the last
		}
	}
	_ = w.Close() // which fails then
	return compress(t, out.Bytes())
}

func small(t testing.TB) []byte {
	t.Helper()
	src := newOffice(t, "sqlite")
	src.exec(t, "INSERT INTO animals (id, said, raw) VALUES ('a', 'hello', X'01ff')")
	src.exec(t, `INSERT INTO "select" VALUES (1, 'a', 'x'), (2, NULL, NULL)`)
	src.put(t, "run/1/rows", []byte("some rows"))
	src.put(t, "run/2/rows", bytes.Repeat([]byte("more rows "), 300))
	file, _ := src.backUp(t)
	return file
}

// Any byte of any member that is not as it was is seen, also by whoever can
// pack again, unless he mends all sums.
func TestTampered(t *testing.T) {
	t.Parallel()
	file, dst := small(t), newOffice(t, "sqlite")
	members := unpack(t, file)
	if len(members) < 9 { // head, three tables, two blobs, sums, manifest, its sum
		t.Fatalf("%d members", len(members))
	}
	refused := func(what string, file []byte) {
		t.Helper()
		_, err := dst.restore(t.Context(), bytes.NewReader(file))
		if !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrForeign) && !errors.Is(err, backup.ErrSchema) {
			t.Errorf("%s: %v", what, err)
		}
		dst.wantEmpty(t)
	}
	for i, m := range members {
		changed := slices.Clone(members)
		for _, at := range []int{0, len(m.content) / 2, len(m.content) - 1} {
			changed[i].content = slices.Clone(m.content)
			changed[i].content[at] ^= 1
			refused(fmt.Sprintf("%s, byte %d", m.Name, at), pack(t, changed))
		}
		changed[i].content = append(slices.Clone(m.content), ' ')
		refused(m.Name+", longer", pack(t, changed))
		changed[i].content = m.content[:len(m.content)-1]
		refused(m.Name+", shorter", pack(t, changed))
		refused(m.Name+", left out", pack(t, slices.Delete(slices.Clone(members), i, i+1)))
		refused(m.Name+", twice", pack(t, slices.Insert(slices.Clone(members), i, m)))
		refused("cut before "+m.Name, pack(t, members[:i]))
	}
	for i := 1; i < len(members); i++ {
		changed := slices.Clone(members)
		changed[i-1], changed[i] = changed[i], changed[i-1]
		refused("swapped "+members[i].Name, pack(t, changed))
	}
	if _, err := dst.restore(t.Context(), bytes.NewReader(pack(t, members))); err != nil {
		t.Errorf("what was not changed: %v", err)
	}
}

// plain is what a file holds without its compression; nil if it does not open.
func plain(t testing.TB, file []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out, err := z.DecodeAll(file, nil)
	if err != nil {
		return nil
	}
	return out
}

// A file that is cut off or changed anywhere, as it lies on the disk. The
// compression has bits that mean nothing: a file that says the same is the same.
func TestTruncated(t *testing.T) {
	t.Parallel()
	file, dst, compared := small(t), newOffice(t, "sqlite"), 0
	for n := 0; n < len(file); n += max(1, len(file)/40) {
		if _, err := dst.restore(t.Context(), bytes.NewReader(file[:n])); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrForeign) {
			t.Errorf("%d of %d bytes: %v", n, len(file), err)
		}
		flipped := slices.Clone(file)
		flipped[n] ^= 0x10
		if bytes.Equal(plain(t, flipped), plain(t, file)) {
			continue
		}
		compared++
		if _, err := dst.restore(t.Context(), bytes.NewReader(flipped)); err == nil {
			t.Errorf("byte %d changed: restored", n)
		}
	}
	if compared < 35 {
		t.Errorf("only %d changes changed anything", compared)
	}
	for _, more := range [][]byte{[]byte("x"), file, compress(t, []byte("x")), compress(t, make([]byte, 2<<20))} {
		if _, err := dst.restore(t.Context(), bytes.NewReader(slices.Concat(file, more))); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%d bytes more: %v", len(more), err)
		}
	}
	if _, err := dst.restore(t.Context(), bytes.NewReader(file[:len(file)-1])); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("the last byte is missing: %v", err)
	}
	dst.wantEmpty(t)
}

// Nothing in a file names a place of its own, is anything but a file, or makes
// the reader hold more than its bounds.
func TestHostile(t *testing.T) {
	t.Parallel()
	dst := newOffice(t, "sqlite")
	members := unpack(t, small(t))
	first := slices.IndexFunc(members, func(m member) bool { return strings.HasPrefix(m.Name, "blobs/") })
	table := slices.IndexFunc(members, func(m member) bool { return strings.HasPrefix(m.Name, "tables/animals") })
	file := func(name string) member { return member{tar.Header{Name: name, Typeflag: tar.TypeReg}, []byte("x")} }
	long := "blobs/" + strings.Repeat("a/", 3000) + "a"
	for _, m := range []member{
		file("blobs/../../x"), file("blobs//etc/x"), file("blobs/run/../x"), file("blobs/Run"), file("blobs/.tmp/x"),
		file("../x"), file("/etc/x"), file("x"), file("blobs/restore-unfinished"), file(long), file("sums/000002.jsonl"), file("tables/animals/000002.jsonl"),
		{tar.Header{Name: "blobs/a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil},
		{tar.Header{Name: "blobs/a", Typeflag: tar.TypeLink, Linkname: "backup.json"}, nil},
		{tar.Header{Name: "blobs/a", Typeflag: tar.TypeFifo}, nil},
		{tar.Header{Name: "blobs/", Typeflag: tar.TypeDir}, nil},
		{tar.Header{Name: "blobs/a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"LOCKKEEPER.x": "y"}}, nil},
		{tar.Header{Name: "blobs/a", Typeflag: tar.TypeReg, Size: 1 << 60}, []byte("x")},
		{tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg, Size: 1 << 60}, []byte("x")},
		{tar.Header{Name: "sums/000001.jsonl", Typeflag: tar.TypeReg, Size: 1 << 60}, []byte("x")},
		{tar.Header{Name: "tables/animals/000001.jsonl", Typeflag: tar.TypeReg, Size: 1 << 60}, []byte("x")},
	} {
		at := first
		if m.Name == "tables/animals/000001.jsonl" {
			at = table
		}
		if _, err := dst.restore(t.Context(), bytes.NewReader(pack(t, slices.Insert(slices.Clone(members), at, m)))); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%.40q of %d bytes: %v", m.Name, m.Size, err)
		}
	}
	for _, row := range []string{
		`["a"]`, `[]`, `{}`, `null`, `"a"`, ``, `["a",null,null,null,null,null,null,null]`, `["a",null,null,null,null,null,null]]`, `["a",null,null,null,null,null,null][]`,
		`["a",null,1.5,null,null,null,null]`, `["a",null,"1",null,null,null,null]`, `[1,null,null,null,null,null,null]`, `["a",null,99999999999999999999,null,null,null,null]`,
		`["a",null,null,null,null,"x",null]`, `["a",null,null,null,null,{"bytes":"?"},null]`, `["a",null,null,null,null,{},null]`,
		`["a",null,null,null,null,{"bytes":"","text":""},null]`, `["a",null,true,null,null,null,null]`, "[" + strings.Repeat(`1,`, 1<<20) + "1]", strings.Repeat("[", 1<<20),
		`["` + strings.Repeat("a", 33<<20) + `",null,null,null,null,null,null]`,
	} {
		changed := slices.Clone(members)
		changed[table].content = []byte(row + "\n")
		if _, err := dst.restore(t.Context(), bytes.NewReader(pack(t, changed))); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("row %.60q: %v", row, err)
		}
	}
	dst.wantEmpty(t)
}

func TestPeek(t *testing.T) {
	t.Parallel()
	file := small(t)
	h, err := backup.Peek(bytes.NewReader(file))
	if err != nil || h.Schema < 1 || h.By != "test" || h.Time.Unix() != noon.Unix() {
		t.Errorf("%+v, %v", h, err)
	}
	members := unpack(t, file)
	for old, change := range map[string]string{
		`"version": 1`: `"version": 2`, `"format": "lockkeeper-backup"`: `"format": "other"`, `"by": "test"`: `"more": "x"`,
	} {
		changed := slices.Clone(members)
		changed[0].content = bytes.Replace(members[0].content, []byte(old), []byte(change), 1)
		if _, err := backup.Peek(bytes.NewReader(pack(t, changed))); !errors.Is(err, backup.ErrForeign) {
			t.Errorf("%s: %v", change, err)
		}
	}
	for _, text := range []string{"", "x", "-- PostgreSQL dump", string(compress(t, []byte("x")))} {
		if _, err := backup.Peek(strings.NewReader(text)); !errors.Is(err, backup.ErrForeign) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func compressor(t testing.TB, w io.Writer) *zstd.Encoder {
	t.Helper()
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Error(err)
	}
	return z
}
