package query

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Bounds of parameters.
const (
	MaxParams     = 200
	maxParamBytes = 512 << 10 // of all values together
	maxList       = 1000      // elements that a list is expanded to, on Redshift
	maxParamName  = 63
)

// value is a parameter as it is bound: one text, or a list of them.
type value struct {
	name string
	oid  uint32 // of the text, or of one element of a list; 0: the server infers
	all  uint32 // of the whole list
	text *string
	list []*string
	many bool
}

// encode reads the parameters of a request.
func (n *typeNames) encode(params []Param) (map[string]value, error) {
	if len(params) > MaxParams {
		return nil, admin.Errorf(admin.Invalid, "bad-request", "There are %d parameters; at most %d are possible.", len(params), MaxParams)
	}
	out := make(map[string]value, len(params))
	size := 0
	for i, p := range params {
		v, err := n.encodeOne(p)
		if err == nil {
			if _, twice := out[p.Name]; twice {
				err = fmt.Errorf("the parameter %q is given twice", p.Name)
			}
		}
		if err != nil {
			e := admin.Errorf(admin.Invalid, "bad-request", "Parameter %q: %s.", clip(p.Name, maxParamName), err.Error())
			e.Fields = []admin.FieldError{{Pointer: "/params/" + strconv.Itoa(i), Message: err.Error()}}
			return nil, e
		}
		size += v.size()
		out[p.Name] = v
	}
	if size > maxParamBytes {
		return nil, admin.Errorf(admin.TooLarge, "params-too-large", "The parameters have %d bytes; at most %d are possible. Load large lists into a table and join it.", size, maxParamBytes)
	}
	return out, nil
}

func (n *typeNames) encodeOne(p Param) (value, error) {
	v := value{name: p.Name}
	if p.Name == "" || len(p.Name) > maxParamName || !utf8.ValidString(p.Name) {
		return v, fmt.Errorf("a name has 1 to %d bytes", maxParamName)
	}
	base, many := strings.CutSuffix(strings.ToLower(strings.TrimSpace(p.Type)), "[]")
	t, known := n.lookup(base)
	if base != "" && base != "auto" && !known {
		return v, fmt.Errorf("the type %q is not known here; leave it out, and the warehouse infers it", clip(p.Type, maxParamName))
	}
	v.oid, v.all, v.many = t.oid, t.array, many
	list, isList := p.Value.([]any)
	if isList && !many {
		return v, fmt.Errorf("a list needs the type of a list, such as %q", base+"[]")
	}
	if !many {
		text, err := textOf(p.Value)
		v.text = text
		return v, err
	}
	if p.Value == nil { // the list itself is NULL
		return v, nil
	}
	if !isList {
		return v, fmt.Errorf("the type %q needs a list of values", clip(p.Type, maxParamName))
	}
	v.list = make([]*string, len(list))
	for i, element := range list {
		text, err := textOf(element)
		if err != nil {
			return v, fmt.Errorf("element %d: %w", i, err)
		}
		v.list[i] = text
	}
	return v, nil
}

func (v value) size() int {
	size := len(v.name)
	for _, s := range append([]*string{v.text}, v.list...) {
		if s != nil {
			size += len(*s) + 3
		}
	}
	return size
}

// textOf writes a JSON value as the server reads it; nil is NULL.
func textOf(x any) (*string, error) {
	var s string
	switch x := x.(type) {
	case nil:
		return nil, nil //nolint:nilnil // this is NULL
	case string:
		s = x
	case bool:
		s = strconv.FormatBool(x)
	case json.Number:
		s = x.String()
	case int:
		s = strconv.Itoa(x)
	case int64:
		s = strconv.FormatInt(x, 10)
	case float64:
		if x != float64(int64(x)) || x > 1<<53 || x < -1<<53 {
			s = strconv.FormatFloat(x, 'g', -1, 64)
			break
		}
		s = strconv.FormatInt(int64(x), 10)
	case map[string]any:
		b, err := json.Marshal(x)
		if err != nil {
			return nil, fmt.Errorf("write it as JSON: %w", err)
		}
		s = string(b)
	default:
		return nil, fmt.Errorf("a value is a string, a number, true, false or null, not %T", x)
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("a value is valid UTF-8 without a zero byte")
	}
	return &s, nil
}

// arrayLiteral writes a list as the text of an array: every element is quoted,
// so that none can be taken for a brace, a comma or NULL.
func arrayLiteral(list []*string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		if s == nil {
			b.WriteString("NULL")
			continue
		}
		b.WriteByte('"')
		for j := 0; j < len(*s); j++ {
			if c := (*s)[j]; c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte((*s)[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// clip shortens a text that goes into an answer, between characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
