package pgauth

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

const nonceSize = 18 // bytes before base64, as Postgres'

// scramServer is the server side of one SCRAM exchange.
type scramServer struct {
	x       *Exchange
	method  Method // for the words of a refusal
	offered []string
	keys    []*scramKeys // all of one salt; none of them if doomed
	doomed  bool         // whatever the client proves, it fails
	binding []byte
}

// scram runs the exchange and returns the mechanism used.
func (a *Authenticator) scram(ctx context.Context, x *Exchange) (string, error) {
	s := &scramServer{x: x, method: x.Method}
	if x.TLS != nil {
		s.binding = endPointDER(x.ServerCert)
	}
	s.offered = []string{mechScram}
	switch {
	case s.binding != nil:
		s.offered = []string{mechScramPlus, mechScram}
	case x.Method == ScramPlus:
		return "", &Error{StateInvalidAuthorization, "connection requires TLS with channel binding", ""}
	}
	s.keys = a.scramKeys(x)
	if s.doomed = len(s.keys) == 0; s.doomed {
		s.keys = []*scramKeys{a.mock(x.User)}
	}
	return s.run(ctx)
}

// scramKeys returns the account's keys that one salt can prove: the client
// learns one salt only. The first verifier decides which.
func (a *Authenticator) scramKeys(x *Exchange) []*scramKeys {
	if x.Account == nil {
		return nil
	}
	var keys []*scramKeys
	for _, v := range x.Account.Verifiers {
		if v.scram != nil && (keys == nil || v.scram.sameSalt(keys[0])) {
			keys = append(keys, v.scram)
		}
	}
	return keys
}

func (k *scramKeys) sameSalt(o *scramKeys) bool {
	return k.iterations == o.iterations && string(k.salt) == string(o.salt)
}

// mock returns keys that look like a login's and belong to no password.
func (a *Authenticator) mock(user string) *scramKeys {
	return &scramKeys{
		iterations: defaultIterations, salt: a.key.Salt(user),
		stored: a.key.derive("stored", user), server: a.key.derive("server", user),
	}
}

func (s *scramServer) run(ctx context.Context) (string, error) {
	if err := s.x.request(pgwire.AuthSASL, []byte(strings.Join(s.offered, "\x00")+"\x00\x00")); err != nil {
		return "", err
	}
	mechanism, msg, err := s.initial()
	if err != nil {
		return "", err
	}
	first, err := parseClientFirst(msg)
	if err != nil {
		return "", violation(errMalformed.Error())
	}
	if err := s.checkBinding(mechanism, first); err != nil {
		return "", err
	}
	answer := serverFirst{
		nonce: first.nonce + base64.StdEncoding.EncodeToString(randomBytes(nonceSize)),
		salt:  s.keys[0].salt, iterations: s.keys[0].iterations,
	}
	if err := s.x.request(pgwire.AuthSASLContinue, []byte(answer.text())); err != nil {
		return "", err
	}
	msg, err = s.x.response("SASL response")
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return mechanism, s.final(first, answer, msg)
}

// initial returns the mechanism the client chose and its first message, asking
// for that once more if it did not come along.
func (s *scramServer) initial() (mechanism string, msg []byte, err error) {
	body, err := s.x.response("SASL response")
	if err != nil {
		return "", nil, err
	}
	mechanism, msg, ok := saslInitial(body)
	if !ok {
		return "", nil, violation("malformed SASL response")
	}
	if !slices.Contains(s.offered, mechanism) {
		return "", nil, violation("client selected an invalid SASL authentication mechanism")
	}
	if msg != nil {
		return mechanism, msg, nil
	}
	if err := s.x.request(pgwire.AuthSASLContinue, nil); err != nil {
		return "", nil, err
	}
	msg, err = s.x.response("SASL response")
	return mechanism, msg, err
}

// checkBinding finds a client whose offer of channel binding, or ours, was
// taken away by somebody between.
func (s *scramServer) checkBinding(mechanism string, first clientFirst) error {
	plus := mechanism == mechScramPlus
	switch {
	case !plus && s.method == ScramPlus:
		// It was offered all the same: some clients want to see it, and the
		// others are told here what is missing.
		return &Error{StateInvalidAuthorization, "connection requires channel binding (SCRAM-SHA-256-PLUS)", ""}
	case plus != (first.binding == 'p'):
		return violation(errMalformed.Error())
	case plus && first.name != endPointName:
		return violation("unsupported SCRAM channel-binding type")
	case first.binding == 'y' && s.binding != nil:
		return &Error{StateInvalidAuthorization, "SCRAM channel binding negotiation error", "the offer of SCRAM-SHA-256-PLUS did not reach the client"}
	}
	return nil
}

func (s *scramServer) final(first clientFirst, answer serverFirst, msg []byte) error {
	last, err := parseClientFinal(msg)
	if err != nil {
		return violation(errMalformed.Error())
	}
	if last.nonce != answer.nonce {
		return violation("invalid SCRAM response")
	}
	want := first.header
	if first.binding == 'p' {
		want += string(s.binding)
	}
	if last.binding != want {
		return &Error{StateInvalidAuthorization, "SCRAM channel binding check failed", ""}
	}
	authMessage := first.bare + "," + answer.text() + "," + last.withoutProof
	var match *scramKeys
	for _, k := range s.keys { // all of them: the time tells nobody which
		if k.proves(last.proof, authMessage) {
			match = k
		}
	}
	if match == nil || s.doomed {
		return refused(s.method, s.x.User, s.why())
	}
	signature := base64.StdEncoding.EncodeToString(mac(match.server, authMessage))
	return s.x.request(pgwire.AuthSASLFinal, []byte("v="+signature))
}

func (s *scramServer) why() string {
	switch {
	case s.x.Account == nil:
		return "no such login"
	case s.doomed:
		return "the login has no verifier for this method"
	}
	return "wrong password"
}
