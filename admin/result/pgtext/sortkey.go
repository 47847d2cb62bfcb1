package pgtext

import (
	"encoding/binary"
	"math"
)

// AppendKey appends bytes that stand in the order of the values: for two cells
// of one kind, bytes.Compare of their keys is Compare of their values, also if
// more keys follow. Equal values have equal keys, however they are written.
func AppendKey(dst []byte, k Kind, cell []byte) ([]byte, bool) {
	v, ok := Parse(k, cell)
	if !ok {
		return dst, false
	}
	switch {
	case k.Exact():
		return appendNumberKey(dst, v.number), true
	case k.Float():
		return binary.BigEndian.AppendUint64(dst, floatBits(v.float)), true
	case k.Day():
		dst = append(dst, byte(v.moment.Inf+1))
		return appendPair(dst, v.moment.Days, v.moment.Micros), true
	case k == Interval:
		return appendPair(dst, v.span.days, v.span.micros), true
	default:
		for _, c := range v.text {
			if dst = append(dst, c); c == 0 {
				dst = append(dst, 0xff)
			}
		}
		return append(dst, 0, 0), true
	}
}

// appendNumberKey writes the class, then how many digits there are before the
// point, then the digits and an end that is below all digits; for numbers
// below zero all of that is turned round.
func appendNumberKey(dst []byte, n Number) []byte {
	switch {
	case n.class == negInf:
		return append(dst, 0)
	case n.class != finite:
		return append(dst, byte(3+n.class)) // infinity, then NaN
	case n.neg:
		dst = append(dst, 1)
	case len(n.whole)+len(n.frac) == 0:
		return append(dst, 2)
	default:
		dst = append(dst, 3)
	}
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(n.whole)))
	dst = append(append(append(dst, n.whole...), n.frac...), 0)
	if n.neg {
		Invert(dst[at:])
	}
	return dst
}

// Invert turns the order of keys round, in place.
func Invert(key []byte) {
	for i := range key {
		key[i] = ^key[i]
	}
}

// floatBits orders floats as unsigned integers, NaN above all, -0 equal to 0.
func floatBits(f float64) uint64 {
	if f != f { //nolint:gocritic // only NaN differs from itself
		return math.MaxUint64
	}
	b := math.Float64bits(f + 0) // -0 + 0 is 0
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

func appendPair(dst []byte, a, b int64) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(a)^1<<63)
	return binary.BigEndian.AppendUint64(dst, uint64(b)^1<<63)
}
