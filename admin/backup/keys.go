package backup

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// keysSeen finds which keys sealed what is in the rows. Bytes that are not
// sealed can look as if they were, but not with the id of a key there is.
type keysSeen struct {
	atHand []string
	seen   map[string]bool
}

func newKeysSeen(atHand []string) *keysSeen {
	return &keysSeen{atHand: atHand, seen: map[string]bool{}}
}

func (k *keysSeen) look(row []any) {
	for _, v := range row {
		b, ok := v.([]byte)
		if !ok {
			continue
		}
		if id, err := secret.KeyID(b); err == nil && slices.Contains(k.atHand, id) {
			k.seen[id] = true
		}
	}
}

// needed are the keys in the order of the key file.
func (k *keysSeen) needed() []string {
	ids := []string{}
	for _, id := range k.atHand {
		if k.seen[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// missing is nil when keys hold all that is needed.
func (k *keysSeen) missing(keys []string) error {
	ids := slices.DeleteFunc(k.needed(), func(id string) bool { return slices.Contains(keys, id) })
	if len(ids) == 0 {
		return nil
	}
	return &MissingKeysError{IDs: ids}
}
