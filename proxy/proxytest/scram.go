package proxytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol's own method
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// scramClient is SCRAM-SHA-256 without channel binding, written apart from the
// door's own so that the two check each other.
type scramClient struct {
	first, password string
	verify          []byte // the server's signature to come
}

// answer returns the PasswordMessage body an Authentication message asks for;
// nil: none.
func (c *Client) answer(s **scramClient, body []byte, user, password string) ([]byte, error) {
	if len(body) < 4 {
		return nil, errors.New("short Authentication message")
	}
	code, data := binary.BigEndian.Uint32(body), body[4:]
	switch code {
	case pgwire.AuthOK:
		return nil, nil
	case pgwire.AuthCleartextPassword:
		return append([]byte(password), 0), nil
	case pgwire.AuthMD5Password:
		return append([]byte("md5"+md5Hex(md5Hex(password+user)+string(data[:4]))), 0), nil
	case pgwire.AuthSASL:
		if !bytes.Contains(data, []byte("SCRAM-SHA-256\x00")) {
			return nil, fmt.Errorf("no known mechanism in %q", data)
		}
		*s = &scramClient{password: password}
		return (*s).begin(), nil
	case pgwire.AuthSASLContinue:
		return (*s).respond(string(data))
	case pgwire.AuthSASLFinal:
		return nil, (*s).finish(string(data))
	}
	return nil, fmt.Errorf("authentication request %d is not known here", code)
}

func (s *scramClient) begin() []byte {
	nonce := make([]byte, 18)
	_, _ = rand.Read(nonce)
	s.first = "n=,r=" + base64.StdEncoding.EncodeToString(nonce)
	msg := "n,," + s.first
	out := append([]byte("SCRAM-SHA-256"), 0)
	return append(binary.BigEndian.AppendUint32(out, uint32(len(msg))), msg...)
}

func (s *scramClient) respond(server string) ([]byte, error) {
	f := fields(server)
	salt, err := base64.StdEncoding.DecodeString(f["s"])
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	rounds, err := strconv.Atoi(f["i"])
	if err != nil {
		return nil, fmt.Errorf("rounds: %w", err)
	}
	if !strings.HasPrefix(f["r"], s.first[len("n=,r="):]) {
		return nil, errors.New("the server's nonce does not begin with ours")
	}
	salted, err := pbkdf2.Key(sha256.New, s.password, salt, rounds, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("salt password: %w", err)
	}
	final := "c=biws,r=" + f["r"]
	auth := s.first + "," + server + "," + final
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := mac(stored[:], auth)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	s.verify = mac(mac(salted, "Server Key"), auth)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

func (s *scramClient) finish(server string) error {
	got, err := base64.StdEncoding.DecodeString(fields(server)["v"])
	if err != nil || !hmac.Equal(got, s.verify) {
		return fmt.Errorf("the server does not know the password: %q", server)
	}
	return nil
}

func fields(msg string) map[string]string {
	out := map[string]string{}
	for f := range strings.SplitSeq(msg, ",") {
		k, v, _ := strings.Cut(f, "=")
		out[k] = v
	}
	return out
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // the protocol's own method
	return hex.EncodeToString(sum[:])
}
