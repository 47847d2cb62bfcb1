package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// fileTTL is for the Keeper's pace only: a lock has no expiry, and ends with its
// process.
const fileTTL = 15 * time.Second

// File is a lease on one machine: a lock on a file, and the last epoch in another
// beside it. The lock goes with the process that holds it, however that ends.
type File struct {
	path string // of the lock; the epoch's is path + ".epoch"

	lock  *os.File // nil: not held
	epoch uint64
}

var _ Lease = (*File)(nil)

// NewFile returns a contender for the lease at path. Its folder must exist and
// lie on a disk of this machine.
func NewFile(path string) (*File, error) {
	if path == "" {
		return nil, errors.New("lease: no file")
	}
	return &File{path: path}, nil
}

// Acquire locks the file and writes the next epoch.
func (f *File) Acquire(ctx context.Context) (Grant, error) {
	if err := context.Cause(ctx); err != nil {
		return Grant{}, err
	}
	if f.lock != nil && f.ours() {
		return Grant{}, ErrHeld
	}
	f.drop()
	if err := f.take(); err != nil {
		return Grant{}, err
	}
	epoch, err := f.nextEpoch()
	if err != nil {
		f.drop()
		return Grant{}, err
	}
	f.epoch = epoch
	return Grant{Epoch: epoch, TTL: fileTTL}, nil
}

func (f *File) take() error {
	lock, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open lease: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	f.lock = lock
	if err == nil && !f.ours() {
		err = syscall.EWOULDBLOCK // the file was replaced between the two calls
	}
	if err == nil {
		return nil
	}
	f.drop()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return fmt.Errorf("lock lease: %w", err)
}

// ours tells whether the file that we hold open is the one others would lock.
func (f *File) ours() bool {
	mine, err := f.lock.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(f.path)
	return err == nil && os.SameFile(mine, theirs)
}

// Renew looks whether the lock is still where others look for it.
func (f *File) Renew(ctx context.Context, epoch uint64) (Grant, error) {
	if err := context.Cause(ctx); err != nil {
		return Grant{}, err
	}
	if f.lock == nil || epoch != f.epoch || !f.ours() {
		return Grant{}, ErrLost
	}
	return Grant{Epoch: epoch, TTL: fileTTL}, nil
}

// Release gives the lock back. The files stay: the epoch must outlive everybody.
func (f *File) Release(_ context.Context, epoch uint64) error {
	if epoch == f.epoch {
		f.drop()
	}
	return nil
}

// drop unlocks by name: closing the file alone does not while a process that was
// just forked still has a copy.
func (f *File) drop() {
	if f.lock == nil {
		return
	}
	_ = syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN)
	_ = f.lock.Close()
	f.lock = nil
}

// nextEpoch is called under the lock.
func (f *File) nextEpoch() (uint64, error) {
	path := f.path + ".epoch"
	var epoch uint64
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return 0, fmt.Errorf("read epoch: %w", err)
	default:
		if epoch, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil || epoch+1 == 0 {
			return 0, fmt.Errorf("%s holds no epoch: write a number into it that is greater than any before", path)
		}
	}
	epoch++
	if err := replace(path, strconv.FormatUint(epoch, 10)+"\n"); err != nil {
		return 0, fmt.Errorf("write epoch: %w", err)
	}
	return epoch, nil
}

// replace leaves the old text or the new one on disk, never a part.
func replace(path, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.WriteString(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
