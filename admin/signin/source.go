package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxAnswer = 1 << 20          // bytes of any answer of a provider
	maxToken  = 64 << 10         // bytes of a token
	fresh     = time.Hour        // after which document and keys are asked for anew
	stale     = 24 * time.Hour   // after which keys are no longer believed
	pause     = 10 * time.Second // between questions that strangers can cause
)

// source is what is known of an issuer: its document and its keys, fetched when
// first needed. A channel of one is its lock, so that waiting for it ends with
// the caller's context.
type source struct {
	issuer  string
	client  *http.Client
	timeout time.Duration
	now     func() time.Time
	lock    chan struct{}

	// Below: owned by whoever holds lock.
	doc       *document
	docAt     time.Time
	docFailed failure
	keys      []jose.JSONWebKey
	keysAt    time.Time // when they came
	asked     time.Time // when they were last asked for
	keyFailed failure
}

// failure is the last answer that was none.
type failure struct {
	at  time.Time
	err error
}

// document is what we use of a provider's metadata (OIDC Discovery 3, RFC 9207).
type document struct {
	Issuer      string   `json:"issuer"`
	AuthURL     string   `json:"authorization_endpoint"`
	TokenURL    string   `json:"token_endpoint"`
	UserInfoURL string   `json:"userinfo_endpoint"`
	KeysURL     string   `json:"jwks_uri"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Scopes      []string `json:"scopes_supported"`
	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

func newSource(issuer string, client *http.Client, timeout time.Duration, now func() time.Time) *source {
	return &source{issuer: issuer, client: boundedClient(client), timeout: timeout, now: now, lock: make(chan struct{}, 1)}
}

func (s *source) enter(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Kind: KindUnavailable, Err: context.Cause(ctx)}
	}
}

func (s *source) leave() { <-s.lock }

// document returns the provider's metadata; an old one serves while the
// provider is away.
func (s *source) document(ctx context.Context) (*document, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.documentLocked(ctx)
}

func (s *source) documentLocked(ctx context.Context) (*document, error) {
	now := s.now()
	if s.doc != nil && now.Sub(s.docAt) < fresh {
		return s.doc, nil
	}
	if s.docFailed.err == nil || now.Sub(s.docFailed.at) >= pause {
		doc, err := s.discover(ctx)
		if err == nil {
			s.doc, s.docAt, s.docFailed = doc, now, failure{}
			return doc, nil
		}
		if ctx.Err() != nil {
			return nil, err // the caller gave up: says nothing about the provider
		}
		s.docFailed = failure{at: now, err: err}
	}
	if s.doc != nil {
		return s.doc, nil
	}
	return nil, s.docFailed.err
}

func (s *source) discover(ctx context.Context) (*document, error) {
	var doc document
	if err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", "", &doc); err != nil {
		return nil, refuse(KindUnavailable, "discover %s: %w", s.issuer, err)
	}
	if doc.Issuer != s.issuer {
		return nil, refuse(KindUnavailable, "discover %s: the provider calls itself %q: write the issuer exactly so", s.issuer, doc.Issuer)
	}
	for _, u := range []string{doc.AuthURL, doc.TokenURL, doc.UserInfoURL, doc.KeysURL} {
		if u != "" && !strings.HasPrefix(u, "https://") && checkURL("endpoint", strings.SplitN(u, "?", 2)[0]) != nil {
			return nil, refuse(KindUnavailable, "discover %s: endpoint %q is not https", s.issuer, u)
		}
	}
	if doc.KeysURL == "" {
		return nil, refuse(KindUnavailable, "discover %s: no jwks_uri", s.issuer)
	}
	return &doc, nil
}

// keysFor returns the issuer's keys. It asks anew when they are old, or when
// they lack the key that a token names, but then not more often than pause
// allows: strangers name keys too.
func (s *source) keysFor(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	now := s.now()
	old := now.Sub(s.keysAt)
	if s.keys != nil && old < fresh && named(s.keys, kid) {
		return s.keys, nil
	}
	if s.asked.IsZero() || now.Sub(s.asked) >= pause {
		keys, err := s.fetchKeys(ctx)
		if err == nil {
			s.keys, s.keysAt, s.asked, s.keyFailed = keys, now, now, failure{}
			return keys, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		s.asked, s.keyFailed = now, failure{at: now, err: err}
	}
	if s.keys != nil && old < stale {
		return s.keys, nil
	}
	if s.keyFailed.err != nil {
		return nil, s.keyFailed.err
	}
	return nil, refuse(KindUnavailable, "keys of %s are too old", s.issuer)
}

func named(keys []jose.JSONWebKey, kid string) bool {
	for _, k := range keys {
		if kid == "" || k.KeyID == kid {
			return true
		}
	}
	return false
}

func (s *source) fetchKeys(ctx context.Context) ([]jose.JSONWebKey, error) {
	doc, err := s.documentLocked(ctx)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, doc.KeysURL, "", &set); err != nil {
		return nil, refuse(KindUnavailable, "keys of %s: %w", s.issuer, err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		// Keys that we cannot read are for others; private and shared ones are nobody's business.
		if json.Unmarshal(raw, &k) == nil && k.Valid() && k.IsPublic() && k.Use != "enc" {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, refuse(KindUnavailable, "keys of %s: none that can be used", s.issuer)
	}
	return keys, nil
}

// get asks for JSON, with the access token if there is one.
func (s *source) get(ctx context.Context, url, access string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if access != "" {
		req.Header.Set("Authorization", "Bearer "+access)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer %s", resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New("the answer is not the JSON we expect")
	}
	return nil
}

// boundedClient follows no redirect, keeps no cookie and reads no more than
// maxAnswer of a body.
func boundedClient(c *http.Client) *http.Client {
	base := http.DefaultTransport
	if c != nil && c.Transport != nil {
		base = c.Transport
	}
	return &http.Client{
		Transport:     bounded{base},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type bounded struct{ base http.RoundTripper }

// RoundTrip bounds the body of the answer.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}
