package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lockkeeper/lockkeeper/policy"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestPage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "page.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Load(data, Options{Name: "page.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	dumped, err := Dump(rs)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "page.resolved.yaml"), dumped)

	again, err := Load(dumped, Options{Name: "dump"})
	if err != nil {
		t.Fatalf("the dump is not read back: %v\n%s", err, dumped)
	}
	opts := cmp.Options{
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmpopts.EquateComparable(policy.Limits{}),
		cmpopts.EquateComparable(),
		cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b policy.Condition) bool { return dumpText(t, a) == dumpText(t, b) }),
	}
	if diff := cmp.Diff(rs.Source(), again.Source(), opts); diff != "" {
		t.Errorf("dump and load differ (-want +got):\n%s", diff)
	}
	twice, err := Dump(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(dumped, twice) {
		t.Errorf("the dump of a dump differs:\n%s", cmp.Diff(string(dumped), string(twice)))
	}
}

func dumpText(t *testing.T, c policy.Condition) string {
	t.Helper()
	rs, err := policy.Compile(policy.Source{Rules: []policy.RuleSource{{ID: "x", When: c, Warn: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Dump(rs)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestErrors reads testdata/errors.txt: policies, each followed by ---- and
// the errors it must give.
func TestErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "errors.txt")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(string(data), "\n\n") {
		text, want, _ := strings.Cut(block, "\n----")
		_, err := Load([]byte(text+"\n"), Options{Name: "p"})
		got := "ok"
		if err != nil {
			got = err.Error()
		}
		if i > 0 {
			out.WriteString("\n\n")
		}
		out.WriteString(text + "\n----\n" + got)
		if !*rewrite && got != strings.TrimSpace(want) {
			t.Errorf("policy:\n%s\n got %s\nwant %s", text, got, strings.TrimSpace(want))
		}
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrorsAreTyped(t *testing.T) {
	t.Parallel()
	_, err := Load([]byte("version: 1\nrulez: []\n"), Options{Name: "policy.yaml"})
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Line != 2 || e.File != "policy.yaml" || !strings.Contains(e.Hint, "rules") {
		t.Errorf("got %#v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	if _, err := Load(bytes.Repeat([]byte("#"), MaxBytes+1), Options{}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a large file: got %v", err)
	}
	many := "version: 1\nclassify:\n" + strings.Repeat("  - {class: a}\n", policy.MaxItems+1)
	if _, err := Load([]byte(many), Options{}); err == nil || !strings.Contains(err.Error(), "at most 4096") {
		t.Errorf("many lines: got %v", err)
	}
	deep := "version: 1\nclasses:\n"
	for i := range policy.MaxClassDepth + 2 {
		deep += strings.Repeat("  ", 2*i+1) + "a:\n" + strings.Repeat("  ", 2*i+2) + "children:\n"
	}
	if _, err := Load([]byte(deep), Options{}); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("deep classes: got %v", err)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "0": 0, "250ms": 250 * time.Millisecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "-1s", "d", "xd", "1d-2h", "99999d", "NaNd"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"4GiB": 4 << 30, "500MB": 500e6, "1024": 1024, "1.5KiB": 1536, "7 B": 7, "2kB": 2000} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "1.5", "1e400TiB", "NaN", "4 gigabytes"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		text, now string
		want      bool
	}{
		{"Mon-Fri 09:00-18:00 Europe/Berlin", "2026-11-25T08:00:00Z", true},  // 09:00 in winter
		{"Mon-Fri 09:00-18:00 Europe/Berlin", "2026-11-25T07:59:59Z", false}, //
		{"Mon-Fri 09:00-18:00 Europe/Berlin", "2026-07-22T07:00:00Z", true},  // 09:00 in summer
		{"Mon-Fri 09:00-18:00 Europe/Berlin", "2026-07-22T16:00:00Z", false}, // 18:00 is past
		{"Mon-Fri 09:00-18:00 Europe/Berlin", "2026-11-28T12:00:00Z", false}, // Saturday
		{"22:00-06:00", "2026-11-25T23:00:00Z", true},
		{"22:00-06:00", "2026-11-25T05:59:00Z", true},
		{"22:00-06:00", "2026-11-25T06:00:00Z", false},
		{"Fri 22:00-06:00", "2026-11-28T03:00:00Z", true},  // Saturday morning belongs to Friday
		{"Fri 22:00-06:00", "2026-11-27T03:00:00Z", false}, // Friday morning to Thursday
		{"Fri-Mon", "2026-11-29T03:00:00Z", true},
		{"Fri-Mon", "2026-11-25T03:00:00Z", false},
		{"Sat,Sun Europe/Berlin", "2026-11-27T23:30:00Z", true},          // it is Saturday there
		{"Sun 02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false}, // the hour that does not exist
		{"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true},  // the hour that comes twice, first
		{"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true},  // and again
		{"00:00-24:00", "2026-11-25T23:59:59Z", true},
	} {
		w, err := ParseWindow(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got := w.Open(at(tc.now)); got != tc.want {
			t.Errorf("%s at %s: got %v, want %v", tc.text, tc.now, got, tc.want)
		}
	}
	for _, text := range []string{"", "Mo 09:00-10:00", "25:00-26:00", "09:00", "09:00-09:00", "24:00-06:00", "09:00-18:00 Nowhere", "09:00-18:00 Local", "Mon 9-18", "09:00-18:00 UTC more", "09:0-10:00"} {
		if _, err := ParseWindow(text); err == nil {
			t.Errorf("%q: want an error", text)
		}
	}
}

func FuzzLoad(f *testing.F) {
	page, err := os.ReadFile(filepath.Join("testdata", "page.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page)
	if data, err := os.ReadFile(filepath.Join("testdata", "errors.txt")); err == nil {
		for block := range strings.SplitSeq(string(data), "\n\n") {
			text, _, _ := strings.Cut(block, "\n----")
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, err := Load(data, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), "policy:") {
				t.Errorf("an error without its place: %v", err)
			}
			return
		}
		dumped, err := Dump(rs)
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		again, err := Load(dumped, Options{})
		if err != nil {
			t.Fatalf("the dump is not read back: %v\n%s", err, dumped)
		}
		twice, err := Dump(again)
		if err != nil || !bytes.Equal(dumped, twice) {
			t.Fatalf("the dump of a dump differs (%v):\n%s\n%s", err, dumped, twice)
		}
	})
}
