package query

import (
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// SealForTest seals the SQL of a run.
func SealForTest(v *secret.Vault, id, sql string) []byte {
	b, err := sealText(v, sqlPurpose(id), []byte(sql))
	if err != nil {
		panic(err)
	}
	return b
}

func vault(t testing.TB) *secret.Vault {
	t.Helper()
	v, err := secret.New(secret.Config{Path: filepath.Join(t.TempDir(), "key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
