package blob

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound says that no blob has this name.
	ErrNotFound = errors.New("no such blob")
	// ErrGone says that an open blob was deleted or replaced and its bytes are
	// no longer kept.
	ErrGone = errors.New("blob was deleted or replaced while it was read")
	// ErrFull says that there is no room: on the disk or within the bound.
	ErrFull = errors.New("no room for more blobs")
	// ErrName says that a name or a prefix is none.
	ErrName = errors.New("not a blob name")
	// ErrDone says that a writer was committed or aborted before.
	ErrDone = errors.New("blob writer is done")
)

// MaxList is how many blobs List returns at most.
const MaxList = 1000

// Store is where blobs are kept. It is safe for concurrent use.
type Store interface {
	// Create begins a blob. Nothing of it is seen before Commit. When ctx ends,
	// so does the writer: Write and Commit fail, and Abort is still due.
	Create(ctx context.Context, name string) (Writer, error)

	// Open opens a blob for reading in any order, or returns ErrNotFound. When
	// ctx ends, reads fail.
	Open(ctx context.Context, name string) (Object, error)

	// Delete removes a blob. That there is none is no error.
	Delete(ctx context.Context, name string) error

	// List returns the blobs whose names begin with prefix and come after the
	// name after, in the order of their bytes, at most limit (and MaxList).
	// A limit below one is MaxList.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)

	// Usage returns the bytes of all committed blobs.
	Usage(ctx context.Context) (bytes int64, err error)
}

// Writer is a blob that is being written, by one goroutine. It ends with Commit
// or Abort; `defer w.Abort()` after Create covers every way out.
type Writer interface {
	io.Writer

	// Commit makes the blob appear, in the place of one of the same name. After
	// an error the blob is not to be relied on: it has not appeared, or the
	// place could not say whether it would survive a crash.
	Commit() error

	// Abort removes what was written. After Commit it does nothing.
	Abort() error
}

// Object is an open blob. ReadAt may be called by many at a time.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64 // bytes
}

// Info describes a committed blob.
type Info struct {
	Name string
	Size int64     // bytes
	Time time.Time // when its writing ended
}
