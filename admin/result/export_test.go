package result

import (
	"encoding/binary"
	"slices"
)

// Assemble makes a file of one chunk as it stands in the file and an index in
// the clear, with checksums that fit.
func Assemble(plainIndex, chunk []byte) []byte {
	enc, err := newEncoder()
	if err != nil {
		panic(err)
	}
	defer enc.Close()
	sealed := enc.EncodeAll(plainIndex, nil)
	b := slices.Concat([]byte(head), chunk, sealed)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sealed)))
	b = binary.LittleEndian.AppendUint32(b, checksum(sealed))
	return append(b, foot...)
}

// AssembleChunk makes a file of one chunk with these raw bytes, of which the
// index says what it is told to say.
func AssembleChunk(raw []byte, rows uint32, columns int) []byte {
	enc, err := newEncoder()
	if err != nil {
		panic(err)
	}
	defer enc.Close()
	packed := enc.EncodeAll(raw, nil)
	x := index{columns: make([]Column, columns), chunks: []entry{{rows: rows, raw: uint32(len(raw)), sealed: uint32(len(packed)), sum: checksum(packed)}}}
	return Assemble(x.append(nil), packed)
}
