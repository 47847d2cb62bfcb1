package audit

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"
)

// Prefix is what stands at the same place in every stored line. It is read
// without decoding the rest; its slices are valid as long as the line.
type Prefix struct {
	ID   []byte // 26 letters
	Seq  uint64
	Time []byte // as text: compares like the time it names
	Kind []byte
}

// timeText is the width of a stored time.
const timeText = len("2006-01-02T15:04:05.000000Z")

// ParsePrefix reads the beginning of a line. It reports false when the line is
// not one of ours.
func ParsePrefix(line []byte) (Prefix, bool) {
	var p Prefix
	rest, ok := bytes.CutPrefix(line, []byte(`{"v":`))
	if !ok {
		return p, false
	}
	if _, rest, ok = cutUint(rest); !ok {
		return p, false
	}
	if p.ID, rest, ok = cutField(rest, `,"id":"`, ulidText); !ok {
		return p, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`","seq":`)); !ok {
		return p, false
	}
	if p.Seq, rest, ok = cutUint(rest); !ok {
		return p, false
	}
	if p.Time, rest, ok = cutField(rest, `,"time":"`, timeText); !ok {
		return p, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`","kind":"`)); !ok {
		return p, false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return p, false
	}
	p.Kind = rest[:end]
	return p, true
}

// IsHeader reports whether the line begins a segment.
func (p Prefix) IsHeader() bool { return string(p.Kind) == string(KindSegment) }

// AppendTime appends t in the form of Prefix.Time, to compare with it.
func AppendTime(b []byte, t time.Time) []byte { return appendTime(b, t) }

// SplitLine parts a line, without its newline, into the record and the chain
// value that it claims. It reports false when there is none.
func SplitLine(line []byte) (record []byte, claimed Hash, ok bool) {
	cut := len(line) - chainTail
	if cut <= 0 {
		return nil, claimed, false
	}
	text, ok := bytes.CutPrefix(line[cut:], []byte(`,"chain":"`))
	if !ok || string(text[2*len(claimed):]) != `"}` {
		return nil, claimed, false
	}
	if _, err := hex.Decode(claimed[:], text[:2*len(claimed)]); err != nil {
		return nil, claimed, false
	}
	return line[:cut], claimed, true
}

// ParseHeader reads what a segment's header says beyond its prefix.
func ParseHeader(record []byte) (segment uint64, prev Hash, ok bool) {
	_, rest, ok := bytes.Cut(record, []byte(`","segment":`))
	if !ok {
		return 0, prev, false
	}
	segment, rest, ok = cutUint(rest)
	if !ok {
		return 0, prev, false
	}
	text, _, ok := cutField(rest, `,"prev":"`, 2*len(prev))
	if !ok || prev.UnmarshalText(text) != nil {
		return 0, prev, false
	}
	return segment, prev, true
}

func cutField(b []byte, before string, width int) (value, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(b, []byte(before))
	if !ok || len(rest) < width {
		return nil, nil, false
	}
	return rest[:width], rest[width:], true
}

func cutUint(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + uint64(b[i]-'0')
		i++
	}
	if i == 0 || i > 20 {
		return 0, nil, false
	}
	if i >= 19 { // may not fit: the slow and sure way
		var err error
		if n, err = strconv.ParseUint(string(b[:i]), 10, 64); err != nil {
			return 0, nil, false
		}
	}
	return n, b[i:], true
}
