package pgtext

import (
	"bytes"
	"cmp"
	"strconv"
)

// class orders the values that are no digits: Postgres puts NaN above all.
type class int8

const (
	negInf class = -1
	finite class = 0
	posInf class = 1
	notNum class = 2
)

// Number is a decimal number of any length, read in place: it points into the
// cell it was read from. The zero value is 0.
type Number struct {
	class class
	neg   bool
	whole []byte // digits before the point, without leading zeros
	frac  []byte // digits after the point, without trailing zeros
	shown int    // digits after the point as they were written
}

// ParseNumber reads the text of an integer or a numeric. Exponents are not
// part of that text and are refused.
func ParseNumber(b []byte) (Number, bool) {
	var n Number
	if c, found := special(b); found {
		return Number{class: c}, true
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.neg = b[0] == '-'
		b = b[1:]
	}
	whole, frac, point := bytes.Cut(b, []byte{'.'})
	if len(whole)+len(frac) == 0 || point && len(frac) == 0 || !digits(whole) || !digits(frac) {
		return n, false
	}
	n.whole, n.frac = bytes.TrimLeft(whole, "0"), bytes.TrimRight(frac, "0")
	n.neg = n.neg && len(n.whole)+len(n.frac) > 0
	n.shown = len(frac)
	return n, true
}

func special(b []byte) (class, bool) {
	switch string(b) {
	case "NaN":
		return notNum, true
	case "Infinity":
		return posInf, true
	case "-Infinity":
		return negInf, true
	default:
		return finite, false
	}
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Finite tells whether the number is neither NaN nor infinite.
func (n Number) Finite() bool { return n.class == finite }

// NaN tells whether the number is not one.
func (n Number) NaN() bool { return n.class == notNum }

// Inf is 1 or -1 for an infinite number, else 0.
func (n Number) Inf() int {
	if n.class == notNum {
		return 0
	}
	return int(n.class)
}

// Digits counts the significant digits: those between the first and the last
// that are not zero, and the zeros before the point.
func (n Number) Digits() int {
	if len(n.whole) > 0 {
		return len(n.whole) + len(n.frac)
	}
	return len(bytes.TrimLeft(n.frac, "0"))
}

// Whole counts the digits before the point, without leading zeros.
func (n Number) Whole() int { return len(n.whole) }

// Scale counts the digits after the point that are needed.
func (n Number) Scale() int { return len(n.frac) }

// Shown counts the digits after the point that were written.
func (n Number) Shown() int { return n.shown }

// Unscaled returns number × 10^scale if that is a whole number of at most 18 digits.
func (n Number) Unscaled(scale int) (int64, bool) {
	if n.class != finite || len(n.frac) > scale || len(n.whole)+scale > 18 {
		return 0, false
	}
	var v int64
	for _, c := range n.whole {
		v = v*10 + int64(c-'0')
	}
	for i := range scale {
		v *= 10
		if i < len(n.frac) {
			v += int64(n.frac[i] - '0')
		}
	}
	if n.neg {
		v = -v
	}
	return v, true
}

// Append writes number × 10^scale as digits, with a minus if it is below zero;
// scale is at least Scale.
func (n Number) Append(dst []byte, scale int) []byte {
	if n.neg {
		dst = append(dst, '-')
	}
	at := len(dst)
	dst = append(append(dst, n.whole...), n.frac...)
	for range scale - len(n.frac) {
		dst = append(dst, '0')
	}
	if len(dst) == at {
		dst = append(dst, '0')
	}
	return dst
}

// Compare orders two numbers as Postgres does: NaN equals NaN and is above
// everything else.
func (n Number) Compare(m Number) int {
	if n.class != finite || m.class != finite {
		return cmp.Compare(n.class, m.class)
	}
	if n.neg != m.neg {
		if n.neg {
			return -1
		}
		return 1
	}
	c := cmp.Compare(len(n.whole), len(m.whole))
	if c == 0 {
		c = bytes.Compare(n.whole, m.whole)
	}
	if c == 0 {
		c = bytes.Compare(n.frac, m.frac) // without trailing zeros the shorter is the smaller
	}
	if n.neg {
		return -c
	}
	return c
}

// ParseFloat reads the text of a float of 32 or 64 bits.
func ParseFloat(b []byte, bits int) (float64, bool) {
	if len(b) > 64 || len(b) == 0 {
		return 0, false
	}
	switch c := b[len(b)-1]; {
	case c >= '0' && c <= '9':
		if bytes.ContainsAny(b, "xX_pP") {
			return 0, false // Go reads these, Postgres writes none
		}
	case string(b) != "NaN" && string(b) != "Infinity" && string(b) != "-Infinity":
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), bits)
	return f, err == nil
}

// CompareFloats orders two floats as Postgres does.
func CompareFloats(a, b float64) int {
	// cmp puts NaN below all; Postgres above.
	if a != a || b != b { //nolint:gocritic // only NaN differs from itself
		return -cmp.Compare(a, b)
	}
	return cmp.Compare(a, b)
}
