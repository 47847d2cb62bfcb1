package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "c4n4ry-p4ssw0rd"

// Nothing that prints shows a secret, wherever it sits.
func TestNothingShows(t *testing.T) {
	t.Parallel()
	type hidden struct {
		secret Secret
		key    Key
	}
	s, k := NewSecret(canary), NewKey()
	values := []any{
		s, &s, k, &k,
		[]Secret{s},
		map[string]Secret{"a": s},
		map[Secret]int{s: 1},
		hidden{s, k},
		&hidden{s, k},
		[]hidden{{s, k}},
		[]any{hidden{s, k}},
		struct{ K Key }{k},
		fmt.Errorf("wrapped %v %s %q", s, s, k), //nolint:errorlint // no errors
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%5.2v"} {
			wantHidden(t, verb, fmt.Sprintf(verb, v), k)
		}
		wantHidden(t, "Sprint", fmt.Sprint(v), k)
		wantHidden(t, "Sprintln", fmt.Sprintln(v), k)
		var text, structured bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).InfoContext(t.Context(), "m", slog.Any("v", v))
		slog.New(slog.NewJSONHandler(&structured, nil)).InfoContext(t.Context(), "m", slog.Any("v", v))
		wantHidden(t, "slog text", text.String(), k)
		wantHidden(t, "slog JSON", structured.String(), k)
		if out, err := json.Marshal(v); err == nil {
			wantHidden(t, "JSON", string(out), k)
		}
	}
}

func wantHidden(t *testing.T, how, text string, k Key) {
	t.Helper()
	shown := []string{
		canary, hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		strings.Trim(fmt.Sprint(k.Bytes()[:6]), "[]"), hex.EncodeToString(k.Bytes()[:6]),
		base64.StdEncoding.EncodeToString(k.Bytes())[:8], strings.Trim(fmt.Sprintf("%#v", k.Bytes()[:6]), "[]byte{}"),
	}
	for _, s := range shown {
		if strings.Contains(text, s) {
			t.Errorf("%s shows it: %s", how, text)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := NewSecret(canary)
	if s.Reveal() != canary || s.IsZero() || !s.Equal(NewSecret(canary)) || s.Equal(NewSecret("other")) {
		t.Error("the secret is not what went in")
	}
	if zero := (Secret{}); zero.Reveal() != "" || !zero.IsZero() || !zero.Equal(NewSecret("")) || !NewSecret("").IsZero() {
		t.Error("the zero secret is not empty")
	}
	var in struct{ Password Secret }
	if err := json.Unmarshal([]byte(`{"Password":"`+canary+`"}`), &in); err != nil || in.Password.Reveal() != canary {
		t.Errorf("from JSON: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"Password":7}`), &in); err == nil {
		t.Error("a number was taken for a password")
	}
	if _, err := KeyFrom(make([]byte, 31)); err == nil {
		t.Error("31 bytes were taken for a key")
	}
	if (Key{}).Bytes() != nil || !(Key{}).IsZero() {
		t.Error("the zero key has bytes")
	}
}
