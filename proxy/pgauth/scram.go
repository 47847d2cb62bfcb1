package pgauth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Names of RFC 7677 and RFC 5929.
const (
	mechScram     = "SCRAM-SHA-256"
	mechScramPlus = "SCRAM-SHA-256-PLUS"
	endPointName  = "tls-server-end-point"
)

// errMalformed stays inside: each side has its own words for it.
var errMalformed = errors.New("malformed SCRAM message")

// saltedPassword is the one costly step of SCRAM.
func saltedPassword(password string, salt []byte, iterations int) []byte {
	k, err := pbkdf2.Key(sha256.New, saslprep(password), salt, iterations, sha256.Size)
	if err != nil {
		panic(err) // the key length is constant, and sound
	}
	return k
}

func scramOf(salted, salt []byte, iterations int) scramKeys {
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return scramKeys{iterations: iterations, salt: salt, stored: stored[:], server: mac(salted, "Server Key")}
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// proves reports whether proof shows knowledge of the password behind k.
func (k *scramKeys) proves(proof []byte, authMessage string) bool {
	signature := mac(k.stored, authMessage)
	if len(proof) != len(signature) {
		return false
	}
	clientKey := make([]byte, len(proof))
	subtle.XORBytes(clientKey, proof, signature)
	sum := sha256.Sum256(clientKey)
	return subtle.ConstantTimeCompare(sum[:], k.stored) == 1
}

// clientFirst is client-first-message of RFC 5802.
type clientFirst struct {
	binding byte   // 'n', 'y' or 'p'
	name    string // of the channel binding, with 'p'
	header  string // gs2-header, the last comma included
	bare    string
	nonce   string
}

func parseClientFirst(msg []byte) (clientFirst, error) {
	var c clientFirst
	flag, rest, ok := strings.Cut(string(msg), ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 || authzid != "" { // acting as somebody else is not supported
		return c, errMalformed
	}
	switch name, isBinding := strings.CutPrefix(flag, "p="); {
	case isBinding && name != "":
		c.binding, c.name = 'p', name
	case flag == "n" || flag == "y":
		c.binding = flag[0]
	default:
		return c, errMalformed
	}
	c.header, c.bare = flag+",,", bare
	// The name is ignored, as Postgres does: the start-up packet's counts. An
	// extension that must be understood ("m=") would stand before it.
	fields := strings.Split(bare, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") {
		return c, errMalformed
	}
	c.nonce, ok = strings.CutPrefix(fields[1], "r=")
	if !ok || !printable(c.nonce) {
		return c, errMalformed
	}
	return c, nil
}

// clientFinal is client-final-message.
type clientFinal struct {
	binding      string // decoded
	nonce        string
	proof        []byte
	withoutProof string
}

func parseClientFinal(msg []byte) (clientFinal, error) {
	var c clientFinal
	at := bytes.LastIndex(msg, []byte(",p="))
	if at < 0 {
		return c, errMalformed
	}
	c.withoutProof = string(msg[:at])
	fields := strings.Split(c.withoutProof, ",")
	if len(fields) < 2 {
		return c, errMalformed
	}
	b64, ok := strings.CutPrefix(fields[0], "c=")
	nonce, ok2 := strings.CutPrefix(fields[1], "r=")
	binding, err := base64.StdEncoding.DecodeString(b64)
	proof, err2 := base64.StdEncoding.DecodeString(string(msg[at+3:]))
	if !ok || !ok2 || err != nil || err2 != nil || len(proof) != sha256.Size {
		return c, errMalformed
	}
	c.binding, c.nonce, c.proof = string(binding), nonce, proof
	return c, nil
}

// serverFirst is server-first-message.
type serverFirst struct {
	nonce      string
	salt       []byte
	iterations int
}

func parseServerFirst(msg []byte) (serverFirst, error) {
	var s serverFirst
	fields := strings.Split(string(msg), ",")
	if len(fields) < 3 {
		return s, errMalformed
	}
	nonce, ok := strings.CutPrefix(fields[0], "r=")
	b64, ok2 := strings.CutPrefix(fields[1], "s=")
	count, ok3 := strings.CutPrefix(fields[2], "i=")
	salt, err := base64.StdEncoding.DecodeString(b64)
	n, err2 := strconv.Atoi(count)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil || !printable(nonce) || len(salt) == 0 || n < 1 || n > maxIterations {
		return s, errMalformed
	}
	return serverFirst{nonce, salt, n}, nil
}

func (s serverFirst) text() string {
	return "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString(s.salt) + ",i=" + strconv.Itoa(s.iterations)
}

func printable(nonce string) bool {
	for i := range len(nonce) {
		if c := nonce[i]; c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return nonce != ""
}
