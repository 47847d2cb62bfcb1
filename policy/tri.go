package policy

// tri is the truth of a fact that may be unknown. The order of the values
// makes "and" the minimum, "or" the maximum.
type tri uint8

const (
	no tri = iota
	unknown
	yes
)

var triNames = [...]string{"no", "unknown", "yes"}

func (t tri) String() string { return triNames[t] }

func (t tri) not() tri { return yes - t }

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}
