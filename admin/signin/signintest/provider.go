package signintest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Secret is the client secret that the provider knows.
const Secret = "the-client-secret-of-the-tests"

// lifetime bounds a provider that nobody ends.
const lifetime = 5 * time.Minute

// Config says what a provider is like.
type Config struct {
	Redirect string // where it sends people back to
	Host     string // in its issuer's URL; empty: 127.0.0.1
	Thin     bool   // the claims stand in userinfo only
}

// Provider is one that runs.
type Provider struct {
	Issuer   string
	redirect string

	mu  sync.Mutex // one command at a time
	in  io.Writer
	out *bufio.Scanner
}

// Client is the id of our client there, by the algorithm that signs its ID
// tokens: RS256, PS256, ES256, EdDSA or HS256.
func Client(algorithm string) string { return "office-" + algorithm }

// Person is what the provider says of somebody in groups.
func Person(login string, groups ...string) map[string]any {
	return map[string]any{
		"email": login + "@example.com", "email_verified": true, "name": "Ms " + login, "preferred_username": login, "groups": groups,
	}
}

// Start starts a provider on loopback; it ends with the test.
func Start(t testing.TB, cfg Config) *Provider {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the independent provider is an npm package")
	}
	folder := install(t)
	// Not t.Context alone: that ends before Cleanup, in which it shall end itself.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), lifetime)
	t.Cleanup(cancel)
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	args, err := json.Marshal(map[string]any{"redirect": cfg.Redirect, "secret": Secret, "thin": cfg.Thin, "host": cfg.Host})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "server.mjs", string(args))
	cmd.Dir, cmd.Stderr = folder, t.Output()
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if errIn != nil || errOut != nil {
		t.Fatal(errIn, errOut)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("the provider: %v", err)
		}
	})
	p := &Provider{in: in, out: bufio.NewScanner(out), redirect: cfg.Redirect}
	var first struct{ Issuer string }
	if !p.out.Scan() || json.Unmarshal(p.out.Bytes(), &first) != nil {
		t.Fatalf("the provider does not start: %q", p.out.Text())
	}
	p.Issuer = first.Issuer
	return p
}

// Know tells the provider who a person is; nil: gone.
func (p *Provider) Know(login string, claims map[string]any) error {
	return p.command(map[string]any{"login": login, "claims": claims})
}

// Away makes the provider answer each request with an error, or as before.
func (p *Provider) Away(away bool) error { return p.command(map[string]any{"away": away}) }

func (p *Provider) command(c map[string]any) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	if !p.out.Scan() {
		return io.ErrUnexpectedEOF
	}
	return nil
}
