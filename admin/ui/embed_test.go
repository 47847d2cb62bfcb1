package ui_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lockkeeper/lockkeeper/admin/ui"
)

func TestFilesAlwaysHoldAPage(t *testing.T) {
	t.Parallel()
	page, err := fs.ReadFile(ui.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"__CSP_NONCE__", `name="lk-base" content="/"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q, which Index replaces", want)
		}
	}
}

func TestIndexFillsInTheAnswer(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"index.html": {Data: []byte(
		`<meta name="csp-nonce" content="__CSP_NONCE__" /><meta name="lk-base" content="/" /><script src="/assets/a.js">`,
	)}}
	for _, tt := range []struct{ name, nonce, base, want string }{
		{"at the root", "n0", "/", `<meta name="csp-nonce" content="n0" /><meta name="lk-base" content="/" /><script src="/assets/a.js">`},
		{"below a path", "n1", "/data/", `<meta name="csp-nonce" content="n1" /><meta name="lk-base" content="/data/" /><script src="/data/assets/a.js">`},
		{"a nonce that would end the attribute", `"><script>`, "", `<meta name="csp-nonce" content="&#34;&gt;&lt;script&gt;" /><meta name="lk-base" content="/" /><script src="/assets/a.js">`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ui.Index(files, tt.nonce, tt.base)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
