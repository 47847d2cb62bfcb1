package secret_test

import (
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/secret/secrettest"
)

// place is a key file.
type place string

func (p place) Open() (secrettest.Vault, error) {
	return secret.New(secret.Config{Path: string(p), Create: true})
}

func (p place) Rotate() error {
	_, err := secret.Rotate(string(p))
	return err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, func(t *testing.T) secrettest.Place {
		t.Helper()
		return place(filepath.Join(t.TempDir(), "state", "secret.key"))
	})
}
