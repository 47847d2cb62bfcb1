package pgauth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// What is read says again what was said: nothing of the message is lost that
// the proof is made over.
func FuzzClientFirst(f *testing.F) {
	for _, s := range []string{rfcFirst, "y,,n=,r=abc", "p=tls-server-end-point,,n=,r=abc,x=y", "n,a=x,n=,r=a", ",,", "p=,,n=,r=x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		c, err := parseClientFirst(msg)
		if err != nil {
			return
		}
		if c.header+c.bare != string(msg) {
			t.Errorf("%q became %q", msg, c.header+c.bare)
		}
		if c.nonce == "" || strings.ContainsAny(c.nonce, ", \x00") || !strings.Contains(c.bare, "r="+c.nonce) {
			t.Errorf("nonce %q of %q", c.nonce, msg)
		}
		if (c.binding == 'p') != (c.name != "") {
			t.Errorf("binding %q by name %q", c.binding, c.name)
		}
	})
}

func FuzzClientFinal(f *testing.F) {
	for _, s := range []string{rfcFinal, "c=biws,r=a,p=", ",p=,p=", "c=biws,r=a,x=y,p=" + strings.Repeat("A", 43) + "="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		c, err := parseClientFinal(msg)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(msg, []byte(c.withoutProof+",p=")) || len(c.proof) != 32 {
			t.Errorf("%q became %q and %d bytes of proof", msg, c.withoutProof, len(c.proof))
		}
	})
}

func FuzzServerFirst(f *testing.F) {
	for _, s := range []string{rfcServerFirst, "r=a,s=AA==,i=1", "r=,s=,i=", "r=a,s=AA==,i=-1", "r=a,s=AA==,i=99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		s, err := parseServerFirst(msg)
		if err != nil {
			return
		}
		again, err := parseServerFirst([]byte(s.text()))
		if err != nil || again.text() != s.text() || s.iterations < 1 || s.iterations > maxIterations || len(s.salt) == 0 {
			t.Errorf("%q became %q", msg, s.text())
		}
	})
}

func FuzzSASLInitial(f *testing.F) {
	f.Add(AppendSASLInitial(nil, mechScram, []byte("n,,n=,r=abc"))[5:])
	f.Add([]byte("SCRAM-SHA-256\x00\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		mechanism, data, ok := saslInitial(body)
		if !ok {
			return
		}
		if data == nil {
			if !bytes.Equal(body, append([]byte(mechanism), 0, 0xff, 0xff, 0xff, 0xff)) {
				t.Errorf("no data in %q", body)
			}
			return
		}
		if again := AppendSASLInitial(nil, mechanism, data)[5:]; !bytes.Equal(again, body) {
			t.Errorf("%q became %q", body, again)
		}
	})
}

func FuzzVerifier(f *testing.F) {
	f.Add("SCRAM-SHA-256$4096:" + base64.StdEncoding.EncodeToString(make([]byte, 16)) + "$" +
		base64.StdEncoding.EncodeToString(make([]byte, 32)) + ":" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Add("SCRAM-SHA-256$1:AA==$:")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseScram(text)
		if err != nil {
			return
		}
		again, err := parseScram(k.text())
		if err != nil || again.text() != k.text() {
			t.Errorf("%q became %q", text, k.text())
		}
	})
}
