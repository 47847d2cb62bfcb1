package sqlparse

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
)

// secretWords stand before a credential in the statements that can hold one.
var secretWords = map[string]bool{
	"password": true, "credentials": true, "iam_role": true, "access_key_id": true, "secret_access_key": true, "session_token": true,
	"master_symmetric_key": true, "secret_arn": true, "mapping": true, "connection": true, "parameters": true, "externalid": true,
}

// secretHeads begin the statements in which secretWords mean it.
var secretHeads = map[string]bool{
	"create": true, "alter": true, "copy": true, "unload": true, "set": true,
}

// secretName reports whether the name of a setting says that its value is a secret.
func secretName(setting string) bool {
	s := strings.ToLower(setting)
	for _, part := range [...]string{"password", "passwd", "secret", "passphrase", "token", "credential", "api_key", "apikey", "access_key", "conninfo"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// secret marks a statement that holds a credential by its words alone, whatever
// else is known of it. It returns the index of the word before the credential, or
// -1. In text that no grammar could read the word alone is enough: somebody may
// have forgotten the quotes.
func (f *facts) secret(ts *tokens, unread bool) int {
	if !secretHeads[ts.at(0).word] {
		return -1
	}
	if ts.is(0, "set") && secretSetting(ts) {
		f.feat(policy.FeatSecret)
		return 1
	}
	for i, t := range ts.list {
		if i == 0 || !secretWords[t.word] {
			continue
		}
		next := ts.at(i + 1)
		switch {
		case t.word == "mapping" && !ts.is(i-1, "user"):
		case unread, t.word == "mapping", next.Kind.Literal(), next.text == "=", next.word == "as", next.word == "default":
			f.feat(policy.FeatSecret)
			return i
		}
	}
	return -1
}

func secretSetting(ts *tokens) bool {
	for _, t := range ts.list[1:min(len(ts.list), 6)] {
		if t.word == "to" || t.text == "=" {
			break
		}
		if secretName(t.word) {
			return true
		}
	}
	return false
}
