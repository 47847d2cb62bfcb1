package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

const (
	loginLife = 10 * time.Minute // from Begin to Finish
	maxCookie = 4096             // bytes; browsers keep no more
	maxUsed   = 1 << 16          // logins remembered as used
)

// pending is a login under way. It lives in the browser, sealed.
type pending struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	ReturnTo string    `json:"r"`
	Begun    time.Time `json:"t"`
}

// sealer keeps what is written into the browser unread and unchanged.
type sealer struct{ aead cipher.AEAD }

// newSealer derives its key, so that the same secret may serve elsewhere too.
func newSealer(key Secret, label string) (sealer, error) {
	sum := sha256.Sum256([]byte("lockkeeper signin cookie\x00" + label + "\x00" + key.Reveal()))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead: aead}, err
}

func (s sealer) seal(p pending) (string, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return b64(s.aead.Seal(nil, nil, plain, nil)), nil //nolint:gosec // G407: this AEAD takes a random nonce itself
}

func (s sealer) open(cookie string) (pending, error) {
	if len(cookie) > maxCookie {
		return pending{}, errors.New("cookie too long")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil {
		return pending{}, errors.New("not our cookie")
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return pending{}, errors.New("not our cookie")
	}
	var p pending
	if err := json.Unmarshal(plain, &p); err != nil {
		return pending{}, errors.New("not our cookie")
	}
	return p, nil
}

// used remembers which logins were finished, as long as their cookies live. If
// there are too many, it forgets the oldest and accepts nothing that is as old
// any more: full means strict.
type used struct {
	mu    sync.Mutex // guards all below
	seen  map[string]bool
	order []pending
	floor time.Time // logins begun until then count as used
}

// take marks a login as used; false: it was already.
func (u *used) take(p pending, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen[p.State] || !p.Begun.After(u.floor) {
		return false
	}
	for len(u.order) > 0 && (len(u.order) >= maxUsed || now.Sub(u.order[0].Begun) > loginLife) {
		delete(u.seen, u.order[0].State)
		u.floor = later(u.floor, u.order[0].Begun)
		u.order = u.order[1:]
	}
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	u.seen[p.State] = true
	u.order = append(u.order, pending{State: p.State, Begun: p.Begun})
	return true
}
