package backup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRow: a row that is read is written in the one form that is read as the
// same again; what is no row is an error.
func FuzzRow(f *testing.F) {
	columns := []Column{{"a", Text}, {"b", Int}, {"c", Bytes}}
	for _, line := range []string{
		`["x",1,{"bytes":"AAE="}]`, `[null,null,null]`, `[{"text":"/w=="},-9223372036854775808,"text"]`, `["\ud800",0,{"bytes":""}]`,
		`[1,1,1]`, `["x",1]`, `["x",1.0,null]`, `[{"text":"","bytes":""},1,null]`, ` [ "x" , 1 , null ] `,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		row, err := parseRow(line, columns)
		if err != nil {
			return
		}
		text, err := appendRow(nil, columns, row)
		if err != nil {
			t.Fatalf("%q cannot be written: %v", row, err)
		}
		again, err := parseRow(text, columns)
		if err != nil || !cmp.Equal(row, again) {
			t.Fatalf("%q → %q → %q, %v", line, text, again, err)
		}
	})
}
