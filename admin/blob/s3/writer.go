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
	blob.Draft

	store  *Store
	part   []byte
	upload string // empty until the first part is full
	parts  []minio.CompletePart
}

// Create begins a blob. Nothing is sent yet.
func (s *Store) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return nil, err
	}
	return &writer{Draft: blob.Draft{Ctx: ctx, Name: name, Budget: &s.budget}, store: s}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.Reserve(len(p)); err != nil {
		return 0, err
	}
	for n := 0; n < len(p); {
		room := w.store.cfg.PartBytes - len(w.part)
		if room == 0 {
			if w.Err = w.send(); w.Err != nil {
				return n, fmt.Errorf("write blob: %w", w.Err)
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
	ctx, cancel := w.store.deadline(w.Ctx)
	defer cancel()
	s, key := w.store, w.store.key(w.Name)
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

func (w *writer) Commit() error { return w.Finish(w.commit) }

func (w *writer) commit() error {
	if w.upload != "" {
		if err := w.send(); err != nil {
			return err
		}
	}
	unlock := w.store.names.lock(w.Name)
	defer unlock()
	old, err := w.store.stat(w.Ctx, w.Name)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	if err := w.finish(); err != nil {
		return translate(err)
	}
	w.Done = true
	w.Budget.Keep(w.Size, old.Size)
	return nil
}

// finish makes the blob appear: the one request of a small one, or the last of
// a large one.
func (w *writer) finish() error {
	ctx, cancel := w.store.deadline(w.Ctx)
	defer cancel()
	s, key := w.store, w.store.key(w.Name)
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
	if !w.Drop() || w.upload == "" {
		return nil
	}
	ctx, cancel := w.store.deadline(context.WithoutCancel(w.Ctx))
	defer cancel()
	err := translate(w.store.client.AbortMultipartUpload(ctx, w.store.cfg.Bucket, w.store.key(w.Name), w.upload))
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("abort upload: %w", err)
	}
	return nil
}

// sum is signed with the request, and checked by the service. The SDK's own sums
// in chunks (what DisableContentSha256 turns off) cannot send an empty blob.
func sum(p []byte) string {
	hash := sha256.Sum256(p)
	return hex.EncodeToString(hash[:])
}
