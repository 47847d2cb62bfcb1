package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// SealedKeySize is the length in bytes of a sealed key of a run.
const SealedKeySize = secret.Overhead + secret.KeySize

// errSealed says that a sealed text is cut.
var errSealed = errors.New("sealed text is cut")

// texts seals and opens what a run says: its SQL, parameters, outcome and title.
//
// Each run has a key of its own for them, sealed under the vault; a deletion
// destroys it, and with it every copy of the texts, wherever one lies: in a
// backup, in a page of the database that is not yet written over. Runs from
// before there was such a key were sealed under the vault itself. They open so
// until they are deleted, and copies of theirs for as long as the key file has
// the vault's key.
type texts struct {
	vault *secret.Vault
	id    string
	key   secret.Key // zero: the vault itself
}

// newTexts makes the text key of a run that begins, and seals it into its record.
func newTexts(v *secret.Vault, rec *Record) (texts, error) {
	t := texts{vault: v, id: rec.ID, key: secret.NewKey()}
	var err error
	if rec.TextKey, err = v.SealKey(textPurpose(rec.ID), t.key); err != nil {
		return texts{}, fmt.Errorf("seal the run's key: %w", err)
	}
	return t, nil
}

// textsOf opens the text key of a stored run.
func textsOf(v *secret.Vault, rec *Record) (texts, error) {
	t := texts{vault: v, id: rec.ID}
	if rec.TextKey == nil {
		return t, nil
	}
	var err error
	if t.key, err = v.OpenKey(textPurpose(rec.ID), rec.TextKey); err != nil {
		return texts{}, fmt.Errorf("open the key of a run: %w", err)
	}
	return t, nil
}

// What is sealed of a run's texts.
const (
	sqlText     = "sql"
	paramsText  = "params"
	outcomeText = "outcome"
	titleText   = "title"
)

// seal seals a text of any length: pieces, each bound to its place and to
// whether it is the last.
func (t texts) seal(what string, plain []byte) ([]byte, error) {
	pieces, err := t.pieces(what)
	if err != nil {
		return nil, err
	}
	count := max(1, (len(plain)+secret.MaxPlain-1)/secret.MaxPlain)
	var out []byte
	for i := range count {
		sealed, err := pieces.Seal(i, count, plain[i*secret.MaxPlain:min(len(plain), (i+1)*secret.MaxPlain)])
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", what, err)
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(sealed)))
		out = append(out, sealed...)
	}
	return out, nil
}

// open opens what seal sealed.
func (t texts) open(what string, sealed []byte) ([]byte, error) {
	pieces, err := t.pieces(what)
	if err != nil {
		return nil, err
	}
	parts, err := splitSealed(sealed)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i, part := range parts {
		plain, err := pieces.Open(i, len(parts), part)
		if err != nil {
			return nil, fmt.Errorf("open %s of %s: %w", what, t.id, err)
		}
		out = append(out, plain...)
	}
	return out, nil
}

// pieces is what seals and opens the pieces of one text.
type pieces interface {
	Seal(i, count int, plain []byte) ([]byte, error)
	Open(i, count int, sealed []byte) ([]byte, error)
}

func (t texts) pieces(what string) (pieces, error) {
	if t.key.IsZero() {
		return vaultPieces{t.vault, "run-" + what + ":" + t.id}, nil
	}
	chunks, err := secret.NewChunks(t.key, "text/"+what)
	if err != nil {
		return nil, fmt.Errorf("begin with %s: %w", what, err)
	}
	return keyPieces{chunks}, nil
}

// keyPieces are sealed under the run's own key.
type keyPieces struct{ chunks *secret.Chunks }

func (p keyPieces) Seal(i, count int, plain []byte) ([]byte, error) {
	return p.chunks.Seal(nil, uint64(i), i == count-1, plain)
}

func (p keyPieces) Open(i, count int, sealed []byte) ([]byte, error) {
	return p.chunks.Open(nil, uint64(i), i == count-1, sealed)
}

// vaultPieces are sealed under the vault: those of runs that have no key.
type vaultPieces struct {
	vault   *secret.Vault
	purpose string
}

func (p vaultPieces) Seal(i, count int, plain []byte) ([]byte, error) {
	return p.vault.Seal(place(p.purpose, i, count), plain)
}

func (p vaultPieces) Open(i, count int, sealed []byte) ([]byte, error) {
	return p.vault.Open(place(p.purpose, i, count), sealed)
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

// Purposes of the keys of a run.
func textPurpose(id string) string { return "run-text:" + id }
func rowsPurpose(id string) string { return "run-rows:" + id }
