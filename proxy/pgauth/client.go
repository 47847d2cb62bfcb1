package pgauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// Errors of a SCRAM exchange with a server. After one of them the server must
// not be trusted with anything.
var (
	ErrMechanism = errors.New("server offers no SASL mechanism that can be used")
	ErrServer    = errors.New("server does not know the password it asks for")
	ErrScram     = errors.New("server sent a malformed SCRAM message")
)

// ScramClient is the client side of one SCRAM-SHA-256 exchange.
type ScramClient struct {
	password  string
	cache     *KeyCache
	mechanism string
	header    string // gs2-header
	binding   []byte // channel binding data, with PLUS
	nonce     string

	authMessage string
	serverKey   []byte
}

// NewScramClient chooses among the mechanisms the server offers. endPoint is
// the channel binding of the server's certificate, nil without TLS; with it
// PLUS is used where offered. cache may be nil.
func NewScramClient(mechanisms []string, password Secret, endPoint []byte, cache *KeyCache) (*ScramClient, error) {
	c := &ScramClient{
		password: password.Reveal(), cache: cache,
		nonce: base64.StdEncoding.EncodeToString(randomBytes(nonceSize)),
	}
	switch {
	case endPoint != nil && slices.Contains(mechanisms, mechScramPlus):
		c.mechanism, c.header, c.binding = mechScramPlus, "p="+endPointName+",,", endPoint
	case !slices.Contains(mechanisms, mechScram):
		return nil, ErrMechanism
	case endPoint != nil:
		// We could, the server says it cannot: "y" lets it notice if somebody
		// between us took the offer away.
		c.mechanism, c.header = mechScram, "y,,"
	default:
		c.mechanism, c.header = mechScram, "n,,"
	}
	return c, nil
}

// Mechanism returns the mechanism chosen.
func (c *ScramClient) Mechanism() string { return c.mechanism }

// First returns client-first-message.
func (c *ScramClient) First() []byte { return []byte(c.header + c.bare()) }

// The name stays empty: the server takes it from the start-up packet.
func (c *ScramClient) bare() string { return "n=,r=" + c.nonce }

// Final answers server-first-message.
func (c *ScramClient) Final(msg []byte) ([]byte, error) {
	s, err := parseServerFirst(msg)
	if err != nil || !strings.HasPrefix(s.nonce, c.nonce) || len(s.nonce) == len(c.nonce) {
		return nil, ErrScram
	}
	salted, ok := c.cache.get(c.password, s.salt, s.iterations)
	if !ok {
		salted = saltedPassword(c.password, s.salt, s.iterations)
		c.cache.put(c.password, s.salt, s.iterations, salted)
	}
	channel := base64.StdEncoding.EncodeToString(append([]byte(c.header), c.binding...))
	withoutProof := "c=" + channel + ",r=" + s.nonce
	c.authMessage = c.bare() + "," + string(msg) + "," + withoutProof
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := mac(stored[:], c.authMessage)
	subtle.XORBytes(proof, proof, clientKey)
	c.serverKey = mac(salted, "Server Key")
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// Verify checks server-final-message: only who knows the verifier can have
// made it.
func (c *ScramClient) Verify(msg []byte) error {
	b64, ok := strings.CutPrefix(string(msg), "v=")
	if !ok || c.serverKey == nil {
		return ErrScram
	}
	b64, _, _ = strings.Cut(b64, ",")
	signature, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return ErrScram
	}
	if !hmac.Equal(signature, mac(c.serverKey, c.authMessage)) {
		return ErrServer
	}
	return nil
}

// MD5Response returns the answer to an md5 request with the given salt.
func MD5Response(user string, password Secret, salt []byte) string {
	return md5Prefix + md5Hex(md5Hex(password.Reveal(), user), string(salt))
}
