package proxy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// prepares reads SQL's own PREPARE, EXECUTE and DEALLOCATE beside words.
type prepares struct{ words }

func (p prepares) Parse(sql []byte, env proxy.ParseEnv) *policy.Batch {
	b := p.words.Parse(sql, env)
	for i := range b.Statements {
		f := strings.Fields(strings.ToLower(string(sql)))
		if len(f) < 2 {
			continue
		}
		st := &b.Statements[i]
		st.Prepared = f[1]
		switch f[0] {
		case "prepare":
			st.Prepare = policy.SQLPrepareDefine
		case "execute":
			st.Prepare = policy.SQLExecute
		case "deallocate":
			st.Prepare = policy.SQLDeallocate
		default:
			st.Prepared = ""
		}
	}
	return b
}

// Whatever name a statement hides behind, it is judged by what it is.
func TestNamesDoNotHideStatements(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden(), func(c *proxy.Config) { c.Parser = prepares{} })
	long := strings.Repeat("n", 63)
	innocent, forbidden := "SELECT 1 AS a", "SELECT 2 AS forbidden"
	cases := map[string]func(c *pt.Client) string{
		"a longer name that Postgres takes for the same": func(c *pt.Client) string {
			want(t, c.Do(pt.Parse(long+"1", innocent), pt.Sync()), "1 Z(I)")
			want(t, c.Do(pt.Close('S', long+"2"), pt.Parse(long+"2", forbidden), pt.Sync()), "3 1 Z(I)")
			return c.Do(pt.Bind("", long+"1"), pt.Execute("", 0), pt.Sync())
		},
		"a longer name over a short one": func(c *pt.Client) string {
			want(t, c.Do(pt.Parse(long, innocent), pt.Sync()), "1 Z(I)")
			want(t, c.Do(pt.Close('S', long+"2"), pt.Parse(long+"2", forbidden), pt.Sync()), "3 1 Z(I)")
			return c.Do(pt.Bind("", long), pt.Execute("", 0), pt.Sync())
		},
		"a longer name in one pipeline": func(c *pt.Client) string {
			return c.Do(pt.Parse(long, innocent), pt.Close('S', long+"2"), pt.Parse(long+"2", forbidden),
				pt.Bind("", long), pt.Execute("", 0), pt.Sync())
		},
		"EXECUTE of what is parsed in the same pipeline": func(c *pt.Client) string {
			want(t, c.Do(pt.Parse("a", innocent), pt.Sync()), "1 Z(I)")
			return c.Do(pt.Close('S', "a"), pt.Parse("a", forbidden), pt.Parse("", "EXECUTE a"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
		},
		"PREPARE answered after a Parse of its name went up": func(c *pt.Client) string {
			c.Send(pt.Parse("", "PREPARE a AS "+innocent), pt.Bind("", ""), pt.Execute("", 0), pt.Close('S', "a"), pt.Parse("a", forbidden), pt.Flush())
			want(t, c.ReceiveUntil('3'), "1 2 C(PREPARE) 3")
			want(t, c.ReceiveUntil('1'), "1")
			return c.Do(pt.Bind("", "a"), pt.Execute("", 0), pt.Sync())
		},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			got := run(d.client())
			if !strings.Contains(got, "E(42501)") || strings.Contains(got, "D") {
				t.Errorf("it ran: %s", got)
			}
		})
	}
}

// Rows of a portal are counted under whatever name it is executed, and whoever
// made it.
func TestEveryPortalIsLimited(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "few"}},
		Classes:  []policy.ClassSource{{Name: "few", Limits: policy.Limits{ReturnRowCount: 10}}},
	})
	long := strings.Repeat("p", 63)
	const many = "SELECT generate_series(1,100000)"
	c := d.client()
	want(t, c.Do(pt.Parse("", many), pt.Bind(long+"1", ""), pt.Execute(long+"2", 0), pt.Sync()), "1 2 D*10 E(57014) Z(I)")
	c.Query("BEGIN")
	want(t, c.Query("DECLARE c CURSOR FOR "+many), "C(DECLARE CURSOR) Z(T)")
	want(t, c.Do(pt.Execute("c", 5), pt.Sync()), "D*5 s Z(T)")
	// The cancel may come too late to abort anything: then the server's T is true.
	want(t, strings.TrimRight(c.Do(pt.Execute("c", 0), pt.Sync()), "ETZ()"), "D*10 E(57014) ")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	outcomes(t, d.record)
}

// A client that cancels what a row limit has cut already does not turn it into
// success.
func TestCancelDoesNotHideARowLimit(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "few"}},
		Classes:  []policy.ClassSource{{Name: "few", Limits: policy.Limits{ReturnRowCount: 10}}},
	})
	c := d.client()
	for range 20 {
		c.Send(pt.Query("SELECT generate_series(1,11)"))
		done := make(chan struct{})
		go func() { defer close(done); c.Cancel() }()
		if got := c.Receive(); strings.Contains(got, "C(SELECT 11)") && !strings.Contains(got, "D*11") {
			t.Errorf("rows are missing from a success: %s", got)
		}
		<-done
		time.Sleep(time.Millisecond)
	}
}
