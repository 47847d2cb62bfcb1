package pgtext

import "bytes"

// Value is one cell, read once so that it can be compared many times. It may
// point into the cell.
type Value struct {
	number Number
	float  float64
	moment Moment
	span   Span
	text   []byte
}

// Parse reads a cell as its kind says; ok is false if it does not read so. Kinds
// without an order of their own are ordered by the bytes of their text.
func Parse(k Kind, b []byte) (v Value, ok bool) {
	switch {
	case k.Exact():
		v.number, ok = ParseNumber(b)
	case k.Float():
		v.float, ok = ParseFloat(b, 64)
	case k.Day():
		v.moment, ok = ParseMoment(k, b)
	case k == Interval:
		v.span, ok = ParseInterval(b)
	case k == Bool:
		v.text, ok = b, string(b) == "t" || string(b) == "f"
	default:
		v.text, ok = b, true
	}
	return v, ok
}

// Compare orders two values of one kind. Text is ordered by its bytes.
func Compare(k Kind, a, b Value) int {
	switch {
	case k.Exact():
		return a.number.Compare(b.number)
	case k.Float():
		return CompareFloats(a.float, b.float)
	case k.Day():
		return a.moment.Compare(b.moment)
	case k == Interval:
		return a.span.Compare(b.span)
	default:
		return bytes.Compare(a.text, b.text)
	}
}

// Number returns the decimal number that was read.
func (v Value) Number() Number { return v.number }

// Float returns the float that was read.
func (v Value) Float() float64 { return v.float }

// Moment returns the point in time that was read.
func (v Value) Moment() Moment { return v.moment }
