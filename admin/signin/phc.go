package signin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	maxPHC    = 512        // bytes
	maxMemory = 256 * 1024 // KiB
	maxPasses = 16
	maxLanes  = 16
)

// phc is a hash in the form $argon2id$v=19$m=…,t=…,p=…$salt$key.
type phc struct {
	memory, passes uint32 // KiB, rounds
	lanes          uint8
	salt, key      []byte
}

func (h phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		enc.EncodeToString(h.salt), enc.EncodeToString(h.key))
}

// parsePHC reads what String writes; a hash that would cost more than we are
// ready to pay is none.
func parsePHC(s string) (phc, error) {
	if len(s) > maxPHC {
		return phc{}, errors.New("too long")
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, fmt.Errorf("not of the form $argon2id$v=%d$…", argon2.Version)
	}
	var h phc
	if err := h.parseCosts(parts[3]); err != nil {
		return phc{}, err
	}
	var err error
	if h.salt, err = decode(parts[4], 8, 64); err != nil {
		return phc{}, fmt.Errorf("salt: %w", err)
	}
	if h.key, err = decode(parts[5], 16, 64); err != nil {
		return phc{}, fmt.Errorf("key: %w", err)
	}
	return h, nil
}

func (h *phc) parseCosts(s string) error {
	costs := strings.Split(s, ",")
	if len(costs) != 3 {
		return errors.New("not three costs")
	}
	var v [3]uint32
	for i, c := range []struct {
		name     string
		min, max uint64
	}{{"m=", 8, maxMemory}, {"t=", 1, maxPasses}, {"p=", 1, maxLanes}} {
		digits, found := strings.CutPrefix(costs[i], c.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !found || err != nil || strconv.FormatUint(n, 10) != digits || n < c.min || n > c.max {
			return fmt.Errorf("cost %q is not from %s%d to %d", costs[i], c.name, c.min, c.max)
		}
		v[i] = uint32(n)
	}
	h.memory, h.passes, h.lanes = v[0], v[1], uint8(v[2])
	if h.memory < 8*uint32(h.lanes) {
		return errors.New("less memory than eight blocks a lane")
	}
	return nil
}

func decode(s string, least, most int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64")
	}
	if len(b) < least || len(b) > most {
		return nil, fmt.Errorf("%d bytes, not from %d to %d", len(b), least, most)
	}
	return b, nil
}
