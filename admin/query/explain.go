package query

// ExplainRequest asks what a text would do.
type ExplainRequest struct {
	Target string  `json:"target"`
	SQL    string  `json:"sql"`
	Params []Param `json:"params"`
}

// Explanation says what a text would do, without running it.
type Explanation struct {
	Statements []ExplainedStatement `json:"statements"`
	Plan       *Plan                `json:"plan"`
	Params     []ExplainedParam     `json:"params"`
}

// ExplainedStatement is one statement and what the policy says about it.
type ExplainedStatement struct {
	Index     int               `json:"index"`
	Range     [2]int            `json:"range"`
	Kind      string            `json:"kind"`
	Verbs     []string          `json:"verbs"`
	Reads     []string          `json:"reads"`
	Writes    []string          `json:"writes"`
	Functions []string          `json:"functions"`
	Unknown   bool              `json:"unknown"`
	Verdict   string            `json:"verdict"`
	Class     string            `json:"class"`
	Rules     []string          `json:"rules"`
	Limits    map[string]string `json:"limits"`
	Message   string            `json:"message"`
}

// Plan is the warehouse's plan, or why there is none.
type Plan struct {
	Text  string    `json:"text,omitempty"`
	Error *RunError `json:"error,omitempty"`
}

// ExplainedParam is a :name of the text, and the type it was given, if any.
type ExplainedParam struct {
	Name string  `json:"name"`
	Type *string `json:"type"`
}

// Verdict is what the policy would decide.
type Verdict struct {
	Verdict string // allow, warn, queue, deny
	Class   string
	Rules   []string
	Limits  map[string]string
	Message string // of a refusal or a warning
}
