package policy

import "strings"

// Kind is the coarse sort of a statement, the word people use for it. The zero
// value is KindUnknown: what nobody could read is never taken for a read.
type Kind uint8

// The kinds of a statement.
const (
	KindUnknown Kind = iota
	KindRead
	KindWrite
	KindDDL
	KindCopyIn
	KindCopyOut
	KindUtility
	KindSession
	KindTransaction
)

var kindNames = [...]string{"unknown", "read", "write", "ddl", "copy_in", "copy_out", "utility", "session", "transaction"}

// String returns the word used in policies and audit records.
func (k Kind) String() string { return kindNames[k] }

// ParseKind is the inverse of Kind.String.
func ParseKind(s string) (Kind, bool) {
	for i, n := range kindNames {
		if n == s {
			return Kind(i), true
		}
	}
	return KindUnknown, false
}

// Verbs is the set of things a statement does; a statement may do several
// (a CTE that deletes and a SELECT that reads it).
type Verbs uint32

// The verbs of a policy.
const (
	VerbRead Verbs = 1 << iota
	VerbInsert
	VerbUpdate
	VerbDelete
	VerbMerge
	VerbTruncate
	VerbCopyIn
	VerbCopyOut
	VerbDDL
	VerbGrant
	VerbCall
	VerbFunction
	VerbUtility
	VerbSession
	VerbTransaction
	VerbUnknown
	// VerbResultRead belongs to the office: somebody reads a stored result.
	VerbResultRead

	verbEnd
)

// VerbWrites are the verbs that can change data or schema.
const VerbWrites = VerbInsert | VerbUpdate | VerbDelete | VerbMerge | VerbTruncate | VerbCopyIn | VerbDDL | VerbGrant | VerbCall | VerbFunction | VerbUnknown

var verbNames = [...]string{
	"read", "insert", "update", "delete", "merge", "truncate", "copy_in", "copy_out", "ddl", "grant",
	"call", "function", "utility", "session", "transaction", "unknown", "result_read",
}

// Has reports whether v holds any verb of other.
func (v Verbs) Has(other Verbs) bool { return v&other != 0 }

