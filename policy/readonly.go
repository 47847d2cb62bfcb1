package policy

import (
	"slices"
	"strings"
)

// This file says what a read-only principal may not run. The warehouse's
// session is read-only as well where the warehouse knows how: it sees what
// functions do. Here is seen what would end that mode, and all of it where the
// warehouse does not know the mode.

// modeSettings are the settings that make a session or transaction read-only,
// or make it somebody else's.
var modeSettings = []string{"transaction_read_only", "default_transaction_read_only", "role", "session_authorization"}

// Why a read-only principal may not run a statement.
const (
	causeWrites = iota
	causeUnread
	causeMode
)

const readOnlyDetail = "Whoever opened the session asked for it to be read-only."

// readOnlyRefusals are the words for each cause.
var readOnlyRefusals = [...]Refusal{
	causeWrites: {
		SQLState: "42501", Reason: "read_only", Detail: readOnlyDetail,
		Message: "this session is read-only: the statement writes",
		Hint:    "Take the part that writes out, or ask for a session that may write (access: read_write).",
	},
	causeUnread: {
		SQLState: "42501", Reason: "read_only", Detail: readOnlyDetail,
		Message: "this session is read-only, and what the statement does cannot be read from its text",
		Hint:    "Write it as plain SQL without code, or ask for a session that may write (access: read_write).",
	},
	causeMode: {
		SQLState: "42501", Reason: "read_only", Detail: readOnlyDetail,
		Message: "this session is read-only and stays so: the statement could change its mode or its role",
		Hint:    "Leave the mode and the role alone, or ask for a session that may write (access: read_write).",
	},
}

// readOnly returns why a read-only principal may not run the statement, nil if
// it may. What cannot be excluded is refused.
func (st *Statement) readOnly() *Refusal {
	switch {
	case st.Tx == TxRollback && !st.TxChain: // gives up a transaction: never refused
		return nil
	case st.Verbs.Has(VerbUnknown), st.Unknown&UnknownVerbs != 0, st.Kind == KindUnknown:
		return &readOnlyRefusals[causeUnread]
	case st.writes():
		return &readOnlyRefusals[causeWrites]
	case st.movesMode():
		return &readOnlyRefusals[causeMode]
	case st.Unknown&UnknownEffects != 0:
		return &readOnlyRefusals[causeUnread]
	}
	return nil
}

// writes tells whether the statement changes anything that outlives it, or may.
func (st *Statement) writes() bool {
	const file = FeatServerFile | FeatProgram
	switch {
	case st.Verbs.Has(VerbWrites), len(st.Writes) > 0, st.Unknown&UnknownWrites != 0:
		return true
	case st.Features&(FeatForUpdate|FeatProgram) != 0: // locks of rows are written into them
		return true
	case st.Features&FeatTemp != 0 && st.Kind != KindSession: // DISCARD TEMP gives up what nobody could make
		return true
	case st.Verbs.Has(VerbCopyOut) && st.Features&file != 0: // COPY TO a file, UNLOAD
		return true
	}
	return st.Tx == TxPrepare || st.Tx == TxCommitPrepared || st.Tx == TxRollbackPrepared
}

// movesMode tells whether the statement may leave the read-only mode, or become
// somebody else.
func (st *Statement) movesMode() bool {
	wide := strings.Contains(st.TxModes, "READ WRITE")
	switch {
	case st.Tx == TxBegin:
		return wide
	case st.Tx == TxSet, st.Setting == "session characteristics":
		return wide || st.TxModes == ""
	case st.Features&(FeatSet|FeatSetLocal) == 0: // SHOW has a setting, too
		return false
	case st.Setting == "": // RESET ALL and DISCARD lead back to how the session began
		return st.Kind != KindSession || st.Verbs != VerbSession || st.Features&FeatSetLocal != 0
	}
	return slices.Contains(modeSettings, st.Setting)
}
