package sqlparse

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// Bounds of what is taken from comments: they are the client's text, go into audit
// and are compared by rules.
const (
	maxComments   = 8
	maxTags       = 24
	maxTagKey     = 64
	maxTagValue   = 256
	maxTagComment = 4096
)

// tags reads the tags that tools write into comments: sqlcommenter's
// /*key='value',…*/, the JSON object of dbt and of Metabase, and the remarks of
// Metabase and Looker. Of a key that comes twice the first holds.
func tags(sql string, mode sqllex.Mode) []policy.Tag {
	if !strings.Contains(sql, "--") && !strings.Contains(sql, "/*") {
		return nil
	}
	var out []policy.Tag
	add := func(key, value string) {
		key, value = clip(strings.TrimSpace(key), maxTagKey), clip(value, maxTagValue)
		if key == "" || len(out) >= maxTags || slices.ContainsFunc(out, func(t policy.Tag) bool { return t.Key == key }) {
			return
		}
		out = append(out, policy.Tag{Key: key, Value: value})
	}
	for _, c := range sqllex.Comments(sql, mode, maxComments) {
		text := sql[c.Start:c.End]
		if len(text) > maxTagComment {
			continue
		}
		if inner, ok := strings.CutPrefix(text, "/*"); ok {
			text = strings.TrimSuffix(inner, "*/")
		} else {
			text = text[2:]
		}
		readTags(strings.TrimSpace(text), add)
	}
	slices.SortFunc(out, func(a, b policy.Tag) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

func readTags(text string, add func(key, value string)) {
	if i := strings.IndexByte(text, '{'); i >= 0 {
		var object map[string]any
		if json.Unmarshal([]byte(text[i:]), &object) == nil {
			objectTags(object, add)
			text = strings.TrimRight(strings.TrimSpace(text[:i]), ",")
		}
	}
	switch {
	case strings.HasPrefix(text, "Metabase::"):
		add("tool", "metabase")
		pairs(strings.TrimPrefix(text, "Metabase::"), ": ", add)
	case strings.HasPrefix(text, "Looker Query Context"):
		add("tool", "looker")
		_, context, _ := strings.Cut(text, "'")
		context, _, _ = strings.Cut(context, "'")
		var object map[string]any
		if json.Unmarshal([]byte(context), &object) == nil {
			objectTags(object, add)
		}
	case strings.HasPrefix(text, "partner:"):
		add("partner", strings.Trim(strings.TrimSpace(strings.TrimPrefix(text, "partner:")), `"`))
	default:
		commenter(text, add)
	}
}

// objectTags takes the plain values of a JSON object, in the order of their keys.
func objectTags(object map[string]any, add func(key, value string)) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		switch v := object[k].(type) {
		case string:
			add(k, v)
		case float64, bool:
			b, err := json.Marshal(v)
			if err == nil {
				add(k, string(b))
			}
		}
	}
}

// pairs reads "userID: 1 queryType: native": words that end with a colon are keys.
func pairs(text, sep string, add func(key, value string)) {
	key := ""
	for word := range strings.FieldsSeq(text) {
		if k, ok := strings.CutSuffix(word, strings.TrimSpace(sep)); ok {
			key = k
			continue
		}
		if key != "" {
			add(key, word)
			key = ""
		}
	}
}

// commenter reads sqlcommenter's key='value' pairs: all of the comment or nothing,
// so that a remark with an equals sign in it does not become a tag.
func commenter(text string, add func(key, value string)) {
	type pair struct{ key, value string }
	var found []pair
	for text != "" {
		key, rest, ok := strings.Cut(text, "='")
		if !ok || strings.ContainsAny(key, " \t\n'\"") && found == nil {
			return
		}
		end := quoteEnd(rest)
		if end < 0 {
			return
		}
		value, err := url.PathUnescape(strings.ReplaceAll(rest[:end], `\'`, `'`))
		k, err2 := url.PathUnescape(strings.TrimSpace(key))
		if err != nil || err2 != nil {
			return
		}
		found = append(found, pair{k, value})
		text = strings.TrimSpace(rest[end+1:])
		if text != "" {
			if text[0] != ',' {
				return
			}
			text = strings.TrimSpace(text[1:])
		}
	}
	for _, p := range found {
		add(p.key, p.value)
	}
}

// quoteEnd is the offset of the quote that ends a value; \' is none.
func quoteEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			return i
		}
	}
	return -1
}

// clip cuts a text at a rune and drops what is not text.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
