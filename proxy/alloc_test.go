//go:build !race

// The race detector drops what pools hold now and then, so it allocates.

package proxy_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// cached is a parser whose every text is a hit.
type cached struct{ b *policy.Batch }

func (c cached) Parse([]byte, proxy.ParseEnv) *policy.Batch { return c.b }

// forgetful is a recorder that keeps nothing.
type forgetful struct{}

func (forgetful) Record(context.Context, *audit.Event) error { return nil }

// echo is a warehouse that answers each ReadyForQuery-owing message with the
// same bytes, without allocating.
func echo(t testing.TB, answers map[byte][]byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its peer
				defer c.Close()
				buf := make([]byte, 64<<10)
				if _, err := c.Read(buf); err != nil {
					return
				}
				padb := pgwire.AppendParameterStatus(nil, pgwire.Param{Name: "padb_version", Value: "1.0"}) // no question about the search_path
				welcome := pt.Join([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 0}, padb, []byte{'K', 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 2}, pt.Ready('I'))
				if _, err := c.Write(welcome); err != nil {
					return
				}
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if a := answers[buf[0]]; a != nil && n > 0 {
						if _, err := c.Write(a); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func hotDoor(t testing.TB, src policy.Source, answers map[byte][]byte) net.Conn {
	t.Helper()
	st := policy.Statement{Kind: policy.KindRead, Verbs: policy.VerbRead, Reads: []policy.Relation{{Schema: "public", Name: "t"}}, Fingerprint: "0123456789abcdef"}
	batch := &policy.Batch{Statements: []policy.Statement{st}, Verbs: st.Verbs, Fingerprint: st.Fingerprint, Bytes: 10, Masked: "SELECT $1", VerbNames: []string{"read"}, ReadNames: []string{"public.t"}}
	addr := echo(t, answers)
	d := openTo(t, nil, backendOf(t, addr), src, func(c *proxy.Config) { c.Parser, c.Recorder = cached{batch}, forgetful{} })
	c := d.client()
	return c.Conn
}

var classAndRules = policy.Source{ //nolint:gochecknoglobals // shared by test and benchmark
	Classify: []policy.ClassifyLine{{Class: "bi"}},
	Classes:  []policy.ClassSource{{Name: "bi", Hard: 10, Limits: policy.Limits{QueryExecutionTime: 60e9, ReturnRowCount: 1e6}}},
	Rules:    []policy.RuleSource{{ID: "no-pii", When: policy.Condition{Reads: []string{"pii.*"}}, Deny: "no"}},
}

func hotPaths() (answers map[byte][]byte, units map[string][2][]byte) {
	simple := pt.Join(pt.Columns("a"), pt.Row("1"), pt.Complete("SELECT 1"), pt.Ready('I'))
	ext := pt.Join(pt.Empty('1'), pt.Empty('2'), pt.Row("1"), pt.Complete("SELECT 1"), pt.Ready('I'))
	prepared := pt.Join(pt.Empty('2'), pt.Row("1"), pt.Complete("SELECT 1"), pt.Ready('I'))
	answers = map[byte][]byte{'Q': simple, 'P': ext, 'B': prepared}
	units = map[string][2][]byte{
		"simple":   {pt.Query("SELECT 1"), simple},
		"extended": {extended("SELECT 1"), ext},
		"prepared": {pt.Join(pt.Bind("", ""), pt.Execute("", 0), pt.Sync()), prepared},
	}
	return answers, units
}

// Read → cached facts → decide → record → write allocates nothing.
func TestForwardPathAllocatesNothing(t *testing.T) {
	answers, units := hotPaths()
	conn := hotDoor(t, classAndRules, answers)
	for _, name := range []string{"simple", "extended", "prepared"} {
		unit, answer := units[name][0], units[name][1]
		buf := make([]byte, len(answer))
		one := func() {
			if _, err := conn.Write(unit); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, buf); err != nil {
				t.Fatal(err)
			}
		}
		for range 200 {
			one()
		}
		if got := testing.AllocsPerRun(2000, one); got > 0 {
			t.Errorf("%s: %v allocations per statement", name, got)
		}
	}
}

func BenchmarkForwardPath(b *testing.B) {
	answers, units := hotPaths()
	conn := hotDoor(b, classAndRules, answers)
	for _, name := range []string{"simple", "extended", "prepared"} {
		unit, answer := units[name][0], units[name][1]
		buf := make([]byte, len(answer))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(unit); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
