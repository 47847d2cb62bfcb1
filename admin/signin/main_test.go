package signin

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kindOf is the kind of an error, "" if there is none.
func kindOf(t *testing.T, err error) Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := err.(*Error) //nolint:errorlint // the contract: refusals come unwrapped
	if !ok {
		t.Fatalf("error of another type: %v", err)
	}
	if e.Text() == "" || e.Error() == "" {
		t.Errorf("%s has no text", e.Kind)
	}
	return e.Kind
}
