package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTwins(t *testing.T) {
	t.Parallel()
	for text, twins := range map[string]bool{
		`{"a":1,"b":{"a":1}}`: false, `{"a":"a","b":"a"}`: false, `[{"a":1},{"a":2}]`: false, `{"a":["a","a"],"b":[]}`: false, `{`: false, ``: false, `{"a":{},"b":{"c":[{}]},"d":null}`: false,
		`{"a":1,"a":2}`: true, `{"a":1,"A":2}`: true, `{"k":1,"\u212a":2}`: true, `{"x":{"sql":1,"SQL":2}}`: true, `[[{"a":{},"\u0061":1}]]`: true,
	} {
		if got := noTwins([]byte(text)) != nil; got != twins {
			t.Errorf("%s: twins %v", text, got)
		}
	}
}

// FuzzTwins: what passes means the same to a reader of maps and to one that
// joins what it finds twice.
func FuzzTwins(f *testing.F) {
	for _, s := range []string{`{"a":1,"A":2}`, `{"a":{"b":1},"c":[1,{"d":null}]}`, `{"a":"a"}`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if noTwins(data) != nil || json.Unmarshal(data, &v) != nil {
			return
		}
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				seen := map[string]bool{}
				for name, inner := range v {
					for other := range seen {
						if strings.EqualFold(name, other) {
							t.Errorf("%q and %q in %q", name, other, data)
						}
					}
					seen[name] = true
					walk(inner)
				}
			case []any:
				for _, inner := range v {
					walk(inner)
				}
			}
		}
		walk(v)
	})
}
