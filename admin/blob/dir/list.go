package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

var errStop = errors.New("enough")

// List walks the folder in the order of names.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]blob.Info, error) {
	if err := errors.Join(ctx.Err(), blob.CheckPrefix(prefix)); err != nil {
		return nil, err
	}
	if limit < 1 || limit > blob.MaxList {
		limit = blob.MaxList
	}
	var list []blob.Info
	err := s.walk("", prefix, after, func(i blob.Info) error {
		if list = append(list, i); len(list) == limit {
			return errStop
		}
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	return list, nil
}

// walk visits the blobs below folder, which is empty or ends in a slash. A
// folder counts with its slash, as it does in the names below: "a-b" comes
// before "a/b". Folders that hold nothing wanted are not read.
func (s *Store) walk(folder, prefix, after string, visit func(blob.Info) error) error {
	entries, err := fs.ReadDir(s.root.FS(), path.Clean("./"+folder))
	if missing(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	for _, e := range entries {
		name := folder + sortName(e)
		if e.IsDir() {
			if related(name, prefix) && (after < name || strings.HasPrefix(after, name)) {
				err = s.walk(name, prefix, after, visit)
			}
		} else if strings.HasPrefix(name, prefix) && name > after {
			err = visitFile(e, name, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sortName is an entry's part of a blob name; that of a folder ends in a slash.
func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return strings.TrimSuffix(e.Name(), mark)
}

// related tells whether a folder can hold names with the prefix.
func related(folder, prefix string) bool {
	return folder != tmpDir+"/" && (strings.HasPrefix(folder, prefix) || strings.HasPrefix(prefix, folder))
}

// visitFile passes by what is no blob of ours: somebody else put it there.
func visitFile(e fs.DirEntry, name string, visit func(blob.Info) error) error {
	if ours := e.Type().IsRegular() && strings.HasSuffix(e.Name(), mark) && blob.CheckName(name) == nil; !ours {
		return nil
	}
	info, err := e.Info()
	if err == nil {
		err = visit(blob.Info{Name: name, Size: info.Size(), Time: info.ModTime()})
	}
	if missing(err) { // deleted meanwhile
		err = nil
	}
	return err
}

// sweep removes unfinished blobs that nobody wrote to since old.
func (s *Store) sweep(old time.Time) error {
	entries, err := fs.ReadDir(s.root.FS(), tmpDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.ModTime().Before(old) {
			err = s.root.Remove(path.Join(tmpDir, e.Name()))
		}
		if err != nil && !missing(err) {
			return fmt.Errorf("sweep unfinished blobs: %w", err)
		}
	}
	return nil
}
