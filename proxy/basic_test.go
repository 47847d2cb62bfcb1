package proxy_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestQueries(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
	want(t, c.Query(""), "I Z(I)")
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("SELECT 1/0"), "E(22012) Z(E)")
	want(t, c.Query("SELECT 1"), "E(25P02) Z(E)")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	want(t, c.Query("SELECT 1; SELECT 2"), "T D C(SELECT 1) T D C(SELECT 1) Z(I)")
	want(t, c.Do(pt.Parse("", "SELECT $1::int"), pt.Bind("", "", "7"), pt.Describe('P', ""), pt.Execute("", 0), pt.Sync()), "1 2 T D C(SELECT 1) Z(I)")
	want(t, c.Do(pt.Parse("a", "SELECT generate_series(1,5)"), pt.Sync()), "1 Z(I)")
	want(t, c.Do(pt.Bind("", "a"), pt.Execute("", 2), pt.Execute("", 0), pt.Sync()), "2 D*2 s D*3 C(SELECT 3) Z(I)")
	c.Send(pt.Query("SELECT 1"), pt.Parse("", "SELECT 2"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync(), pt.Query("SELECT 3"))
	want(t, c.Receive(), "T D C(SELECT 1) Z(I)")
	want(t, c.Receive(), "1 2 D C(SELECT 1) Z(I)")
	want(t, c.Receive(), "T D C(SELECT 1) Z(I)")
	c.Close()
}
