package format

import (
	"bytes"

	"github.com/parquet-go/parquet-go"
)

// boundBytes is what the index of pages keeps of the least and the greatest
// value of a page.
const boundBytes = 16

// brief is a type of texts or bytes whose index of pages is kept short from the
// start: the writer's own cuts the bounds at the end only, and holds a whole
// value for each page till then.
type brief struct{ parquet.Type }

// NewColumnIndexer returns the index of a column, which cuts nothing itself.
func (b brief) NewColumnIndexer(int) parquet.ColumnIndexer {
	return &briefIndexer{ColumnIndexer: b.Type.NewColumnIndexer(0)}
}

type briefIndexer struct{ parquet.ColumnIndexer }

// IndexPage notes bounds of a page, which hold but need not be values of it.
func (i *briefIndexer) IndexPage(values, nulls int64, least, greatest parquet.Value) {
	if values > nulls {
		least, greatest = below(least), above(greatest)
	}
	i.ColumnIndexer.IndexPage(values, nulls, least, greatest)
}

// below returns a short value that is not above v.
func below(v parquet.Value) parquet.Value {
	b := v.ByteArray()
	return parquet.ByteArrayValue(b[:min(len(b), boundBytes)])
}

// above returns a short value that is not below v, if there is one. No value is
// that of a page of a wide column, of which no bounds are kept: the bound is then
// above every text.
func above(v parquet.Value) parquet.Value {
	if v.IsNull() {
		return parquet.ByteArrayValue(bytes.Repeat([]byte{0xff}, boundBytes))
	}
	b := v.ByteArray()
	if len(b) <= boundBytes {
		return v
	}
	short := bytes.Clone(b[:boundBytes])
	for i := len(short) - 1; i >= 0; i-- {
		if short[i]++; short[i] != 0 {
			return parquet.ByteArrayValue(short[:i+1])
		}
	}
	return v
}
