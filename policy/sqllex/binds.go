package sqllex

// BindRef is a :name and where it stands.
type BindRef struct {
	Name string // without the colon
	Span
}

// Binds returns the :names of src outside literals, comments and quoted names.
// Casts (::), assignments (:=) and array slices are not among them: in brackets a
// colon right behind a value is a slice, so write a[:lo] or a[1 :hi] to bind.
func Binds(src string, mode Mode) []BindRef {
	mode.Binds = true
	var out []BindRef
	l := New(src, mode)
	for {
		t, ok := l.Next()
		if !ok {
			return out
		}
		if t.Kind == Bind {
			out = append(out, BindRef{Name: src[t.Start+1 : t.End], Span: Span{t.Start, t.End}})
		}
	}
}
