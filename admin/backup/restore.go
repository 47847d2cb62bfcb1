package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// unfinished is a blob that says that all the others come from a restore that
// did not end: the next may remove them.
const unfinished = "restore-unfinished"

// cleanTimeout bounds what is done after a failure.
const cleanTimeout = 5 * time.Minute

// Destination is where a backup is restored to.
type Destination struct {
	Tables Tables
	Blobs  blob.Store
	Keys   []string // ids of the keys in the key file (secret.Vault.KeyIDs)
}

// Validate says what is missing.
func (d *Destination) Validate() error {
	if d.Tables == nil || d.Blobs == nil {
		return errors.New("restore: Tables and Blobs are needed")
	}
	return nil
}

// Peek reads how a backup begins, to know the schema at which the store must be
// opened for it.
func Peek(r io.Reader) (Head, error) {
	u, err := newUnpacker(r)
	if err != nil {
		return Head{}, err
	}
	defer u.close()
	return readHead(u)
}

func readHead(u *unpacker) (Head, error) {
	var h Head
	if err := u.next(); err != nil {
		return h, fmt.Errorf("%w: it does not begin like one, or is cut off: %w", ErrForeign, err)
	}
	if u.name != headName {
		return h, fmt.Errorf("%w: it does not begin like one", ErrForeign)
	}
	if err := u.document(&h); err != nil {
		return h, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return h, h.check()
}

// Restore reads a backup into an empty store. After an error the store is empty
// again; of a process that was killed in between, the next Restore removes the
// traces.
func Restore(ctx context.Context, r io.Reader, dst Destination) (Manifest, error) {
	if err := dst.Validate(); err != nil {
		return Manifest{}, err
	}
	u, err := newUnpacker(r)
	if err != nil {
		return Manifest{}, err
	}
	defer u.close()
	b := restoring{unpacker: u, dst: dst, buffer: make([]byte, bufferSize)}
	u.gone = func(name string) error { return b.forget(ctx, name) }
	ours := false // the blobs that are there
	err = dst.Tables.Write(ctx, func(w Writing) error {
		if err := vacate(ctx, dst.Blobs); err != nil {
			return err
		}
		ours = true
		if err := put(ctx, dst.Blobs, unfinished, strings.NewReader(""), nil); err != nil {
			return err
		}
		if err := b.all(ctx, w); err != nil {
			return err
		}
		return dst.Blobs.Delete(ctx, unfinished)
	})
	if err == nil {
		return b.m, nil
	}
	if ours {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		err = errors.Join(err, removeAll(ctx, dst.Blobs))
	}
	return Manifest{}, err
}

// restoring is a backup on its way out of a file.
type restoring struct {
	*unpacker

	dst    Destination
	buffer []byte
	head   Head
	m      Manifest // as counted here, to be compared with the file's
}

func (b *restoring) all(ctx context.Context, w Writing) error {
	if err := b.begin(ctx, w); err != nil {
		return err
	}
	keys := newKeysSeen(b.head.AtHand)
	if err := b.tables(ctx, w, keys); err != nil {
		return err
	}
	if err := keys.missing(b.dst.Keys); err != nil { // before the blobs, which take longest
		return err
	}
	b.m.Keys = keys.needed()
	if err := b.blobs(ctx); err != nil {
		return err
	}
	return b.finish()
}

func (b *restoring) begin(ctx context.Context, w Writing) error {
	var err error
	if b.head, err = readHead(b.unpacker); err != nil {
		return err
	}
	schema, err := w.Schema(ctx)
	if err != nil {
		return err
	}
	tables, err := w.Tables(ctx)
	if err != nil {
		return err
	}
	if err := b.head.fits(schema, tables); err != nil {
		return err
	}
	b.head.Tables = tables // names of our own from here on
	b.m = Manifest{Format: b.head.Format, Version: b.head.Version, Schema: schema, By: b.head.By, Time: b.head.Time}
	return b.advance()
}

// advance goes to the next member; the end is too early.
func (b *restoring) advance() error {
	err := b.next()
	if errors.Is(err, io.EOF) {
		return damaged("it ends without %s", manifestName)
	}
	return err
}

// blobs reads those that are there, each after the one before.
func (b *restoring) blobs(ctx context.Context) error {
	last := ""
	for {
		name, found := strings.CutPrefix(b.name, blobsPrefix)
		if !found {
			return nil
		}
		if err := blob.CheckName(name); err != nil || name <= last || name == unfinished {
			return damaged("%.60q does not belong here", b.name)
		}
		last = name
		b.m.Blobs.Count++
		b.m.Blobs.Bytes += b.size
		if err := put(ctx, b.dst.Blobs, name, b.unpacker, b.buffer); err != nil {
			return err
		}
		if err := b.advance(); err != nil {
			return err
		}
	}
}

// forget removes a blob that vanished while it was backed up.
func (b *restoring) forget(ctx context.Context, member string) error {
	i := slices.IndexFunc(b.sheet, func(s sum) bool { return s.Name == member })
	b.m.Blobs.Count--
	b.m.Blobs.Bytes -= b.sheet[i].Size
	return b.dst.Blobs.Delete(ctx, strings.TrimPrefix(member, blobsPrefix))
}

// finish compares the manifest with what was read, and wants nothing after it.
func (b *restoring) finish() error {
	if b.name != manifestName {
		return damaged("%.60q does not belong here", b.name)
	}
	sums, err := b.sums()
	if err != nil {
		return err
	}
	b.m.Sums = sums
	var m Manifest
	if err := b.document(&m); err != nil {
		return err
	}
	b.m.Vanished = m.Vanished // nothing is there to count
	if !m.equal(b.m) {
		return damaged("%s does not tell what is in it", manifestName)
	}
	if err := b.next(); !errors.Is(err, io.EOF) {
		return errors.Join(damaged("there is something behind its end"), err)
	}
	_, err = b.sums() // of the manifest
	return err
}

func (m Manifest) equal(o Manifest) bool {
	return m.Format == o.Format && m.Version == o.Version && m.Schema == o.Schema && m.By == o.By && m.Time.Equal(o.Time) &&
		slices.Equal(m.Tables, o.Tables) && m.Blobs == o.Blobs && slices.Equal(m.Keys, o.Keys) && m.Sums == o.Sums
}
