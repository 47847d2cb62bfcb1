package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A full disk under the record follows the policy's fail mode, for reads and
// writes each, and the record says afterwards what it lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE TABLE w(a int)")
	cases := []struct {
		mode        string
		read, write string
		loses       bool
	}{
		{"closed", "E(55000) Z(I)", "E(55000) Z(I)", false},
		{"closed_for_writes", "T D C(SELECT 1) Z(I)", "E(55000) Z(I)", true},
		{"open", "T D C(SELECT 1) Z(I)", "C(INSERT 0 1) Z(I)", true},
	}
	for _, c := range cases {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t)
			p := serve(t, pg, "version: 1\ndefaults: {audit: {on_failure: "+c.mode+"}}\n",
				append(configFlags(t, "audit: {queue: 16, max_delay: 100ms}\n"), "--state", disk)...)
			p.state = disk
			client := p.client()
			want(t, client.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
			want(t, client.Query("INSERT INTO w VALUES (1)"), "C(INSERT 0 1) Z(I)")

			ballast := fill(t, disk)
			eventually(t, "the record fails", func() bool {
				client.Query("SELECT 0")
				return p.metric("lockkeeper_audit_failing") == 1
			})
			for range 30 { // more than the queue holds
				want(t, client.Query("SELECT 2"), c.read)
				want(t, client.Query("INSERT INTO w VALUES (2)"), c.write)
			}
			if c.write != "C(INSERT 0 1) Z(I)" {
				want(t, client.Errors()[0].Message, "audit log unavailable; statement refused")
			}
			if !strings.Contains(p.log.String(), "no space left") {
				t.Errorf("the log does not say why:\n%s", p.log)
			}

			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the record recovers", func() bool { return p.metric("lockkeeper_audit_failing") == 0 })
			want(t, client.Query("SELECT 3"), "T D C(SELECT 1) Z(I)")
			want(t, client.Query("INSERT INTO w VALUES (3)"), "C(INSERT 0 1) Z(I)")
			p.stop()
			p.verify()
			losses, _ := command(t, "audit", "search", "--kind", "loss", "--json", p.state)
			var loss struct {
				Message string
				Lost    int
			}
			if err := json.Unmarshal([]byte(losses), &loss); err != nil {
				t.Fatalf("one loss record is wanted: %v:\n%s", err, losses)
			}
			t.Logf("%s: %d lost; %s", c.mode, loss.Lost, loss.Message)
			if got := loss.Lost > 0; got != c.loses {
				t.Errorf("%d records are lost", loss.Lost)
			}
			if !strings.Contains(loss.Message, "sink failed at") {
				t.Errorf("the loss record says %q", loss.Message)
			}
		})
	}
}

// smallDisk mounts a file system of its own, which only root can.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: a small file system needs root")
	}
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room on the disk of dir and returns the file that takes it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range []int{4096, 512, 1} {
		for {
			if _, err := io.Copy(f, bytes.NewReader(make([]byte, piece))); err != nil {
				break
			}
		}
	}
	return f.Name()
}
