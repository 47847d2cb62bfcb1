package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// stateDir is the folder that outlives the server:
//
//	audit/        segments of the record
//	console/      the console's socket
//	quotas.json   what was used of the quotas
//	salt.key      keeps the salts of unknown logins the same
//	lock          held while a server runs
type stateDir struct {
	path string
	lock *os.File
}

// openState makes the folder if needed and takes its lock: two servers with
// one record would spoil it.
func openState(path string) (*stateDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{path, filepath.Join(path, "audit"), filepath.Join(path, "console")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("state directory: %w (--state takes another)", err)
		}
	}
	// MkdirAll keeps the mode of a folder that was there.
	if err := os.Chmod(filepath.Join(path, "console"), 0o700); err != nil { //nolint:gosec // a folder
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w (--state takes another)", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("state directory %s: another server runs on it (--state takes another)", path)
	}
	return &stateDir{path: path, lock: lock}, nil
}

// close gives the lock back by name: closing the file alone does not while a
// process that was just forked still has a copy.
func (s *stateDir) close() {
	_ = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN)
	_ = s.lock.Close()
}

func (s *stateDir) audit() string   { return filepath.Join(s.path, "audit") }
func (s *stateDir) console() string { return filepath.Join(s.path, "console") }
func (s *stateDir) quotas() string  { return filepath.Join(s.path, "quotas.json") }

// salts returns the key of this state directory, made at its first use.
func (s *stateDir) salts() (pgauth.SaltKey, error) {
	path := filepath.Join(s.path, "salt.key")
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(seed) != 32 {
		seed = make([]byte, 32)
		_, _ = rand.Read(seed) // never fails
		err = writeAtomic(path, seed)
	}
	if err != nil {
		return pgauth.SaltKey{}, fmt.Errorf("salt key: %w", err)
	}
	return pgauth.NewSaltKey(seed), nil
}

// writeAtomic leaves the old content or the new one, never a part.
func writeAtomic(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
