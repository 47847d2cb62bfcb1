package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// bucket is an S3 service in this process with one bucket, that can go away.
type bucket struct {
	t       *testing.T
	url     string
	backend *s3mem.Backend
	away    atomic.Bool
}

const bucketSecret = "the-secret-key-of-the-bucket"

func startBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{t: t, backend: s3mem.New()}
	if err := b.backend.CreateBucket("results"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(b.backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.away.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// flags are those of an office that keeps its results there.
func (b *bucket) flags(more string) []string {
	b.t.Helper()
	key := filepath.Join(b.t.TempDir(), "secret")
	if err := os.WriteFile(key, []byte(bucketSecret+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return configFlags(b.t, fmt.Sprintf("office: {results: %q, s3: {endpoint: %q, region: us-east-1, path_style: true, access_key: AKIATEST, secret_key_file: %q}%s}\n",
		"s3://results/office/a", b.url, key, more))
}

// objects are the bytes of all that lies in the bucket.
func (b *bucket) objects() map[string][]byte {
	b.t.Helper()
	list, err := b.backend.ListBucket("results", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		b.t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, item := range list.Contents {
		object, err := b.backend.GetObject("results", item.Key, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		raw, err := io.ReadAll(object.Contents)
		if err != nil {
			b.t.Fatal(err)
		}
		all[item.Key] = raw
	}
	return all
}

// blobOf is the name of a run's rows.
func blobOf(run string) string {
	return "office/a/runs/" + strings.ToLower(strings.TrimPrefix(run, "r_")) + "/0"
}

// Results lie sealed in a bucket as they lie in a folder: they are read,
// downloaded and deleted, and outlive the server. A bucket that is away fails
// the run, not the server.
func TestOfficeBucket(t *testing.T) {
	t.Parallel()
	b := startBucket(t)
	h := serveOfficeAt(t, officeWarehouse(t), freeAddress(t), b.flags("")...)
	ann := h.welcome(t, "ann", "reader", "--admin")
	id := ann.run("SELECT 'needle-' || id AS needle FROM public.sales ORDER BY id")
	raw := b.objects()[blobOf(id)]
	if len(raw) == 0 {
		t.Fatalf("no rows in the bucket: %d objects", len(b.objects()))
	}
	for _, clear := range []string{"needle", "SELECT"} {
		if bytes.Contains(raw, []byte(clear)) {
			t.Errorf("%q lies open in the bucket", clear)
		}
	}
	code, csv := ann.do(http.MethodGet, "/runs/"+id+"/result.csv", nil)
	if code != http.StatusOK || !bytes.Contains(csv, []byte("needle-1000")) {
		t.Errorf("download: %d, %d bytes", code, len(csv))
	}
	page := &officeUser{t: t, web: strings.TrimSuffix(h.web, "/api/v1"), http: ann.http}
	if code, body := page.do(http.MethodGet, "/r/"+strings.TrimPrefix(id, "r_"), nil); code != http.StatusOK || !bytes.Contains(body, []byte("<html")) {
		t.Errorf("its page: %d", code)
	}

	h.stop()
	h.start()
	if code, again := ann.do(http.MethodGet, "/runs/"+id+"/result.csv", nil); code != http.StatusOK || !bytes.Equal(csv, again) {
		t.Errorf("after a restart: %d, %d bytes, want the same %d", code, len(again), len(csv))
	}

	b.away.Store(true)
	var failed struct {
		State string
		Error struct{ Code, Message, Hint string }
	}
	ann.must(http.MethodPost, "/runs", map[string]any{"sql": "SELECT 1"}, &failed)
	if failed.State != "failed" || !strings.Contains(failed.Error.Message, "could not be stored") || failed.Error.Hint == "" {
		t.Errorf("a run without a bucket: %+v", failed)
	}
	if code, body := ann.do(http.MethodGet, "/runs/"+id+"/rows", nil); code != http.StatusServiceUnavailable || !strings.Contains(string(body), "not lost") {
		t.Errorf("rows without a bucket: %d %s", code, body)
	}
	if code, _ := ann.do(http.MethodGet, "/me", nil); code != http.StatusOK {
		t.Errorf("the page without a bucket: %d", code)
	}
	c := proxytest.Dial(t, "tcp", h.door)
	c.Login("reader", "postgres", "reader-secret")
	c.Close()
	b.away.Store(false)
	ann.run("SELECT 1")

	ann.must(http.MethodDelete, "/runs/"+id, nil, nil)
	if _, there := b.objects()[blobOf(id)]; there {
		t.Error("a deleted run's rows stay in the bucket")
	}
	if code, _ := ann.do(http.MethodGet, "/runs/"+id+"/rows", nil); code != http.StatusGone {
		t.Errorf("a deleted run: %d", code)
	}
	out, code := command(t, append([]string{"check", "--warehouse", "postgres://h/db", "--web-listen", "127.0.0.1:6481"}, b.flags("")...)...)
	if code != 0 || !strings.Contains(out, "s3://results/office/a") {
		t.Errorf("check: code %d: %s", code, out)
	}
	h.stop()
	if strings.Contains(out+h.log.String(), bucketSecret) {
		t.Error("the secret key stands in the log, or in what check says")
	}
}

// Bounds of results make room in a bucket as in a folder: the oldest that is not
// pinned goes first. The bound of all is never passed, and never reached for
// good: there is room for the next result.
func TestOfficeMakesRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		bound  string
		bucket bool
	}{
		"of a person, in a bucket": {"result_size_per_person: 140KiB", true},
		"of all, in a bucket":      {"result_size: 200KiB, max_bytes: 60KiB", true},
		"of all, in a folder":      {"result_size: 200KiB, max_bytes: 60KiB", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := configFlags(t, "office: {"+test.bound+"}\n")
			if test.bucket {
				flags = startBucket(t).flags(", " + test.bound)
			}
			h := serveOfficeAt(t, officeWarehouse(t), freeAddress(t), flags...)
			ann := h.welcome(t, "ann", "reader", "--admin")
			const incompressible = "SELECT md5(id::text) AS a, CASE WHEN id < 800 THEN md5((id + 5)::text || 'x') END AS b FROM public.sales" // 58 KiB
			pinned := ann.run(incompressible)
			ann.must(http.MethodPatch, "/runs/"+pinned, map[string]any{"pinned": true}, nil)
			has := func(id string) bool {
				time.Sleep(50 * time.Millisecond) // the API bounds how often one may ask
				code, body := ann.do(http.MethodGet, "/runs/"+id+"/rows", nil)
				if code != http.StatusOK && code != http.StatusGone {
					t.Fatalf("rows of %s: %d %s", id, code, body)
				}
				return code == http.StatusOK
			}
			var before string
			for range 4 {
				next := ann.run(incompressible)
				h.stop()
				h.start() // sweeps
				eventually(t, "there is room", func() bool { return before == "" || !has(before) })
				if !has(pinned) || !has(next) {
					t.Fatalf("pinned: %v, newest: %v", has(pinned), has(next))
				}
				before = next
			}
			h.stop()
		})
	}
}
