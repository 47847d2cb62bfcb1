package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// Source is what a backup is made of.
type Source struct {
	Tables Tables
	Blobs  blob.Store
	Keys   []string  // ids of the keys in the key file (secret.Vault.KeyIDs)
	By     string    // the version of the program
	Time   time.Time // now
}

// Validate says what is missing.
func (s *Source) Validate() error {
	switch {
	case s.Tables == nil || s.Blobs == nil || s.Time.IsZero():
		return errors.New("backup: Tables, Blobs and Time are needed")
	case len(s.Keys) > maxKeys || len(s.By) > maxByLength:
		return errors.New("backup: too many keys, or too long a version")
	default:
		return nil
	}
}

// Write writes a backup. After an error what was written is none.
func Write(ctx context.Context, w io.Writer, src Source) (Manifest, error) {
	if err := src.Validate(); err != nil {
		return Manifest{}, err
	}
	at := src.Time.UTC().Truncate(time.Second)
	p, err := newPacker(w, at)
	if err != nil {
		return Manifest{}, err
	}
	b := writing{packer: p, src: src, keys: newKeysSeen(src.Keys), m: Manifest{
		Format: formatName, Version: formatVersion, By: src.By, Time: at, Vanished: Vanished{Names: []string{}},
	}}
	if err := b.all(ctx); err != nil {
		p.drop()
		return Manifest{}, err
	}
	return b.m, p.close()
}

// writing is a backup on its way into a file.
type writing struct {
	*packer

	src  Source
	keys *keysSeen
	m    Manifest
}

// all writes the members. The moment of the rows begins before the blobs are
// listed, so that each row finds its blob in the list, and ends before they are
// copied, which may take hours.
func (b *writing) all(ctx context.Context) error {
	var names *bytes.Buffer
	err := b.src.Tables.Read(ctx, func(r Reading) error {
		head, err := b.head(ctx, r)
		if err != nil {
			return err
		}
		if names, err = listBlobs(ctx, b.src.Blobs); err != nil {
			return err
		}
		for _, t := range head.Tables {
			if err := b.table(ctx, r, t); err != nil {
				return fmt.Errorf("back up table %s: %w", t.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := eachName(names, func(name string) error { return b.blob(ctx, name) }); err != nil {
		return err
	}
	if err := b.endSheet(ctx); err != nil {
		return err
	}
	b.m.Keys, b.m.Sums = b.keys.needed(), b.sums()
	if err := b.document(ctx, manifestName, b.m); err != nil {
		return err
	}
	return b.endSheet(ctx)
}

func (b *writing) head(ctx context.Context, r Reading) (Head, error) {
	schema, err := r.Schema(ctx)
	if err != nil {
		return Head{}, err
	}
	tables, err := r.Tables(ctx)
	if err != nil {
		return Head{}, err
	}
	b.m.Schema = schema
	h := Head{
		Format: formatName, Version: formatVersion, Schema: schema, By: b.m.By, Time: b.m.Time,
		AtHand: append([]string{}, b.src.Keys...), Tables: tables,
	}
	return h, b.document(ctx, headName, h)
}

// table writes the rows of a table in parts of about partSize.
func (b *writing) table(ctx context.Context, r Reading, t Table) error {
	var part []byte
	count, n := Count{Table: t.Name}, 0
	flush := func() error {
		n++
		err := b.add(ctx, partName(t.Name, n), int64(len(part)), bytes.NewReader(part))
		part = part[:0]
		return err
	}
	err := r.Rows(ctx, t, func(row []any) error {
		before := len(part)
		var err error
		if part, err = appendRow(part, t.Columns, row); err != nil {
			return fmt.Errorf("row %d: %w", count.Rows+1, err)
		}
		if len(part)-before > maxRow {
			return fmt.Errorf("row %d has %d bytes, at most %d", count.Rows+1, len(part)-before, maxRow)
		}
		b.keys.look(row)
		count.Rows++
		if len(part) < partSize {
			return nil
		}
		return flush()
	})
	if err == nil && len(part) > 0 {
		err = flush()
	}
	b.m.Tables = append(b.m.Tables, count)
	return err
}

// blob writes a blob, or notes that it was deleted since it was listed.
func (b *writing) blob(ctx context.Context, name string) error {
	o, err := b.src.Blobs.Open(ctx, name)
	if vanished(err) {
		b.m.Vanished.add(name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("back up blob %s: %w", name, err)
	}
	size := o.Size()
	s, err := b.member(ctx, blobsPrefix+name, size, io.NewSectionReader(o, 0, size))
	if err := errors.Join(err, o.Close()); err != nil {
		return fmt.Errorf("back up blob: %w", err)
	}
	if s.Gone {
		b.m.Vanished.add(name)
	} else {
		b.m.Blobs.Count++
		b.m.Blobs.Bytes += size
	}
	return b.note(ctx, s)
}

func (v *Vanished) add(name string) {
	v.Count++
	if len(v.Names) < maxNoted {
		v.Names = append(v.Names, name)
	}
}

func vanished(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrGone)
}
