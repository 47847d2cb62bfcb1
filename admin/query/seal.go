package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// errSealed says that a sealed text is cut.
var errSealed = errors.New("sealed text is cut")

// sealText seals a text of any length under the vault, for one purpose: pieces
// that the vault takes, each bound to its place and the number of all.
func sealText(v *secret.Vault, purpose string, plain []byte) ([]byte, error) {
	count := max(1, (len(plain)+secret.MaxPlain-1)/secret.MaxPlain)
	var out []byte
	for i := range count {
		part := plain[i*secret.MaxPlain : min(len(plain), (i+1)*secret.MaxPlain)]
		sealed, err := v.Seal(place(purpose, i, count), part)
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", purpose, err)
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(sealed)))
		out = append(out, sealed...)
	}
	return out, nil
}

// openText opens what sealText sealed.
func openText(v *secret.Vault, purpose string, sealed []byte) ([]byte, error) {
	parts, err := splitSealed(sealed)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i, part := range parts {
		plain, err := v.Open(place(purpose, i, len(parts)), part)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", purpose, err)
		}
		out = append(out, plain...)
	}
	return out, nil
}

func splitSealed(sealed []byte) ([][]byte, error) {
	var parts [][]byte
	for len(sealed) > 0 {
		if len(sealed) < 4 {
			return nil, errSealed
		}
		n := binary.BigEndian.Uint32(sealed)
		if int64(n) > int64(len(sealed)-4) {
			return nil, errSealed
		}
		parts, sealed = append(parts, sealed[4:4+n]), sealed[4+n:]
	}
	if len(parts) == 0 {
		return nil, errSealed
	}
	return parts, nil
}

func place(purpose string, i, count int) string {
	return purpose + "/" + strconv.Itoa(i) + "/" + strconv.Itoa(count)
}

// Purposes of what is sealed of a run.
func sqlPurpose(id string) string     { return "run-sql:" + id }
func paramsPurpose(id string) string  { return "run-params:" + id }
func outcomePurpose(id string) string { return "run-outcome:" + id }
func rowsPurpose(id string) string    { return "run-rows:" + id }
