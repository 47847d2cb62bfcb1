package result

import (
	"encoding/binary"
	"hash/crc32"
)

// Sizes of the file.
const (
	// MaxRow bounds the cells of one row together. Postgres sends no longer one.
	MaxRow = 1 << 30
	// MaxColumns is what Postgres allows in a result.
	MaxColumns = 1664

	chunkSize  = 1 << 20       // raw bytes of a chunk, at most
	maxSealed  = 2 * chunkSize // of a stored chunk: incompressible, and the sealer's part
	maxIndex   = 64 << 20      // of the index, packed or not; enough for a terabyte of rows
	maxName    = 1 << 16       // of a column's or a type's name
	head       = "LKROWS\x00\x01"
	foot       = "LKRIDX\x00\x01"
	trailerLen = 8 + 4 + 4 + len(foot)
	minEntry   = 3 + 4 // three uvarints and a checksum
)

// entry is one chunk in the index.
type entry struct {
	first  int64 // row that starts first in it; of a continuation: the row after
	offset int64 // in the file
	rows   uint32
	raw    uint32 // bytes before compression
	sealed uint32 // bytes in the file
	sum    uint32 // of the sealed bytes
}

// index is what the final part says.
type index struct {
	columns []Column
	count   int64 // rows
	raw     int64 // bytes before compression
	chunks  []entry
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (x *index) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(x.columns)))
	for _, c := range x.columns {
		b = appendText(b, c.Name)
		b = appendText(b, c.Type)
		b = binary.AppendUvarint(b, uint64(c.OID))
		b = binary.AppendVarint(b, int64(c.Typmod))
	}
	b = binary.AppendUvarint(b, uint64(len(x.chunks)))
	for _, e := range x.chunks {
		b = binary.AppendUvarint(b, uint64(e.rows))
		b = binary.AppendUvarint(b, uint64(e.raw))
		b = binary.AppendUvarint(b, uint64(e.sealed))
		b = binary.LittleEndian.AppendUint32(b, e.sum)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseIndex reads the index of a file whose chunks lie between the head and
// end.
func parseIndex(b []byte, end int64) (*index, error) {
	p := parser{b: b}
	x := new(index)
	n := p.uvarint(MaxColumns)
	for range n {
		c := Column{Name: p.text(), Type: p.text(), OID: uint32(p.uvarint(1<<32 - 1)), Typmod: p.typmod()}
		if p.bad {
			return nil, indexDamage("its columns do not read", nil)
		}
		x.columns = append(x.columns, c)
	}
	n = p.uvarint(uint64(len(p.b) / minEntry))
	if p.bad {
		return nil, indexDamage("it names more chunks than it has room for", nil)
	}
	x.chunks = make([]entry, 0, n)
	offset := int64(len(head))
	for i := range n {
		e := entry{first: x.count, offset: offset, rows: uint32(p.uvarint(chunkSize)), raw: uint32(p.uvarint(chunkSize)), sealed: uint32(p.uvarint(maxSealed)), sum: p.uint32()}
		if p.bad || e.raw == 0 || e.rows > e.raw || i == 0 && e.rows == 0 {
			return nil, chunkDamage(int(i), "the index describes it in an impossible way", nil)
		}
		offset += int64(e.sealed)
		x.count += int64(e.rows)
		x.raw += int64(e.raw)
		x.chunks = append(x.chunks, e)
	}
	if len(p.b) > 0 || offset != end {
		return nil, indexDamage("its chunks do not fill the file", nil)
	}
	return x, nil
}

// parser reads the index; once something does not read, bad stays true.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || v > limit {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) typmod() int32 {
	v, n := binary.Varint(p.b)
	if n <= 0 || v != int64(int32(v)) {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return int32(v)
}

func (p *parser) text() string {
	n := p.uvarint(maxName)
	if p.bad || n > uint64(len(p.b)) {
		p.bad = true
		return ""
	}
	s := string(p.b[:n])
	p.b = p.b[n:]
	return s
}

func (p *parser) uint32() uint32 {
	if len(p.b) < 4 {
		p.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(p.b)
	p.b = p.b[4:]
	return v
}
