package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Whoever can write to the folder can make it look whole again, hashes and
// all; with an exported head every such act is found.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "", configFlags(t, "audit: {segment_size: 8KiB}\n")...)
	c := p.client()
	for range 60 {
		want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
	}
	p.stop()
	head, exit := command(t, "audit", "head", p.state)
	if exit != 0 {
		t.Fatal(head)
	}
	heads := filepath.Join(t.TempDir(), "heads")
	if err := os.WriteFile(heads, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	p.verify("--head", heads)

	cases := []struct {
		name     string
		tamper   func(t *testing.T, files []string)
		unproven bool // without a head it looks whole
	}{
		{"an edit", func(t *testing.T, files []string) {
			edit(t, files[0], func(lines [][]byte) [][]byte {
				lines[4] = bytes.Replace(lines[4], []byte(`"user":"postgres"`), []byte(`"user":"somebody"`), 1)
				return lines
			})
		}, false},
		{"an edit with recomputed hashes", func(t *testing.T, files []string) {
			edit(t, files[0], func(lines [][]byte) [][]byte {
				lines[4] = bytes.Replace(lines[4], []byte(`"user":"postgres"`), []byte(`"user":"somebody"`), 1)
				return lines
			})
			rechain(t, files)
		}, true},
		{"a removed line", func(t *testing.T, files []string) {
			edit(t, files[0], func(lines [][]byte) [][]byte { return slices.Delete(lines, 5, 6) })
		}, false},
		{"a removed line with recomputed hashes", func(t *testing.T, files []string) {
			edit(t, files[0], func(lines [][]byte) [][]byte { return slices.Delete(lines, 5, 6) })
			rechain(t, files)
		}, false},
		{"a cut at the end of a record", func(t *testing.T, files []string) {
			edit(t, files[len(files)-1], func(lines [][]byte) [][]byte { return lines[:len(lines)-1] })
		}, true},
		{"a missing last segment", func(t *testing.T, files []string) {
			if err := os.Remove(files[len(files)-1]); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a swapped segment", func(t *testing.T, files []string) {
			for _, move := range [][2]string{{files[0], files[0] + "x"}, {files[1], files[0]}, {files[0] + "x", files[1]}} {
				if err := os.Rename(move[0], move[1]); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		{"nothing left", func(t *testing.T, files []string) {
			for _, f := range files {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
		}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			state := t.TempDir()
			if err := os.CopyFS(filepath.Join(state, "audit"), os.DirFS(filepath.Join(p.state, "audit"))); err != nil {
				t.Fatal(err)
			}
			files := segmentFiles(t, state)
			if len(files) < 2 {
				t.Fatalf("only %d segments", len(files))
			}
			c.tamper(t, files)
			out, exit := command(t, "audit", "verify", state, "--head", heads)
			if exit != 1 {
				t.Errorf("with a head: code %d: %s", exit, out)
			}
			bare, exit := command(t, "audit", "verify", state)
			if c.unproven && (exit != 0 || !strings.Contains(bare, "unproven")) {
				t.Errorf("without a head: code %d, and must say what is unproven: %s", exit, bare)
			}
			if !c.unproven && exit != 1 {
				t.Errorf("without a head: code %d: %s", exit, bare)
			}
		})
	}
}

// edit changes the lines of a segment.
func edit(t *testing.T, file string, change func([][]byte) [][]byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(slices.Collect(bytes.Lines(data)))
	if err := os.WriteFile(file, slices.Concat(lines...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rechain computes every hash anew, as somebody would who knows the format.
func rechain(t *testing.T, files []string) {
	t.Helper()
	chain, prev := audit.NewChain(), audit.Hash{}
	for _, file := range files {
		edit(t, file, func(lines [][]byte) [][]byte {
			for i, line := range lines {
				record, _, _ := bytes.Cut(line, []byte(`,"chain":"`))
				if before, rest, ok := bytes.Cut(record, []byte(`"prev":"`)); ok {
					record = slices.Concat(before, []byte(`"prev":"`), hex.AppendEncode(nil, prev[:]), rest[64:])
				}
				prev = chain.Link(prev, record)
				lines[i] = slices.Concat(record, []byte(`,"chain":"`), hex.AppendEncode(nil, prev[:]), []byte("\"}\n"))
			}
			return lines
		})
	}
}
