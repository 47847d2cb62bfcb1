package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// object is one version of a blob; nothing is open between reads.
type object struct {
	ctx   context.Context // of Open, by the contract of the port
	store *Store
	name  string
	size  int64
	etag  string
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if err := context.Cause(o.ctx); err != nil {
		return 0, err
	}
	switch {
	case off < 0:
		return 0, errors.New("read blob: before its beginning")
	case off >= o.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := o.read(p[:min(int64(len(p)), o.size-off)], off)
	if err != nil {
		return n, fmt.Errorf("read blob %s: %w", o.name, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read fills p, which lies within the blob.
func (o *object) read(p []byte, off int64) (int, error) {
	opts := minio.GetObjectOptions{}
	if err := errors.Join(opts.SetRange(off, off+int64(len(p))-1), opts.SetMatchETag(o.etag)); err != nil {
		return 0, err
	}
	ctx, cancel := o.store.deadline(o.ctx)
	defer cancel()
	body, info, _, err := o.store.client.GetObject(ctx, o.store.cfg.Bucket, o.store.key(o.name), opts)
	if err = translate(err); errors.Is(err, blob.ErrNotFound) {
		return 0, fmt.Errorf("%w: %w", blob.ErrGone, err)
	}
	if err != nil {
		return 0, err
	}
	defer body.Close()
	if info.ETag != o.etag { // not every service heeds If-Match
		return 0, blob.ErrGone
	}
	n, err := io.ReadFull(body, p)
	return n, translate(err)
}

func (o *object) Size() int64  { return o.size }
func (o *object) Close() error { return nil }
