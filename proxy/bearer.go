package proxy

import (
	"context"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// bearer lets a visitor in who sends a token of the office as the password: from
// then on it is a principal as those that the office itself brings, with the
// token's id in the record, and goes on under a login that was set for it. The
// token goes nowhere.
type bearer struct {
	v   *visitor
	err error // the token could not be looked up
}

// check returns what pgauth asks; nil: there are no tokens. One that comes in
// clear is known as such and refused.
func (b *bearer) check() func(context.Context, pgauth.Secret) (token, proven bool) {
	v := b.v
	if v.srv.cfg.Tokens == nil {
		return nil
	}
	return func(ctx context.Context, text pgauth.Secret) (token, proven bool) {
		p, token, err := v.srv.cfg.Tokens.Bearer(ctx, Credential{Login: v.user, Database: v.database, Addr: v.addr.Addr(), Text: text})
		switch {
		case err != nil:
			b.err = err
			return true, false
		case p == nil || v.tls == nil:
			return token, false
		}
		v.principal = p
		return true, true
	}
}
