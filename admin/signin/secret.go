package signin

import "github.com/lockkeeper/lockkeeper/admin/secret"

// Secret is a password, key or token that no formatter, logger or encoder
// writes out. The zero value is the empty secret.
type Secret = secret.Secret

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return secret.NewSecret(s) }
