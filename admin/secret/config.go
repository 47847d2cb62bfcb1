package secret

import "errors"

// Config sets up a Vault.
type Config struct {
	Path string // the key file

	// Create makes the file when it is not there. Say so only while nothing is
	// sealed yet: a new key in the place of a lost one opens nothing, and hides
	// the loss until somebody needs what it sealed.
	Create bool
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Path == "" {
		return errors.New("secret: no key file")
	}
	return nil
}
