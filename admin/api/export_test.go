package api

// Patterns returns all patterns of the mux, for the test that compares them with
// the OpenAPI document.
func (a *API) Patterns() []string { return a.mux.patterns }

// The parsers, for their fuzz targets.
var (
	NoneMatch   = noneMatch
	Quoted      = quoted
	Revision    = revision
	JSONPointer = pointer
)

// ShowPrefer returns how long a Prefer header waits, and what is said to be applied.
func ShowPrefer(header string) (seconds float64, applied string) {
	p := parsePrefer(header, 0)
	return p.wait.Seconds(), p.applied
}
