package query

import (
	lru "container/list"
	"crypto/sha256"
	"strconv"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
)

// view is what was found out about a sorted or filtered result, so that its next
// page need not find it out again. Results never change, so it stays true.
type view struct {
	order    *transform.Order    // of a sorted one, with or without a filter
	filtered *transform.Filtered // of one that is filtered only
	matches  *int64              // of the filter; nil: there is none
}

// on returns the view of the result, opened again.
func (v *view) on(src result.Source) result.Source {
	switch {
	case v == nil:
		return src
	case v.order != nil:
		return v.order.Of(src)
	default:
		return v.filtered.Of(src)
	}
}

// views keeps the newest views within a bound in bytes. It knows nothing of
// rights: whoever asks it has decided them.
type views struct {
	most int64 // bytes

	mu    sync.Mutex // guards what follows
	used  int64
	byKey map[viewKey]*lru.Element
	order *lru.List // of *keptView, the one used last in front
}

type viewKey struct {
	run  string
	what [sha256.Size]byte // statement, sort and filter
}

type keptView struct {
	key  viewKey
	view *view
	size int64
}

// viewCost is what a kept view takes beside its places, in bytes.
const viewCost = 1 << 10

func newViews(most int64) *views {
	return &views{most: most, byKey: map[viewKey]*lru.Element{}, order: lru.New()}
}

func viewKeyOf(run string, req RowsRequest) viewKey {
	return viewKey{run, sha256.Sum256([]byte(strings.Join([]string{strconv.Itoa(req.Statement), req.Sort, req.Filter}, "\x00")))}
}

func (c *views) get(key viewKey) *view {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, found := c.byKey[key]
	if !found {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*keptView).view //nolint:forcetypeassert // nothing else is in the list
}

func (c *views) keep(key viewKey, v *view) {
	size := int64(viewCost + len(key.run))
	if v.order != nil {
		size += v.order.Size()
	}
	if v.filtered != nil {
		size += v.filtered.Size()
	}
	if size > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if had, found := c.byKey[key]; found {
		c.dropLocked(had)
	}
	c.byKey[key] = c.order.PushFront(&keptView{key, v, size})
	for c.used += size; c.used > c.most; {
		c.dropLocked(c.order.Back())
	}
}

// forget drops the views of a run whose rows are gone.
func (c *views) forget(run string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.byKey {
		if key.run == run {
			c.dropLocked(e)
		}
	}
}

func (c *views) dropLocked(e *lru.Element) {
	k := c.order.Remove(e).(*keptView) //nolint:forcetypeassert // nothing else is in the list
	delete(c.byKey, k.key)
	c.used -= k.size
}
