package result

import (
	"encoding/binary"
	"math/bits"
)

// AppendRow packs a row as it stands in a chunk, NULL and ” apart.
func AppendRow(dst []byte, row [][]byte) []byte {
	if len(row) == 0 {
		return append(dst, 0)
	}
	for _, cell := range row {
		dst = append(appendLength(dst, cell), cell...)
	}
	return dst
}

// ParseRow reads a packed row into row, which has as many cells as were
// packed, and returns what follows. The cells point into b.
func ParseRow(b []byte, row [][]byte) (rest []byte, ok bool) {
	if len(row) == 0 {
		if len(b) == 0 || b[0] != 0 {
			return nil, false
		}
		return b[1:], true
	}
	for i := range row {
		if len(b) == 0 {
			return nil, false
		}
		n, width := uint64(b[0]), 1
		if n >= 0x80 {
			n, width = binary.Uvarint(b)
		}
		if width <= 0 || n > uint64(len(b)-width)+1 {
			return nil, false
		}
		b = b[width:]
		if n == 0 {
			row[i] = nil
			continue
		}
		row[i] = b[: n-1 : n-1]
		b = b[n-1:]
	}
	return b, true
}

// packedLen is the length of a packed row. A row without columns takes a byte
// too, so that rows can be counted by what is there.
func packedLen(row [][]byte) int {
	size := 0
	for _, cell := range row {
		size++
		if cell != nil {
			size += len(cell) + (bits.Len(uint(len(cell)+1))-1)/7
		}
	}
	return max(size, 1)
}

func appendLength(b, cell []byte) []byte {
	switch {
	case cell == nil:
		return append(b, 0)
	case len(cell) < 0x7f:
		return append(b, byte(len(cell)+1))
	default:
		return binary.AppendUvarint(b, uint64(len(cell))+1)
	}
}
