package pgauth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The example of RFC 7677, section 3.
const (
	rfcFirst       = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	rfcServerFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcFinal       = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func TestServerRFC7677(t *testing.T) {
	t.Parallel()
	first, err := parseClientFirst([]byte(rfcFirst))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := parseServerFirst([]byte(rfcServerFirst))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rfcServerFirst, answer.text()); diff != "" {
		t.Errorf("server-first (-want +got):\n%s", diff)
	}
	final, err := parseClientFinal([]byte(rfcFinal))
	if err != nil {
		t.Fatal(err)
	}
	k := makeScram("pencil", answer.salt, answer.iterations)
	authMessage := first.bare + "," + rfcServerFirst + "," + final.withoutProof
	if !k.proves(final.proof, authMessage) {
		t.Error("the proof does not prove")
	}
	if got := "v=" + base64.StdEncoding.EncodeToString(mac(k.server, authMessage)); got != rfcServerFinal {
		t.Errorf("server-final %s, want %s", got, rfcServerFinal)
	}
	wrong := makeScram("pencils", answer.salt, answer.iterations)
	if wrong.proves(final.proof, authMessage) {
		t.Error("the proof proves another password")
	}
}

func TestClientRFC7677(t *testing.T) {
	t.Parallel()
	// Ours leaves the name empty, so the proof differs from the RFC's; the
	// server's signature is checked over the same text.
	c := &ScramClient{password: "pencil", mechanism: mechScram, header: "n,,", nonce: "rOprNGfwEbeRWgbNEkqO"}
	final, err := c.Final([]byte(rfcServerFirst))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(final), "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=") {
		t.Errorf("client-final %s", final)
	}
	c.authMessage = strings.Replace(c.authMessage, "n=,", "n=user,", 1)
	if err := c.Verify([]byte(rfcServerFinal)); err != nil {
		t.Errorf("verify: %v", err)
	}
	if err := c.Verify([]byte("v=" + strings.Repeat("A", 43) + "=")); !errors.Is(err, ErrServer) {
		t.Errorf("verify a false signature: %v, want ErrServer", err)
	}
}

func TestClientDistrustsServer(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string]string{
		"another nonce":      "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"nothing added":      "r=mine,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"no salt":            "r=minemore,s=,i=4096",
		"no iterations":      "r=minemore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
		"endless iterations": "r=minemore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000000000",
		"extension":          "m=x,r=minemore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"error":              "e=other-error",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &ScramClient{password: "x", header: "n,,", nonce: "mine"}
			if _, err := c.Final([]byte(msg)); !errors.Is(err, ErrScram) {
				t.Errorf("error %v, want ErrScram", err)
			}
		})
	}
	if err := (&ScramClient{}).Verify([]byte(rfcServerFinal)); !errors.Is(err, ErrScram) {
		t.Errorf("final before anything: %v, want ErrScram", err)
	}
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	key := NewSaltKey([]byte("seed"))
	text, err := NewVerifier(NewSecret("open-sesame"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := ParseVerifier("ann", text, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.scram.text(); got != text {
		t.Errorf("written again: %s, want %s", got, text)
	}
	other, _ := NewVerifier(NewSecret("open-sesame"))
	if other == text {
		t.Error("two verifiers have one salt")
	}
	for _, c := range []struct{ text, kind string }{
		{text, "scram-sha-256"},
		{"md5d41d8cd98f00b204e9800998ecf8427e", "md5"},
		{"MD5d41d8cd98f00b204e9800998ecf8427e", "password"},
		{"md5", "password"},
		{"md5zzzd8cd98f00b204e9800998ecf8427e", "password"},
		{"plain", "password"},
	} {
		v, err := ParseVerifier("ann", c.text, key)
		if err != nil || v.Kind() != c.kind {
			t.Errorf("%s: kind %s, error %v, want %s", c.text, v.Kind(), err, c.kind)
		}
		if strings.Contains(v.String(), c.text) {
			t.Errorf("%s shows its text", v.Kind())
		}
		if got, want := IsVerifier(c.text), c.kind != "password"; got != want {
			t.Errorf("IsVerifier(%s) = %v, want %v", c.text, got, want)
		}
	}
	for _, bad := range []string{
		"", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:AA==$AA==:AA==", "SCRAM-SHA-256$4096:$AA==:AA==",
		"SCRAM-SHA-256$4096:AA==$AA==:AA==", strings.Replace(text, "4096", "99999999", 1), text + "x",
	} {
		if _, err := ParseVerifier("ann", bad, key); !errors.Is(err, ErrVerifier) {
			t.Errorf("%q: error %v, want ErrVerifier", bad, err)
		}
	}
}

// What is prepared and what is taken as it is; the warehouse's own answer to
// such passwords is tested in package backend.
func TestSASLprep(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"I\u00adX":          "IX",                // soft hyphen goes
		"user":              "user",              // as it is
		"\u00aa":            "a",                 // NFKC
		"\u2168":            "IX",                // NFKC
		"\x07":              "\x07",              // ASCII is never looked at
		"\u0627\u0031":      "\u0627\u0031",      // bad bidi: as it is
		"a\u00a0b":          "a b",               // other space
		"e\u0301":           "\u00e9",            // composed
		"\u0627e\u0301":     "\u0627e\u0301",     // mixed directions: as it is
		"\u0627\u0628":      "\u0627\u0628",      // right to left alone
		"\u200b\u200d":      " ",                 // Postgres' order: space before nothing
		"\u200d":            "\u200d",            // nothing left: as it is
		"\U0001f600e\u0301": "\U0001f600e\u0301", // unassigned in Unicode 3.2
		"\xff\xfe":          "\xff\xfe",          // not UTF-8
		"\ue000e\u0301":     "\ue000e\u0301",     // private use
		"pa\u017f\ufb01":    "pasfi",             // long s, ligature
	} {
		if got := saslprep(in); got != want {
			t.Errorf("saslprep(%q) = %q, want %q", in, got, want)
		}
	}
}
