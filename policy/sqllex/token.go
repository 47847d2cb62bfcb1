package sqllex

// Dialect is the server whose scanner rules hold.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota
	Redshift
)

// String returns the dialect's name as configuration spells it.
func (d Dialect) String() string {
	if d == Redshift {
		return "redshift"
	}
	return "postgres"
}

// Mode fixes all that the text alone does not say.
type Mode struct {
	Dialect Dialect
	// Backslash: a backslash escapes in plain '…' literals, as Redshift always has
	// it and Postgres with standard_conforming_strings off.
	Backslash bool
	// Binds: a :name is a token of its own (the office's bound parameters). Without
	// it a colon is punctuation.
	Binds bool
}

// backslash reports whether plain literals have escapes.
func (m Mode) backslash() bool { return m.Backslash || m.Dialect == Redshift }

// Kind is the sort of a token.
type Kind uint8

// The kinds of tokens.
const (
	Space        Kind = iota
	LineComment       // -- to the end of the line
	BlockComment      // /* … */, nested
	Word              // keyword or name without quotes; on Redshift also #name
	Quoted            // "name"
	UQuoted           // U&"name"
	String            // '…'; like all literals with its continuation lines
	EString           // E'…'
	UString           // U&'…'
	BitString         // B'…' and X'…'
	Dollar            // $tag$…$tag$
	Number
	Param    // $1
	Bind     // :name
	Operator // a run of operator characters
	Punct    // one of ( ) [ ] , ; . : or :: := ..
	Bad      // an open quote or comment up to the end, or a byte no rule takes
)

// Token is one token: its sort and its bytes Start to End.
type Token struct {
	Kind       Kind
	Start, End int
}

// Insignificant reports whether the server's grammar never sees the token.
func (k Kind) Insignificant() bool { return k <= BlockComment }

// Literal reports whether the token is a value: what must not leave the house.
// Bad counts, since an open quote is the start of one.
func (k Kind) Literal() bool {
	switch k {
	case String, EString, UString, BitString, Dollar, Number, Bad:
		return true
	case Space, LineComment, BlockComment, Word, Quoted, UQuoted, Param, Bind, Operator, Punct:
	}
	return false
}

// Text reports whether the token is a literal between quotes.
func (k Kind) Text() bool {
	return k == String || k == EString || k == UString || k == BitString || k == Dollar
}
