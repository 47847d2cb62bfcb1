package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
)

// issuer is a cluster that vouches for its jobs, under a certificate of its own.
type issuer struct {
	t      *testing.T
	server *httptest.Server
	key    *ecdsa.PrivateKey
	ca     string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &issuer{t: t, key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": is.server.URL, "jwks_uri": is.server.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	is.server = httptest.NewTLSServer(mux)
	t.Cleanup(is.server.Close)
	is.ca = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: is.server.Certificate().Raw})
	if err := os.WriteFile(is.ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return is
}

// assertion is what it gives to a job, in a file as clusters do.
func (is *issuer) assertion(audience, namespace string) string {
	is.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: is.key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		is.t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": is.server.URL, "aud": []string{audience}, "sub": "system:serviceaccount:" + namespace + ":scorer", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": namespace},
	})
	if err != nil {
		is.t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		is.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		is.t.Fatal(err)
	}
	file := filepath.Join(is.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil { //nolint:gosec // as a cluster mounts it
		is.t.Fatal(err)
	}
	return file
}

// A job of a cluster runs a query without a secret of ours: by what the cluster
// says of it, with the token of a service, until that is revoked.
func TestOfficeWorkload(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	h := serveOffice(t)
	ann := h.welcome(t, "ann", "reader", "--admin")
	h.employ(t, "scorer", "ml", "reader")
	h.console("token", "add", "nightly", "--service", "scorer")
	own := regexp.MustCompile(`k_[0-9A-Z]{16}`).FindString(h.console("token", "list", "--service", "scorer"))
	h.stop()
	h.args = append(h.args, configFlags(t, fmt.Sprintf(`web:
  workloads:
    - issuer: %s
      ca: %s
      rules:
        - require: {kubernetes.io.namespace: ml, sub: "system:serviceaccount:ml:scorer"}
          token: %s
          lifetime: 10m
`, is.server.URL, is.ca, own))...)
	h.start()

	server := strings.TrimSuffix(h.web, "/api/v1")
	exchange := func(audience, namespace string) (string, int) {
		return command(t, "token", "exchange", "--server", server, "--assertion-file", is.assertion(audience, namespace))
	}
	token, code := exchange(server, "ml")
	if code != 0 || !strings.HasPrefix(token, "lk_svc_") {
		t.Fatalf("code %d: %s", code, token)
	}
	tokenFile := filepath.Join(t.TempDir(), "lent")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	query := func() (string, int) {
		return command(t, "query", "--server", server, "--token-file", tokenFile, "SELECT count(*) AS n FROM public.sales")
	}
	if out, code := query(); code != 0 || !strings.Contains(out, "1000") {
		t.Errorf("the job's query: code %d: %s", code, out)
	}
	if list := h.console("token", "list", "--service", "scorer"); !strings.Contains(list, "system:serviceaccount:ml:scorer") {
		t.Errorf("what is lent is not listed:\n%s", list)
	}
	for name, c := range map[string][2]string{"another server's": {"https://elsewhere.example", "ml"}, "another namespace": {server, "web"}} {
		if out, code := exchange(c[0], c[1]); code == 0 || !strings.Contains(out, "The assertion is not accepted") || strings.Contains(out, "namespace") {
			t.Errorf("%s: code %d: %s", name, code, out)
		}
	}
	eventually(t, "the log says what was wrong", func() bool {
		return strings.Contains(h.log.String(), "kubernetes.io.namespace") && strings.Contains(h.log.String(), "expected audience")
	})
	if strings.Contains(h.log.String(), strings.TrimSpace(token)) {
		t.Errorf("the log:\n%s", h.log)
	}
	if _, err := pgx.Connect(t.Context(), "postgres://scorer:"+strings.TrimSpace(token)+"@"+h.door+"/postgres?sslmode=disable"); err == nil {
		t.Error("a token opened the door without TLS")
	}
	ann.must(http.MethodDelete, "/tokens/"+own, nil, nil)
	if out, code := query(); code == 0 {
		t.Errorf("after the service's token was revoked: %s", out)
	}
	if out, code := exchange(server, "ml"); code == 0 {
		t.Errorf("of a revoked token: %s", out)
	}
}

// What is wrong with workloads is said before the server starts.
func TestWorkloadsChecked(t *testing.T) {
	t.Parallel()
	good := "{require: {sub: a}, token: k_0123456789ABCDEF}"
	for text, want := range map[string]string{
		"{issuer: https://ci.example, rules: [" + good + "]}":                                                      "",
		"{issuer: http://ci.example, rules: [" + good + "]}":                                                       "https",
		"{issuer: https://ci.example}":                                                                             "no rule",
		"{issuer: https://ci.example, rules: [{token: k_0123456789ABCDEF}]}":                                       "everybody",
		"{issuer: https://ci.example, rules: [{require: {sub: a}, token: lk_svc_1}]}":                              "rules[0].token: the id of",
		"{issuer: https://ci.example, rules: [{require: {sub: a}, token: k_0123456789ABCDEF, lifetime: 48h}]}":     "rules[0].lifetime: from 1m to 24h",
		"{issuer: https://ci.example, ca: /nowhere/ca.pem, rules: [" + good + "]}":                                 "no such file",
		"{issuer: https://ci.example, rules: [{require: {sub: a}, token: k_0123456789ABCDEF, scopes: [a]}]}":       "scopes",
		"{issuer: https://ci.example, rules: [" + good + "]}, {issuer: https://ci.example, rules: [" + good + "]}": "twice",
	} {
		out, code := command(t, append([]string{"check"}, configFlags(t, "web:\n  listen: 127.0.0.1:0\n  workloads: ["+text+"]\nwarehouse: {url: postgres://127.0.0.1:1/x}\n")...)...)
		if want == "" && strings.Contains(out, "workloads") || want != "" && (code == 0 || !strings.Contains(out, want)) {
			t.Errorf("%s: code %d: %s", text, code, out)
		}
	}
}
