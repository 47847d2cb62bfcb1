package query

import (
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// SealForTest seals the SQL of a run as it was before runs had text keys.
func SealForTest(v *secret.Vault, id, sql string) []byte {
	b, err := texts{vault: v, id: id}.seal(sqlText, []byte(sql))
	if err != nil {
		panic(err)
	}
	return b
}

// OpenForTest opens the SQL of a record.
func OpenForTest(v *secret.Vault, rec *Record) (string, error) {
	t, err := textsOf(v, rec)
	if err != nil {
		return "", err
	}
	b, err := t.open(sqlText, rec.SQL)
	return string(b), err
}

func vault(t testing.TB) *secret.Vault {
	t.Helper()
	v, err := secret.New(secret.Config{Path: filepath.Join(t.TempDir(), "key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
