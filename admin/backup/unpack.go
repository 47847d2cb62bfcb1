package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Bounds of what is read around members.
const (
	maxWindow   = 8 << 20 // as `zstd -19` would need that somebody packed it again with
	maxTrailing = 1 << 20 // zeros after the last member
)

// unpacker reads members one after the other and compares their sums. All its
// errors are ErrDamaged or ErrForeign.
type unpacker struct {
	zstd *zstd.Decoder
	tar  *tar.Reader
	gone func(name string) error // called for a member that the sheet says had vanished

	name   string    // of the member being read; empty: none
	size   int64     // its length
	digest hash.Hash // of what was read of it

	sheet  []sum // members since the last sheet
	sheets int
	chain  hash.Hash
}

func newUnpacker(r io.Reader) (*unpacker, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return &unpacker{zstd: z, tar: tar.NewReader(z), digest: sha256.New(), chain: sha256.New()}, nil
}

// next goes to the next member that is no sheet: io.EOF after the last.
func (u *unpacker) next() error {
	for {
		if err := u.member(); err != nil || !strings.HasPrefix(u.name, sumsPrefix) {
			return err
		}
		if err := u.readSheet(); err != nil {
			return err
		}
	}
}

// member ends the member before and goes to the next.
func (u *unpacker) member() error {
	if err := u.end(); err != nil {
		return err
	}
	h, err := u.tar.Next()
	if errors.Is(err, io.EOF) {
		return u.trailing()
	}
	if err != nil {
		return damaged("cut off or changed: %w", err)
	}
	if err := plain(h); err != nil {
		return err
	}
	u.name, u.size = h.Name, h.Size
	u.digest.Reset()
	return nil
}

// plain refuses all that a tar can do beside holding files: links, devices,
// files with holes that are petabytes long.
func plain(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || h.Size < 0 || len(h.Name) > maxNameBytes {
		return damaged("%.60q is no plain file", h.Name)
	}
	for key := range h.PAXRecords {
		if key != "path" && key != "size" {
			return damaged("%.60q has a record %.20q", h.Name, key)
		}
	}
	return nil
}

// Read reads the member.
func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.tar.Read(p)
	u.digest.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged("%s: cut off or changed: %w", u.name, err)
	}
	return n, err
}

// end reads what is left of a member and notes its sum.
func (u *unpacker) end() error {
	if u.name == "" {
		return nil
	}
	if n, err := u.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return damaged("%s is longer than what it holds", u.name)
	}
	if len(u.sheet) == sheetLength {
		return damaged("sums are missing before %.60q", u.name)
	}
	u.sheet = append(u.sheet, sum{Name: u.name, Size: u.size, SHA256: hex.EncodeToString(u.digest.Sum(nil))})
	u.name = ""
	return nil
}

// document reads the member as JSON of a bounded length.
func (u *unpacker) document(into any) error {
	text, err := u.bounded()
	if err != nil {
		return err
	}
	if err := parse(text, into); err != nil {
		return damaged("%s: %w", u.name, err)
	}
	return nil
}

func (u *unpacker) bounded() ([]byte, error) {
	if u.size > maxDocument {
		return nil, damaged("%s has %d bytes, at most %d", u.name, u.size, maxDocument)
	}
	return io.ReadAll(u)
}

// readSheet compares the sums of a sheet with those of the members before it.
func (u *unpacker) readSheet() error {
	u.sheets++
	if u.name != sheetName(u.sheets) || len(u.sheet) == 0 {
		return damaged("%.60q does not belong here", u.name)
	}
	text, err := u.bounded()
	if err != nil {
		return err
	}
	u.chain.Write([]byte(hex.EncodeToString(u.digest.Sum(nil))))
	for _, read := range u.sheet {
		line, _, _ := bytes.Cut(text, []byte{'\n'})
		var want sum
		if err := parse(line, &want); err != nil {
			return damaged("%s: %w", u.name, err)
		}
		read.Gone = want.Gone && strings.HasPrefix(read.Name, blobsPrefix)
		line, err := read.line()
		if err != nil || !bytes.HasPrefix(text, line) {
			return damaged("%s is not what was written", read.Name)
		}
		text = text[len(line):]
		if read.Gone {
			if err := u.gone(read.Name); err != nil {
				return err
			}
		}
	}
	if len(text) > 0 {
		return damaged("%s holds sums of what is not there", u.name)
	}
	u.sheet = u.sheet[:0]
	u.name = "" // a sheet's own sum is in the chain
	return nil
}

// sums are those of the sheets so far. They must have come for all members.
func (u *unpacker) sums() (SheetCount, error) {
	if len(u.sheet) > 0 {
		return SheetCount{}, damaged("sums are missing")
	}
	return SheetCount{Count: u.sheets, SHA256: hex.EncodeToString(u.chain.Sum(nil))}, nil
}

// trailing reads to the end, which also compares the sum of zstd.
func (u *unpacker) trailing() error {
	rest := bufio.NewReader(io.LimitReader(u.zstd, maxTrailing+1))
	for n := 0; ; n++ {
		b, err := rest.ReadByte()
		if errors.Is(err, io.EOF) && n <= maxTrailing {
			return io.EOF
		}
		if err != nil || b != 0 {
			return damaged("its end is not as it was written")
		}
	}
}

func (u *unpacker) close() { u.zstd.Close() }

// pace ends a long copy when ctx does.
type pace struct {
	ctx context.Context //nolint:containedctx // io.Reader has no other way
	io.Reader
}

func (p pace) Read(b []byte) (int, error) {
	if err := context.Cause(p.ctx); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
