package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/blob/blobtest"
	"github.com/lockkeeper/lockkeeper/admin/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is an S3 server in this process.
type service struct {
	inner   http.Handler
	heeds   bool         // If-Match of a GET, as S3 does and the inner server does not
	uploads atomic.Int64 // unfinished
	puts    atomic.Int64
	fail    atomic.Pointer[string] // a code to answer uploads with
	signed  atomic.Pointer[string] // the last Authorization
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, signed := r.URL.Query(), r.Header.Get("Authorization")
	s.signed.Store(&signed)
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		s.uploads.Add(1)
	case r.Method == http.MethodPost && q.Has("uploadId"), r.Method == http.MethodDelete && q.Has("uploadId"):
		s.uploads.Add(-1)
	case r.Method == http.MethodPut:
		s.puts.Add(1)
		if code := s.fail.Load(); code != nil {
			answer(w, http.StatusForbidden, *code)
			return
		}
	}
	match := strings.Trim(r.Header.Get("If-Match"), `"`)
	if r.Method != http.MethodGet || match == "" || !s.heeds {
		s.inner.ServeHTTP(w, r)
		return
	}
	kept := httptest.NewRecorder()
	s.inner.ServeHTTP(kept, r)
	if etag := strings.Trim(kept.Header().Get("Etag"), `"`); etag != "" && etag != match {
		answer(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	maps.Copy(w.Header(), kept.Header())
	w.WriteHeader(kept.Code)
	_, _ = w.Write(kept.Body.Bytes())
}

func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

func start(t *testing.T, heeds bool) (*service, Config) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("results"); err != nil {
		t.Fatal(err)
	}
	s := &service{inner: gofakes3.New(backend).Server(), heeds: heeds}
	server := httptest.NewServer(s)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return s, Config{
		Endpoint: server.URL, Region: "us-east-1", Bucket: "results", Prefix: "office/a", PathStyle: true, Transport: transport,
		AccessKey: "key", SecretKey: secret.NewSecret("secret"), PartBytes: minPart,
	}
}

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, heeds := range map[string]bool{"heeds If-Match": true, "ignores it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blobtest.Run(t, blobtest.Options{Large: 2*minPart + 12345, New: func(t *testing.T, maxBytes int64) blob.Store {
				t.Helper()
				_, cfg := start(t, heeds)
				cfg.MaxBytes = maxBytes
				return open(t, cfg)
			}})
		})
	}
}

func write(t *testing.T, s *Store, name string, size int) blob.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return w
}

