package dir

import (
	"context"
	"os"
)

// object is an open file. Its size is that of the moment it was opened, and
// stays it: a committed file is never written to again.
type object struct {
	ctx  context.Context // of Open, by the contract of the port
	file *os.File
	size int64
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if err := context.Cause(o.ctx); err != nil {
		return 0, err
	}
	return o.file.ReadAt(p, off)
}

func (o *object) Size() int64  { return o.size }
func (o *object) Close() error { return o.file.Close() }
