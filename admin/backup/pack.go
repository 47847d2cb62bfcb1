package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	bufferSize = 1 << 20
	windowSize = 1 << 20
)

// packer writes members and the sheets of their sums.
type packer struct {
	tar    *tar.Writer
	zstd   *zstd.Encoder
	time   time.Time
	buffer []byte

	sheet  []sum     // members since the last sheet
	sheets int       // written
	chain  hash.Hash // of the sheets' sums
}

func newPacker(w io.Writer, at time.Time) (*packer, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowSize))
	if err != nil {
		return nil, fmt.Errorf("begin to compress: %w", err)
	}
	return &packer{tar: tar.NewWriter(z), zstd: z, time: at, buffer: make([]byte, bufferSize), chain: sha256.New()}, nil
}

// add writes a member and notes its sum.
func (p *packer) add(ctx context.Context, name string, size int64, from io.Reader) error {
	s, err := p.member(ctx, name, size, from)
	if err != nil {
		return err
	}
	return p.note(ctx, s)
}

// note keeps a sum for the next sheet.
func (p *packer) note(ctx context.Context, s sum) error {
	p.sheet = append(p.sheet, s)
	if len(p.sheet) < sheetLength {
		return nil
	}
	return p.endSheet(ctx)
}

// member writes a member. If its source vanishes, zeros stand for the rest:
// its length has been said before.
func (p *packer) member(ctx context.Context, name string, size int64, from io.Reader) (sum, error) {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: p.time}
	if err := p.tar.WriteHeader(h); err != nil {
		return sum{}, fmt.Errorf("write %s: %w", name, err)
	}
	digest := sha256.New()
	gone := false
	for left := size; left > 0; {
		if err := context.Cause(ctx); err != nil {
			return sum{}, err
		}
		chunk := p.buffer[:min(left, bufferSize)]
		if !gone {
			_, err := io.ReadFull(from, chunk)
			if gone = vanished(err); err != nil && !gone {
				return sum{}, fmt.Errorf("read %s: %w", name, err)
			}
		}
		if gone {
			clear(chunk)
		}
		digest.Write(chunk)
		if _, err := p.tar.Write(chunk); err != nil {
			return sum{}, fmt.Errorf("write %s: %w", name, err)
		}
		left -= int64(len(chunk))
	}
	return sum{Name: name, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil)), Gone: gone}, nil
}

func (p *packer) document(ctx context.Context, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if len(text) > maxDocument {
		return fmt.Errorf("write %s: %d bytes, at most %d", name, len(text), maxDocument)
	}
	return p.add(ctx, name, int64(len(text)), bytes.NewReader(text))
}

// endSheet writes the sums of the members since the last sheet.
func (p *packer) endSheet(ctx context.Context) error {
	if len(p.sheet) == 0 {
		return nil
	}
	var text bytes.Buffer
	for _, s := range p.sheet {
		line, err := s.line()
		if err != nil {
			return fmt.Errorf("write sums: %w", err)
		}
		text.Write(line)
	}
	p.sheets++
	s, err := p.member(ctx, sheetName(p.sheets), int64(text.Len()), &text)
	if err != nil {
		return err
	}
	p.sheet = p.sheet[:0]
	p.chain.Write([]byte(s.SHA256))
	return nil
}

func (p *packer) sums() SheetCount {
	return SheetCount{Count: p.sheets, SHA256: hex.EncodeToString(p.chain.Sum(nil))}
}

// close ends the file; without it the file is cut off.
func (p *packer) close() error {
	if err := errors.Join(p.tar.Close(), p.zstd.Close()); err != nil {
		return fmt.Errorf("end the backup: %w", err)
	}
	return nil
}

// drop gives the encoder back without an end.
func (p *packer) drop() {
	p.zstd.Reset(io.Discard)
	_ = p.zstd.Close()
}

func sheetName(n int) string { return fmt.Sprintf("%s%06d.jsonl", sumsPrefix, n) }

func partName(table string, n int) string {
	return fmt.Sprintf("%s%s/%06d.jsonl", tablesPrefix, table, n)
}
