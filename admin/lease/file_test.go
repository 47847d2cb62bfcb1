package lease_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin/lease"
	"github.com/lockkeeper/lockkeeper/admin/lease/leasetest"
)

// holdEnv makes the test binary a holder to be killed.
const holdEnv = "LOCKKEEPER_TEST_LEASE_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		hold(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// hold acquires the lease, prints its epoch, and holds it until its input ends.
func hold(path string) {
	f, err := lease.NewFile(path)
	if err == nil {
		var g lease.Grant
		if g, err = f.Acquire(context.Background()); err == nil {
			fmt.Println(g.Epoch)
			_, _ = bufio.NewReader(os.Stdin).ReadByte()
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// place is a path. Its Lapse takes the file away, which is all that can make a
// lock end without its holder.
type place string

func (p place) Node(t *testing.T) lease.Lease {
	t.Helper()
	f, err := lease.NewFile(string(p))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (p place) Lapse(t *testing.T, _ lease.Lease) {
	t.Helper()
	if err := os.Remove(string(p)); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	leasetest.Run(t, func(t *testing.T) leasetest.Place {
		t.Helper()
		return place(filepath.Join(t.TempDir(), "office.lease"))
	})
}

// A holder that is killed keeps nobody waiting, and its epoch is not given again.
func TestKilledHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "office.lease")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "1\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	l := place(path).Node(t)
	if _, err := l.Acquire(t.Context()); !errors.Is(err, lease.ErrHeld) {
		t.Fatalf("beside a living holder: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if g, err := l.Acquire(t.Context()); err != nil || g.Epoch != 2 {
		t.Errorf("after the kill: %+v, %v", g, err)
	}
}

func TestDamagedEpoch(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "-1", "18446744073709551615", "99999999999999999999"} {
		path := filepath.Join(t.TempDir(), "office.lease")
		if err := os.WriteFile(path+".epoch", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l := place(path).Node(t)
		if _, err := l.Acquire(t.Context()); err == nil || !strings.Contains(err.Error(), "greater than any before") {
			t.Errorf("%q: %v", text, err)
		}
		if err := os.WriteFile(path+".epoch", []byte("41\n"), 0o600); err != nil { // mended by hand
			t.Fatal(err)
		}
		if g, err := l.Acquire(t.Context()); err != nil || g.Epoch != 42 {
			t.Errorf("mended: %+v, %v", g, err)
		}
	}
	if _, err := lease.NewFile(""); err == nil {
		t.Error("no path was taken")
	}
}