// Names returns the verbs in their fixed order.
func (v Verbs) Names() []string {
	var out []string
	for i, n := range verbNames {
		if v&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// String joins the names with a comma.
func (v Verbs) String() string { return strings.Join(v.Names(), ",") }

// ParseVerb is the inverse of one name.
func ParseVerb(s string) (Verbs, bool) {
	for i, n := range verbNames {
		if n == s {
			return 1 << i, true
		}
	}
	return 0, false
}

// Relation is a table, view or sequence as the statement names it: lower case
// unless quoted; an empty Schema means the search_path decides.
type Relation struct {
	Database string
	Schema   string
	Name     string
}

// String returns the dotted name, without quotes.
func (r Relation) String() string {
	switch {
	case r.Database != "":
		return r.Database + "." + r.Schema + "." + r.Name
	case r.Schema != "":
		return r.Schema + "." + r.Name
	}
	return r.Name
}

// Function is a function called by name.
type Function struct {
	Schema string
	Name   string
}

// String returns the dotted name, without quotes.
func (f Function) String() string {
	if f.Schema != "" {
		return f.Schema + "." + f.Name
	}
	return f.Name
}

// Features are yes-or-no facts of a statement.
type Features uint32

// The features.
const (
	// FeatWhere: every UPDATE and DELETE of the statement has a WHERE (also WHERE CURRENT OF);
	// for a plain SELECT: its outermost select has one.
	FeatWhere Features = 1 << iota
	// FeatLimit: the outermost select has LIMIT, FETCH FIRST or TOP.
	FeatLimit
	// FeatCatalogOnly: reads only pg_catalog and information_schema (and at least one of them) and does nothing else.
	FeatCatalogOnly
	// FeatImplicitCommit: ends the open transaction by itself (Redshift TRUNCATE, VACUUM …).
	FeatImplicitCommit
	// FeatCopyWire: a COPY that uses the wire (FROM STDIN, TO STDOUT).
	FeatCopyWire
	// FeatProgram: COPY … PROGRAM, runs a command on the server.
	FeatProgram
	// FeatServerFile: reads or writes a file of the server or an object store.
	FeatServerFile
	// FeatSecret: the text holds a credential by grammar (PASSWORD, CREDENTIALS, IAM_ROLE, USER MAPPING …).
	FeatSecret
	// FeatExplain: EXPLAIN without ANALYZE (nothing is executed).
	FeatExplain
	// FeatForUpdate: SELECT … FOR UPDATE/SHARE.
	FeatForUpdate
	// FeatCursorHold … the effects that end with or outlive a transaction, invisible to a look at
	// locks and transaction ids (the star list): they make the loss of a transaction visible.
	FeatCursorHold
	FeatSet          // SET, RESET, set_config, SET ROLE, DISCARD: session settings
	FeatSetLocal     // SET LOCAL, SET TRANSACTION
	FeatNotify       // LISTEN, UNLISTEN, NOTIFY, pg_notify
	FeatConstraints  // SET CONSTRAINTS
	FeatAdvisory     // advisory lock functions
	FeatLargeObject  // lo_* functions
	FeatCursor       // DECLARE without HOLD
	FeatTemp         // creates or drops temporary objects
	FeatLock         // LOCK TABLE
	FeatSequence     // nextval, setval, currval, lastval
	FeatVolatileCall // calls a function that is not known harmless by name alone (not in the built-in list)
)

// Star holds the features by which ending a transaction loses something that
// neither a transaction id nor a lock beyond AccessShare shows.
const Star = FeatCursorHold | FeatSet | FeatNotify | FeatConstraints | FeatLargeObject

// Unknowns says which facts of a statement could not be established. An
// unknown fact meets every deny, warn, queue, audit or quota condition it
// cannot exclude, and no condition of classify or except.
type Unknowns uint16

// The facts that can be unknown.
const (
	UnknownVerbs Unknowns = 1 << iota
	UnknownReads
	UnknownWrites
	UnknownFunctions
	UnknownWhere
	UnknownLimit
	UnknownEffects

	// UnknownAll: the statement could not be read at all.
	UnknownAll = UnknownVerbs | UnknownReads | UnknownWrites | UnknownFunctions | UnknownWhere | UnknownLimit | UnknownEffects
)

// TxControl is what a statement does to the transaction block.
type TxControl uint8

// The transaction control statements.
const (
	TxNone TxControl = iota
	TxBegin
	TxCommit
	TxRollback
	TxSavepoint
	TxRelease
	TxRollbackTo
	TxPrepare          // PREPARE TRANSACTION
	TxCommitPrepared   // COMMIT PREPARED
	TxRollbackPrepared // ROLLBACK PREPARED
	TxSet              // SET TRANSACTION …
)

// Tag is one key and value from a comment (sqlcommenter, dbt).
type Tag struct{ Key, Value string }

// Statement holds the facts of one SQL statement. It is immutable and shared
// between sessions: nobody changes it or its slices.
type Statement struct {
	Kind      Kind
	Verbs     Verbs
	Reads     []Relation // sorted by String, unique
	Writes    []Relation // sorted by String, unique
	Functions []Function // sorted by String, unique
	Features  Features
	Unknown   Unknowns

	Tx      TxControl
	TxChain bool // AND CHAIN
	// BEGIN, SET TRANSACTION, SET SESSION CHARACTERISTICS: the modes as SQL,
	// "ISOLATION LEVEL REPEATABLE READ, READ ONLY"; empty: defaults, or with SET
	// that they could not be read.
	TxModes string

	Prepared     string // PREPARE, EXECUTE, DEALLOCATE: the statement's name ("" with SQLDeallocate: ALL)
	Prepare      SQLPrepare
	Cursor       string // DECLARE, FETCH, CLOSE, WHERE CURRENT OF: the cursor's name
	Setting      string // SET, RESET, SHOW: the parameter, lower case ("" with RESET ALL, DISCARD)
	SettingValue string // SET search_path and SET lockkeeper.tags only: the value as written, unquoted, comma separated

	Fingerprint string // 16 hex digits, or "x" and a hash of the masked text; "function" of a FunctionCall
	Masked      string // the text without literals and comments, bounded
	PgAudit     string // pgaudit's class: READ, WRITE, FUNCTION, ROLE, DDL, MISC, MISC_SET

	Start, End int // byte range in the string it came from
}

// SQLPrepare tells what a statement does to SQL-level prepared statements.
type SQLPrepare uint8

// The prepared statement commands of SQL.
const (
	SQLPrepareNone   SQLPrepare = iota
	SQLPrepareDefine            // the facts of the inner statement are those of this one
	SQLExecute
	SQLDeallocate
)

// Batch is what one string of a Query or Parse message holds. It is immutable
// and shared between sessions.
type Batch struct {
	Statements                                      []Statement
	Tags                                            []Tag    // from the comments of the whole string, sorted by key, bounded
	Bytes                                           int      // length of the string
	Empty                                           bool     // no statement at all: an empty query or only comments
	Masked                                          string   // the statements' masked texts, joined with "; ", bounded by MaxMasked
	MaskedCut                                       bool     // Masked was cut
	Verbs                                           Verbs    // of all statements
	Features                                        Features // or-ed over all statements, but FeatWhere, FeatLimit, FeatCatalogOnly: and-ed
	Unknown                                         Unknowns // or-ed
	Fingerprint                                     string   // of the first statement, or a hash over all when there are several
	ReadNames, WriteNames, FunctionNames, VerbNames []string // ready for audit, bounded
}

// MaxMasked bounds Batch.Masked, in bytes.
const MaxMasked = 8 << 10
