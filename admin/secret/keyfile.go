package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Bounds of a key file.
const (
	maxKeys     = 64
	maxFileSize = 16 << 10
)

const fileHead = `# Lockkeeper's keys, the newest first. Without this file nothing that is sealed
# in the store can be read again. Keep a copy, and keep it apart from backups.
`

// ErrKeyFile says that the key file cannot be used as it is.
var ErrKeyFile = errors.New("key file")

// Rotate puts a new key before those of a key file and returns its id. A
// running server takes it at its next start.
func Rotate(path string) (id string, err error) {
	unlock, err := lockFolder(path)
	if err != nil {
		return "", err
	}
	defer unlock()
	keys, err := read(path)
	if err != nil {
		return "", err
	}
	if len(keys) == maxKeys {
		return "", fmt.Errorf("%w %s holds %d keys, the most it can: rewrap and remove the oldest", ErrKeyFile, path, maxKeys)
	}
	key := NewKey()
	tmp, err := writeTemp(path, append([]Key{key}, keys...))
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp)
	if err := errors.Join(os.Rename(tmp, path), syncFolder(path)); err != nil {
		return "", fmt.Errorf("replace key file: %w", err)
	}
	sum := idOf(key)
	return hex.EncodeToString(sum[:]), nil
}

// create makes the file with one key unless it is there. Of two who try at
// once, one makes it and both use it: a link, unlike a rename, replaces nothing.
func create(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := writeTemp(path, []Key{NewKey()})
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(path)
}

// read checks who may read the file before it trusts what stands in it.
func read(path string) ([]Key, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s is not there: restore it from where you keep its copy: %w", ErrKeyFile, path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if err := checkOwner(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	keys, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrKeyFile, path, err)
	}
	return keys, nil
}

func checkOwner(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w %s is not a file", ErrKeyFile, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w %s is open to others (mode %04o): chmod 600 it, and rotate the key if anybody may have read it", ErrKeyFile, path, mode)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w %s belongs to user %d, not to the server's (%d)", ErrKeyFile, path, stat.Uid, os.Geteuid())
	}
	return nil
}

// parse reads lines of "lk1 <id> <key>". The id is made from the key, so that a
// line cut or mistyped is seen at the start and not when something does not open.
// An error never repeats what stands in a line.
func parse(data []byte) ([]Key, error) {
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("is longer than %d bytes", maxFileSize)
	}
	var keys []Key
	seen := map[[idSize]byte]bool{}
	for n, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		if seen[idOf(key)] {
			return nil, fmt.Errorf("line %d: a key twice", n+1)
		}
		seen[idOf(key)] = true
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("holds %d keys, not 1 to %d", len(keys), maxKeys)
	}
	return keys, nil
}

func parseLine(line string) (Key, error) {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "lk1" {
		return Key{}, errors.New("is not of the form: lk1 <id> <key>")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(words[2])
	if err != nil || len(raw) != KeySize {
		return Key{}, fmt.Errorf("the key is not %d bytes in base64", KeySize)
	}
	key, err := KeyFrom(raw)
	if err != nil {
		return Key{}, err
	}
	if id := idOf(key); words[1] != hex.EncodeToString(id[:]) {
		return Key{}, errors.New("the id is not that of the key: the line is damaged")
	}
	return key, nil
}

// idOf names a key without telling anything about it.
func idOf(key Key) [idSize]byte {
	sum := sha256.Sum256(append([]byte("lockkeeper key id\x00"), key.Bytes()...))
	return [idSize]byte(sum[:idSize])
}

func render(keys []Key) []byte {
	var b bytes.Buffer
	b.WriteString(fileHead)
	for _, key := range keys {
		id := idOf(key)
		fmt.Fprintf(&b, "lk1 %x %s\n", id, base64.RawURLEncoding.EncodeToString(key.Bytes()))
	}
	return b.Bytes()
}

// writeTemp writes a key file beside path, whole and forced to disk, and
// returns its name. CreateTemp gives it mode 0600.
func writeTemp(path string, keys []Key) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(render(keys))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return tmp.Name(), nil
}

// lockFolder keeps two rotations apart: the second would drop the first's key.
func lockFolder(path string) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of the key file: %w", err), folder.Close())
	}
	return func() {
		_ = syscall.Flock(int(folder.Fd()), syscall.LOCK_UN)
		_ = folder.Close()
	}, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
