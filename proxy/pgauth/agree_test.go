package pgauth

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Our client and our server agree on any password, and on no other, with and
// without channel binding.
func TestClientAndServerAgree(t *testing.T) {
	t.Parallel()
	key := RandomSaltKey()
	cert := proxytest.Certs(t).Server.Certificate[0]
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	alphabet := []rune("aZ0 ,=\\\"'\u00e9e\u0301\u00a0\u200b\ufb01\u0627\U0001f600")
	for range 40 {
		text := make([]rune, 1+random.IntN(12))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		right, wrong := string(text), string(append(text, 'x'))
		for _, der := range [][]byte{nil, cert} {
			for _, stored := range []string{right, verifier(t, right)} {
				x := Exchange{Method: Scram, User: "ann", Account: account(t, "ann", key, stored), ServerCert: der}
				if der != nil {
					x.TLS = &tls.ConnectionState{}
				}
				if client, server := talk(t, New(key), x, right, endPointDER(der)); client != nil || server != nil {
					t.Fatalf("password %q: client %v, server %v", right, client, server)
				}
				if client, server := talk(t, New(key), x, wrong, endPointDER(der)); client == nil || server == nil {
					t.Fatalf("password %q for %q: client %v, server %v", wrong, right, client, server)
				}
			}
		}
	}
}

// A client that sees another certificate than the server showed has somebody
// in between, and neither side goes on.
func TestBindingToAnotherCertificate(t *testing.T) {
	t.Parallel()
	key := RandomSaltKey()
	x := Exchange{
		Method: Scram, User: "ann", Account: account(t, "ann", key, "right"),
		TLS: &tls.ConnectionState{}, ServerCert: proxytest.Certs(t).Server.Certificate[0],
	}
	client, server := talk(t, New(key), x, "right", endPointDER(proxytest.Certs(t).Server.Certificate[0]))
	refused, ok := errors.AsType[*Error](server)
	if client == nil || !ok || refused.Message != "SCRAM channel binding check failed" {
		t.Errorf("client %v, server %v", client, server)
	}
}

// talk has ScramClient log in at an Authenticator.
func talk(t *testing.T, a *Authenticator, x Exchange, password string, endPoint []byte) (client, server error) {
	t.Helper()
	near, far := net.Pipe()
	x.Reader, x.Writer = pgwire.NewReader(far, nil, nil), far
	done := make(chan error, 1)
	go func() { // ends with the pipe; joined below
		_, err := a.Authenticate(t.Context(), x)
		_ = far.Close()
		done <- err
	}()
	client = clientSide(near, password, endPoint)
	_ = near.Close()
	return client, <-done
}

func clientSide(conn net.Conn, password string, endPoint []byte) error {
	r := pgwire.NewReader(conn, nil, nil)
	_, data, err := request(r)
	if err != nil {
		return err
	}
	c, err := NewScramClient(Mechanisms(data), NewSecret(password), endPoint, nil)
	if err != nil {
		return err
	}
	if want := endPoint != nil; slices.Contains(Mechanisms(data), mechScramPlus) != want || (c.Mechanism() == mechScramPlus) != want {
		return errors.New("mechanism " + c.Mechanism())
	}
	if _, err := conn.Write(AppendSASLInitial(nil, c.Mechanism(), c.First())); err != nil {
		return err
	}
	if _, data, err = request(r); err != nil {
		return err
	}
	final, err := c.Final(data)
	if err != nil {
		return err
	}
	if _, err := conn.Write(pgwire.AppendFrame(nil, pgwire.MsgPassword, final)); err != nil {
		return err
	}
	if _, data, err = request(r); err != nil {
		return err
	}
	return c.Verify(data)
}

// request reads one Authentication request.
func request(r *pgwire.Reader) (code uint32, data []byte, err error) {
	_, size, err := r.Next()
	if err != nil {
		return 0, nil, err
	}
	frame, err := r.Frame(size, size)
	if err != nil {
		return 0, nil, err
	}
	defer r.Discard(size)
	return binary.BigEndian.Uint32(frame[5:]), bytes.Clone(frame[9:]), nil
}
