package transform

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// sum adds exact decimal numbers without losing a digit: in 64 bits as long as
// they hold it, then in as many as it takes.
type sum struct {
	small int64
	big   *big.Int // what did not fit; both count in units of 10^-scale
	scale int
	shown int // digits after the point that the widest number showed
	nan   bool
	inf   int8 // seen: 1, -1; 2 for both
}

func (s *sum) add(n pgtext.Number) {
	switch {
	case n.NaN():
		s.nan = true
		return
	case n.Inf() != 0:
		s.infinite(int8(n.Inf()))
		return
	}
	s.shown = max(s.shown, n.Shown())
	s.rescale(n.Scale())
	v, ok := n.Unscaled(s.scale)
	if !ok {
		var wide big.Int
		wide.SetString(string(n.Append(nil, s.scale)), 10) // digits only: it reads
		s.spill(&wide)
		return
	}
	// Both are below 2^63 in amount; the sum wraps if the signs say so.
	if t := s.small + v; (t > s.small) == (v > 0) {
		s.small = t
		return
	}
	s.spill(big.NewInt(v))
}

func (s *sum) infinite(sign int8) {
	if s.inf != 0 && s.inf != sign {
		sign = 2
	}
	s.inf = sign
}

func (s *sum) spill(v *big.Int) {
	if s.big == nil {
		s.big = new(big.Int)
	}
	s.big.Add(s.big, v)
}

// rescale counts in smaller units from now on.
func (s *sum) rescale(scale int) {
	if scale <= s.scale {
		return
	}
	if s.small != 0 || s.big != nil {
		s.spill(big.NewInt(s.small))
		s.small = 0
		s.big.Mul(s.big, pow10(scale-s.scale))
	}
	s.scale = scale
}

func (s *sum) merge(o *sum) {
	s.nan = s.nan || o.nan
	switch o.inf {
	case 0:
	case 2:
		s.inf = 2
	default:
		s.infinite(o.inf)
	}
	s.shown = max(s.shown, o.shown)
	s.rescale(o.scale)
	total := o.total()
	s.spill(total.Mul(total, pow10(s.scale-o.scale)))
}

func (s *sum) total() *big.Int {
	t := big.NewInt(s.small)
	if s.big != nil {
		t.Add(t, s.big)
	}
	return t
}

// special is the word for a sum that is no number, or "".
func (s *sum) special() string {
	switch {
	case s.nan || s.inf == 2:
		return "NaN"
	case s.inf == 1:
		return "Infinity"
	case s.inf == -1:
		return "-Infinity"
	default:
		return ""
	}
}

// text writes the sum with all its digits.
func (s *sum) text() string {
	if word := s.special(); word != "" {
		return word
	}
	r := new(big.Rat).SetFrac(s.total(), pow10(s.scale))
	return r.FloatString(max(s.scale, s.shown))
}

// average writes sum/n with at least sixteen significant digits, rounded in
// the last, without zeros at the end beyond what the numbers showed.
func (s *sum) average(n int64) string {
	if word := s.special(); word != "" {
		return word
	}
	r := new(big.Rat).SetFrac(s.total(), new(big.Int).Mul(pow10(s.scale), big.NewInt(n)))
	return ratText(r, s.shown)
}

func ratText(r *big.Rat, shown int) string {
	// Zeros after the point are no significant digits.
	zeros := max(0, len(r.Denom().Text(10))-len(new(big.Int).Abs(r.Num()).Text(10)))
	text := r.FloatString(max(16, shown) + zeros)
	whole, frac, _ := strings.Cut(text, ".")
	keep := max(len(strings.TrimRight(frac, "0")), min(shown, len(frac)))
	if keep == 0 {
		return whole
	}
	return whole + "." + frac[:keep]
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// floatSum adds floats and keeps what rounding takes away (Neumaier), so that
// the order of the rows hardly matters.
type floatSum struct{ sum, lost float64 }

func (s *floatSum) add(v float64) {
	t := s.sum + v
	if math.Abs(s.sum) >= math.Abs(v) {
		s.lost += s.sum - t + v
	} else {
		s.lost += v - t + s.sum
	}
	s.sum = t
}

func (s *floatSum) value() float64 {
	if math.IsInf(s.sum, 0) || math.IsNaN(s.sum) {
		return s.sum
	}
	return s.sum + s.lost
}

// floatText writes a float as Postgres does.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
}
