package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestOneUse(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	token, link := NewOneUse(now, time.Hour)
	other, _ := NewOneUse(now, time.Hour)
	if token.Equal(other) || len(token.Reveal()) != len("lk_once_")+43 || strings.Contains(link.Hash, token.Reveal()) {
		t.Errorf("tokens %q and %q", token.Reveal(), other.Reveal())
	}
	if h, err := HashOneUse(token.Reveal()); err != nil || h != link.Hash || len(h) != 64 {
		t.Errorf("hash %q, %v", h, err)
	}
	for name, test := range map[string]struct {
		after time.Duration
		token string
		want  Kind
	}{
		"at once":       {0, token.Reveal(), ""},
		"just in time":  {time.Hour - 1, token.Reveal(), ""},
		"too late":      {time.Hour, token.Reveal(), KindLink},
		"another":       {0, other.Reveal(), KindLink},
		"empty":         {0, "", KindLink},
		"the hash":      {0, link.Hash, KindLink},
		"no prefix":     {0, token.Reveal()[len("lk_once_"):], KindLink},
		"one more byte": {0, token.Reveal() + "A", KindLink},
		"not base64":    {0, "lk_once_" + strings.Repeat("!", 43), KindLink},
	} {
		if got := kindOf(t, link.Check(now.Add(test.after), test.token)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := NewSecret("hush")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "in", struct{ S Secret }{s})
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, struct{ s Secret }{s}) + log.String() + string(must(json.Marshal(map[string]any{"s": s})))
	if strings.Contains(printed, "hush") || strings.Contains(printed, "68757368") {
		t.Error(printed)
	}
	if s.Reveal() != "hush" || s.IsZero() || !NewSecret("").IsZero() || !s.Equal(NewSecret("hush")) || s.Equal(Secret{}) {
		t.Error("the secret is not itself")
	}
}

// Each kind has words of its own for strangers, and none is the log's.
func TestTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]Kind{}
	for _, k := range []Kind{
		KindRestart, KindDenied, KindToken, KindGroup, KindClaims, KindRevoked, KindUnavailable, KindHeader, KindPassword, KindBusy, KindLink, "other",
	} {
		e, _ := errors.AsType[*Error](refuse(k, "inner %w", errors.ErrUnsupported))
		if twin, found := seen[e.Text()]; found || strings.Contains(e.Text(), "inner") || !strings.Contains(e.Error(), "inner") || !errors.Is(e, errors.ErrUnsupported) {
			t.Errorf("%s: %q (like %q), %q", k, e.Text(), twin, e.Error())
		}
		seen[e.Text()] = k
	}
}
