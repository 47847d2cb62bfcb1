package pgauth

import (
	"context"
	"crypto/subtle"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// md5 asks for an md5 proof, or for SCRAM where the account's verifiers can
// only prove that, as Postgres does.
func (a *Authenticator) md5(ctx context.Context, x *Exchange) (string, error) {
	var hashes []string
	if x.Account != nil {
		for _, v := range x.Account.Verifiers {
			if v.md5 != "" {
				hashes = append(hashes, v.md5)
			}
		}
		if len(hashes) == 0 && len(x.Account.Verifiers) > 0 {
			return a.scram(ctx, x)
		}
	}
	salt := randomBytes(4)
	if err := x.request(pgwire.AuthMD5Password, salt); err != nil {
		return "", err
	}
	answer, err := x.clear()
	if err != nil {
		return "", err
	}
	doomed := len(hashes) == 0
	if doomed {
		hashes = []string{md5Hex("", x.User)}
	}
	ok := false
	for _, h := range hashes {
		ok = constantEqual(answer, md5Prefix+md5Hex(h, string(salt))) || ok
	}
	if !ok || doomed {
		return "", refused(x.Method, x.User, reason(x.Account))
	}
	return string(MD5), nil
}

func constantEqual(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
