package proxy_test

import (
	"strconv"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
)

// A view may hide pg_notify, which neither a lock nor a transaction id shows:
// a COMMIT after a release is promised only for views that are known.
func TestViewThatMayHideAnEffectLosesLoudly(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	d.engine.PublishCatalog(policy.NewCatalog(policy.CatalogData{
		Version: 2,
		Relations: []policy.CatalogRelation{
			{Schema: "public", Name: "plain", Kind: policy.RelView},
			{Schema: "public", Name: "sly", Kind: policy.RelView, Effects: true},
		},
	}))
	for _, c := range []struct{ view, end string }{{"plain", "C(COMMIT) Z(I)"}, {"sly", "E(40001) Z(I)"}} {
		client := d.client()
		pid, _ := strconv.ParseUint(client.One("SELECT pg_backend_pid()"), 10, 32)
		client.Query("BEGIN")
		client.Query("SELECT 1 AS c FROM (SELECT 1) public_" + c.view)
		releaseNow(t, d, uint32(pid))
		want(t, first(client.Query("COMMIT")), c.end)
		client.Close()
	}
}