// An upload in parts that is aborted leaves no parts that somebody pays for.
func TestAbortUpload(t *testing.T) {
	t.Parallel()
	service, cfg := start(t, true)
	s := open(t, cfg)
	w := write(t, s, "a", 2*minPart)
	if n := service.uploads.Load(); n != 1 {
		t.Fatalf("%d uploads under way", n)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if n := service.uploads.Load(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

// A start aborts old uploads, leaves young ones, and counts what is there.
func TestReopen(t *testing.T) {
	t.Parallel()
	service, cfg := start(t, true)
	cfg.SweepAfter = time.Hour
	s := open(t, cfg)
	if err := write(t, s, "kept", 700).Commit(); err != nil {
		t.Fatal(err)
	}
	dead := write(t, s, "dead", 2*minPart)
	for _, at := range []struct {
		age  time.Duration
		left int64
	}{{0, 1}, {2 * time.Hour, 0}} {
		cfg.Now = func() time.Time { return time.Now().Add(at.age) }
		again := open(t, cfg)
		if n := service.uploads.Load(); n != at.left {
			t.Errorf("after %v: %d uploads left, want %d", at.age, n, at.left)
		}
		if used, err := again.Usage(t.Context()); used != 700 || err != nil {
			t.Errorf("usage %d, %v", used, err)
		}
	}
	if err := dead.Commit(); err == nil {
		t.Error("a swept upload was committed")
	}
}

// What another wrote to the bucket counts, once it was counted again.
func TestRecount(t *testing.T) {
	t.Parallel()
	_, cfg := start(t, true)
	one, two := open(t, cfg), open(t, cfg)
	if err := write(t, two, "a", 700).Commit(); err != nil {
		t.Fatal(err)
	}
	if err := one.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if used, err := one.Usage(t.Context()); used != 700 || err != nil {
		t.Errorf("usage %d, %v", used, err)
	}
}

// Without a key of its own it takes the environment's, as other programs do.
func TestCredentials(t *testing.T) {
	service, cfg := start(t, true)
	cfg.AccessKey, cfg.SecretKey = "", secret.Secret{}
	t.Setenv("AWS_ACCESS_KEY_ID", "from-env")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	if err := write(t, open(t, cfg), "a", 7).Commit(); err != nil {
		t.Fatal(err)
	}
	if signed := service.signed.Load(); signed == nil || !strings.Contains(*signed, "Credential=from-env/") {
		t.Errorf("signed by %v", signed)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/none") // in the place of a machine's metadata
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("nobody's: %v", err)
	}
}

// More blobs than a page are counted at the start, and others' prefixes are not.
func TestPages(t *testing.T) {
	t.Parallel()
	_, cfg := start(t, true)
	s := open(t, cfg)
	const n = blob.MaxList + 7
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := k; i < n; i += 8 {
				w, err := s.Create(t.Context(), fmt.Sprintf("p/%05d", i))
				if err == nil {
					_, err = w.Write([]byte("xy"))
				}
				if err = errors.Join(err, w.Commit()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if used, err := open(t, cfg).Usage(t.Context()); used != 2*n || err != nil {
		t.Errorf("usage %d, %v", used, err)
	}
	cfg.Prefix = "office/ab"
	if used, err := open(t, cfg).Usage(t.Context()); used != 0 || err != nil {
		t.Errorf("another prefix: usage %d, %v", used, err)
	}
}

func TestServiceIsFull(t *testing.T) {
	t.Parallel()
	service, cfg := start(t, true)
	s := open(t, cfg)
	full := "QuotaExceeded"
	service.fail.Store(&full)
	w := write(t, s, "a", 10)
	if err := w.Commit(); !errors.Is(err, blob.ErrFull) {
		t.Errorf("commit: %v", err)
	}
	large, err := s.Create(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := large.Write(make([]byte, 2*minPart)); !errors.Is(err, blob.ErrFull) {
		t.Errorf("write: %v", err)
	}
	if err := errors.Join(w.Abort(), large.Abort()); err != nil {
		t.Error(err)
	}
	if n := service.uploads.Load(); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

// A small blob costs one upload, and every read asks for no more than it needs.
func TestSmallBlobIsOneRequest(t *testing.T) {
	t.Parallel()
	service, cfg := start(t, true)
	s := open(t, cfg)
	w, err := s.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := io.Copy(w, bytes.NewReader(make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if puts, uploads := service.puts.Load(), service.uploads.Load(); puts != 1 || uploads != 0 {
		t.Errorf("%d puts, %d uploads", puts, uploads)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := Config{Endpoint: "https://s3.example", Bucket: "results"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no endpoint": func(c *Config) { c.Endpoint = "" },
		"no scheme":   func(c *Config) { c.Endpoint = "s3.example" },
		"a path":      func(c *Config) { c.Endpoint += "/results" },
		"a password":  func(c *Config) { c.Endpoint = "https://a:b@s3.example" },
		"no bucket":   func(c *Config) { c.Bucket = "" },
		"a bad one":   func(c *Config) { c.Bucket = "Results_" },
		"prefix":      func(c *Config) { c.Prefix = "../x" },
		"half a key":  func(c *Config) { c.AccessKey = "key" },
		"small parts": func(c *Config) { c.PartBytes = minPart - 1 },
		"negative":    func(c *Config) { c.MaxBytes = -1 },
	} {
		cfg := good
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	_, cfg := start(t, true)
	cfg.Bucket = "not-there"
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "not-there") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
