package proxy_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A name is judged under the search_path it will be read with: behind a SET of
// the same string or pipeline nobody knows that yet.
func TestNamesBehindASetOfTheSameUnit(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{Rules: []policy.RuleSource{{ID: "private", When: policy.Condition{Reads: []string{"private.*"}}, Deny: "closed here"}}})
	const read, set = "SELECT 1 AS forbidden", "SET search_path = private"
	one := func(sql string) []byte { return pt.Join(pt.Parse("", sql), pt.Bind("", ""), pt.Execute("", 0)) }
	c := d.client()
	want(t, c.Query(read), "T D C(SELECT 1) Z(I)") // public.forbidden
	want(t, c.Query(set+"; "+read), "E(42501) Z(I)")
	if got := c.Do(one(set), one(read), pt.Sync()); !strings.HasSuffix(got, "E(42501) Z(I)") {
		t.Errorf("in a pipeline: %s", got)
	}
	want(t, c.Query(read), "T D C(SELECT 1) Z(I)") // the pipeline's SET went with it
	want(t, c.Query(set), "C(SET) Z(I)")
	want(t, c.Query("SET search_path = public"), "C(SET) Z(I)")
	want(t, c.Query(read), "T D C(SELECT 1) Z(I)")
}
