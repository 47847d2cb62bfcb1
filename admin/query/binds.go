package query

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// bound is one statement ready to be sent: its text with $1 for :name, what is
// bound, and the way back to the text it came from.
type bound struct {
	span   sqllex.Span // in the submitted SQL, bytes
	sql    string
	oids   []uint32
	values []*string
	pieces []piece
}

// piece is a part of the sent text and where it came from. What was replaced
// came from one place.
type piece struct {
	at       int // in the sent text, bytes
	from     int // in the submitted SQL, bytes
	replaced bool
}

// binder turns statements into bound ones.
type binder struct {
	src    string
	mode   sqllex.Mode
	values map[string]value
	tokens []sqllex.Token // of one statement, without space and comments

	out     strings.Builder
	b       *bound
	numbers map[string]int // first $n of a name in this statement
}

// bind prepares the statement of a span. Only names that have a value are
// bound; one that stands where only a parameter can and has none is an error.
func bind(src string, span sqllex.Span, mode sqllex.Mode, values map[string]value) (bound, error) {
	mode.Binds = true
	d := binder{src: src, mode: mode, values: values, b: &bound{span: span}, numbers: map[string]int{}}
	d.read()
	pos := span.Start
	for i, t := range d.tokens {
		if t.Kind != sqllex.Bind || t.Start < pos {
			continue
		}
		name := src[t.Start+1 : t.End]
		v, ok := values[name]
		if !ok {
			if i > 0 && src[d.tokens[i-1].Start:d.tokens[i-1].End] == "[" {
				continue // a[:hi] is a slice
			}
			e := admin.Errorf(admin.Unprocessable, "param-missing", "The parameter :%s has no value.", clip(name, maxParamName))
			e.Extra = map[string]any{"param": name, "position": positionAt(src, t.Start)}
			return bound{}, e
		}
		if err := d.replace(i, pos, name, v); err != nil {
			return bound{}, err
		}
		pos = t.End
	}
	d.keep(pos, span.End)
	d.b.sql = d.out.String()
	return *d.b, nil
}

// read collects the tokens of the statement.
func (d *binder) read() {
	text := d.src[:d.b.span.End]
	l := sqllex.New(text, d.mode)
	for {
		t, ok := l.Next()
		if !ok {
			return
		}
		if t.Start >= d.b.span.Start && !t.Kind.Insignificant() {
			d.tokens = append(d.tokens, t)
		}
	}
}

// keep copies a part of the submitted text.
func (d *binder) keep(from, to int) {
	if from >= to {
		return
	}
	d.b.pieces = append(d.b.pieces, piece{at: d.out.Len(), from: from})
	d.out.WriteString(d.src[from:to])
}

func (d *binder) put(text string, from int) {
	d.b.pieces = append(d.b.pieces, piece{at: d.out.Len(), from: from, replaced: true})
	d.out.WriteString(text)
}

// replace writes what stands for the bind at token i; pos is how far the text
// is written.
func (d *binder) replace(i, pos int, name string, v value) error {
	t := d.tokens[i]
	if !v.many || d.mode.Dialect != sqllex.Redshift {
		d.keep(pos, t.Start)
		d.put("$"+strconv.Itoa(d.number(name, v)), t.Start)
		return nil
	}
	if len(v.list) == 0 || len(v.list) > maxList {
		return admin.Errorf(admin.Unprocessable, "param-list", "The list :%s has %d values; on Redshift a list has 1 to %d. Load longer ones into a table and join it.", clip(name, maxParamName), len(v.list), maxList)
	}
	// = any(:x) takes an array, which Redshift has not; in (…) means the same.
	if word, from := d.quantifier(i); word != "" {
		d.keep(pos, from)
		d.put(word, from)
		pos = d.tokens[i-1].Start
	}
	d.keep(pos, t.Start)
	first := d.number(name, v)
	marks := make([]string, len(v.list))
	for k := range marks {
		marks[k] = "$" + strconv.Itoa(first+k)
	}
	d.put(strings.Join(marks, ","), t.Start)
	return nil
}

// quantifier looks for "= any (" or "<> all (" before token i.
func (d *binder) quantifier(i int) (word string, from int) {
	if i < 3 || d.text(i-1) != "(" {
		return "", 0
	}
	op, which := d.text(i-3), strings.ToLower(d.text(i-2))
	switch {
	case op == "=" && (which == "any" || which == "some"):
		return "in ", d.tokens[i-3].Start
	case (op == "<>" || op == "!=") && which == "all":
		return "not in ", d.tokens[i-3].Start
	}
	return "", 0
}

func (d *binder) text(i int) string { return d.src[d.tokens[i].Start:d.tokens[i].End] }

// number gives a name its $n, the first of several for a list on Redshift.
func (d *binder) number(name string, v value) int {
	if n, ok := d.numbers[name]; ok {
		return n
	}
	n := len(d.b.values) + 1
	d.numbers[name] = n
	switch {
	case !v.many:
		d.add(v.oid, v.text)
	case d.mode.Dialect == sqllex.Redshift:
		for _, s := range v.list {
			d.add(v.oid, s)
		}
	case v.list == nil:
		d.add(v.all, nil)
	default:
		text := arrayLiteral(v.list)
		d.add(v.all, &text)
	}
	return n
}

func (d *binder) add(oid uint32, text *string) {
	d.b.oids, d.b.values = append(d.b.oids, oid), append(d.b.values, text)
}

// origin maps a position that the server reports, in characters from 1, back
// to a byte of the submitted SQL.
func (b *bound) origin(position int) int {
	at := byteOf(b.sql, position-1)
	i, found := slices.BinarySearchFunc(b.pieces, at, func(p piece, at int) int { return p.at - at })
	if !found {
		i--
	}
	if i < 0 {
		return b.span.Start
	}
	p := b.pieces[i]
	if p.replaced {
		return p.from
	}
	return min(p.from+at-p.at, b.span.End)
}

// byteOf returns the byte at which a character begins, counted from 0.
func byteOf(s string, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// positionAt tells a byte of a text as people count.
func positionAt(src string, at int) *Position {
	at = min(max(at, 0), len(src))
	before := src[:at]
	line := strings.LastIndexByte(before, '\n') + 1
	return &Position{
		Offset: utf8.RuneCountInString(before),
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[line:]) + 1,
	}
}

// rangeOf tells a span in code points.
func rangeOf(src string, span sqllex.Span) [2]int {
	from := utf8.RuneCountInString(src[:span.Start])
	return [2]int{from, from + utf8.RuneCountInString(src[span.Start:span.End])}
}
