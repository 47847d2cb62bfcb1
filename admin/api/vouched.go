package api

import (
	"crypto/sha256"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// maxVouched bounds the memory; beyond it all is forgotten, and who comes next
// signs in anew without noticing.
const maxVouched = 1 << 14

// vouched remembers how a proxy described the person of a session, so that the
// session counts only as long as the proxy says the same: the same person, in
// the same groups.
type vouched struct {
	mu   sync.Mutex // guards said
	said map[string][sha256.Size]byte
}

// described is what a proxy said of somebody, in a size that is always the same.
func described(id *signin.Identity) [sha256.Size]byte {
	all := append([]string{id.Issuer, id.Subject, id.Login, id.Name, id.Email}, id.Groups...)
	return sha256.Sum256([]byte(strings.Join(all, "\x00")))
}

func (v *vouched) same(session string, said [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before, known := v.said[session]
	return known && before == said
}

func (v *vouched) keep(session string, said [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.said == nil || len(v.said) >= maxVouched {
		v.said = map[string][sha256.Size]byte{}
	}
	v.said[session] = said
}
