package pgauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	s := NewSecret("open-sesame")
	login := Login{User: "svc", Password: s}
	hidden := struct{ inner Login }{login} // fmt reads these without asking
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08b"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", s, login, hidden)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "login", login, "hidden", hidden)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "login", login, "hidden", hidden)
	b, err := json.Marshal(map[string]any{"a": s, "b": login, "c": map[string]Secret{"k": s}})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	for _, leak := range []string{"open-sesame", fmt.Sprintf("%x", "open-sesame"), fmt.Sprintf("%X", "open-sesame")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Errorf("%q is not in:\n%s", redacted, out.String())
	}
	if s.Reveal() != "open-sesame" || !s.Equal(NewSecret("open-sesame")) || s.Equal(Secret{}) {
		t.Error("the secret is not what it was made of")
	}
	if !NewSecret("").IsZero() || !NewSecret("").Equal(Secret{}) {
		t.Error("the empty secret is not zero")
	}
}
