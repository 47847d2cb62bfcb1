package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

const maxParts = 10_000 // of S3

// writer holds the part that is being filled; those before it are at the
// service.
type writer struct {
	ctx    context.Context // of Create, by the contract of the port
	store  *Store
	name   string
	part   []byte
	upload string // empty until the first part is full
	parts  []minio.CompletePart
	size   int64 // reserved of the budget
	err    error // the first failure; a blob with a hole is never committed
	done   bool
}

// Create begins a blob. Nothing is sent yet.
func (s *Store) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, store: s, name: name}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	if w.err = w.store.budget.Reserve(int64(len(p))); w.err != nil {
		return 0, w.err
	}
	w.size += int64(len(p))
	for n := 0; n < len(p); {
		room := w.store.cfg.PartBytes - len(w.part)
		if room == 0 {
			if w.err = w.send(); w.err != nil {
				return n, fmt.Errorf("write blob: %w", w.err)
			}
			continue
		}
		piece := p[n:min(len(p), n+room)]
		w.part = append(w.part, piece...)
		n += len(piece)
	}
	return len(p), nil
}

// send uploads the part that is full and begins the next in its memory.
func (w *writer) send() error {
	ctx, cancel := w.store.deadline(w.ctx)
	defer cancel()
	s, key := w.store, w.store.key(w.name)
	if len(w.parts) == maxParts {
		return fmt.Errorf("%w: a blob has at most %d parts; raise the bytes of a part", blob.ErrFull, maxParts)
	}
	if w.upload == "" {
		id, err := s.client.NewMultipartUpload(ctx, s.cfg.Bucket, key, minio.PutObjectOptions{})
		if err != nil {
			return translate(err)
		}
		w.upload = id
	}
	number := len(w.parts) + 1
	part, err := s.client.PutObjectPart(ctx, s.cfg.Bucket, key, w.upload, number, bytes.NewReader(w.part), int64(len(w.part)),
		minio.PutObjectPartOptions{Sha256Hex: sum(w.part), DisableContentSha256: true})
	if err != nil {
		return translate(err)
	}
	w.parts = append(w.parts, minio.CompletePart{PartNumber: number, ETag: part.ETag})
	w.part = w.part[:0]
	return nil
}

func (w *writer) Commit() error {
	if err := w.usable(); err != nil {
		return err
	}
	if w.err = w.commit(); w.err != nil {
		return fmt.Errorf("commit blob: %w", w.err)
	}
	w.done = true
	return nil
}

func (w *writer) commit() error {
	if w.upload != "" {
		if err := w.send(); err != nil {
			return err
		}
	}
	unlock := w.store.names.lock(w.name)
	defer unlock()
	old, err := w.store.stat(w.ctx, w.name)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	if err := w.finish(); err != nil {
		return translate(err)
	}
	w.store.budget.Keep(w.size, old.Size)
	return nil
}

// finish makes the blob appear: the one request of a small one, or the last of
// a large one.
func (w *writer) finish() error {
	ctx, cancel := w.store.deadline(w.ctx)
	defer cancel()
	s, key := w.store, w.store.key(w.name)
	if w.upload == "" {
		_, err := s.client.PutObject(ctx, s.cfg.Bucket, key, bytes.NewReader(w.part), int64(len(w.part)), "", sum(w.part),
			minio.PutObjectOptions{DisableContentSha256: true})
		return err
	}
	_, err := s.client.CompleteMultipartUpload(ctx, s.cfg.Bucket, key, w.upload, w.parts, minio.PutObjectOptions{})
	return err
}

// Abort is due after the end of the writer's context too, so it does not heed it.
func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	w.store.budget.Return(w.size)
	if w.upload == "" {
		return nil
	}
	ctx, cancel := w.store.deadline(context.WithoutCancel(w.ctx))
	defer cancel()
	err := translate(w.store.client.AbortMultipartUpload(ctx, w.store.cfg.Bucket, w.store.key(w.name), w.upload))
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("abort upload: %w", err)
	}
	return nil
}

func (w *writer) usable() error {
	if w.done {
		return blob.ErrDone
	}
	if w.err != nil {
		return w.err
	}
	return context.Cause(w.ctx)
}

// sum is signed with the request, and checked by the service. The SDK's own sums
// in chunks (what DisableContentSha256 turns off) cannot send an empty blob.
func sum(p []byte) string {
	hash := sha256.Sum256(p)
	return hex.EncodeToString(hash[:])
}
