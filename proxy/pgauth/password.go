package pgauth

import (
	"context"
	"crypto/subtle"
	"strconv"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// clear takes a clear password: a token, one that is checked here, or one for
// the warehouse to check.
func (a *Authenticator) clear(ctx context.Context, x *Exchange) (Secret, string, error) {
	if err := x.request(pgwire.AuthCleartextPassword, nil); err != nil {
		return Secret{}, "", err
	}
	text, err := x.clear()
	if err != nil {
		return Secret{}, "", err
	}
	secret := NewSecret(text)
	if err := ctx.Err(); err != nil {
		return Secret{}, "", err
	}
	if x.Token != nil {
		token, proven := x.Token(ctx, secret)
		switch {
		case token && proven:
			return Secret{}, mechanismToken, nil
		case token:
			return Secret{}, "", refused(x.Method, x.User, "the token is not valid here")
		}
	}
	if x.Method == Password && !a.right(x, text) {
		return Secret{}, "", refused(x.Method, x.User, reason(x.Account))
	}
	return secret, string(x.Method), nil
}

// right compares a password with all verifiers. A wrong one costs one key
// derivation at least, whether or not there is such a login.
func (a *Authenticator) right(x *Exchange, password string) bool {
	var verifiers []Verifier
	if x.Account != nil {
		verifiers = x.Account.Verifiers
	}
	ok := false
	made := map[string][]byte{} // salted passwords of this call, by salt and iterations
	for _, v := range verifiers {
		if v.scram == nil {
			ok = constantEqual(v.md5, md5Hex(password, x.User)) || ok
			continue
		}
		ok = a.opens(v.scram, password, made) || ok
	}
	if !ok && len(made) == 0 {
		a.derive(password, a.key.Salt(x.User), defaultIterations)
	}
	return ok
}

func (a *Authenticator) opens(k *scramKeys, password string, made map[string][]byte) bool {
	id := strconv.Itoa(k.iterations) + ":" + string(k.salt)
	salted := made[id]
	if salted == nil {
		var hit bool
		if salted, hit = a.cache.get(password, k.salt, k.iterations); !hit {
			salted = a.derive(password, k.salt, k.iterations)
		}
		made[id] = salted
	}
	of := scramOf(salted, k.salt, k.iterations)
	if subtle.ConstantTimeCompare(of.stored, k.stored) != 1 {
		return false
	}
	a.cache.put(password, k.salt, k.iterations, salted)
	return true
}
