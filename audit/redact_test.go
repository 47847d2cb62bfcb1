package audit

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTruncate(t *testing.T) {
	t.Parallel()
	const s = "aé€😀"
	for limit := range len(s) + 2 {
		got, cut := Truncate(s, limit)
		if len(got) > limit || !strings.HasPrefix(s, got) || !utf8.ValidString(got) || cut != (limit < len(s)) {
			t.Errorf("Truncate(%d) = %q, %v", limit, got, cut)
		}
		if next, _ := utf8.DecodeRuneInString(s[len(got):]); cut && len(got)+utf8.RuneLen(next) <= limit {
			t.Errorf("Truncate(%d) = %q cuts more than it must", limit, got)
		}
	}
	if got, _ := Truncate(strings.Repeat("\x80", 100), 50); len(got) < 46 {
		t.Errorf("bytes that are no runes: %d left of 50", len(got))
	}
	if got, cut := Truncate("abc", -1); got != "" || !cut {
		t.Errorf("negative limit: %q, %v", got, cut)
	}
}

func TestHasher(t *testing.T) {
	t.Parallel()
	if _, err := NewHasher(make([]byte, 15)); err == nil {
		t.Error("a short key was taken")
	}
	key := bytes.Repeat([]byte{7}, 32)
	h, err := NewHasher(key)
	if err != nil {
		t.Fatal(err)
	}
	key[0]++ // the caller wipes its copy
	same, err := NewHasher(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	word := h.Hash("email", []byte("anna@example.org"))
	if strings.Contains(word, "anna") || word != same.Hash("email", []byte("anna@example.org")) {
		t.Errorf("word %q is not stable or not hidden", word)
	}
	for _, other := range []string{
		h.Hash("name", []byte("anna@example.org")), h.Hash("email", []byte("anna@example.com")), h.Hash("email\x00anna", []byte("@example.org")),
	} {
		if other == word {
			t.Errorf("two values share %q", word)
		}
	}
	if h.Hash("email", nil) != "null" || h.Hash("email", []byte{}) == "null" {
		t.Error("null and the empty value are not told apart")
	}
}
