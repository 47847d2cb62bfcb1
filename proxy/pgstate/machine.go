package pgstate

import "github.com/lockkeeper/lockkeeper/proxy/pgwire"

// Op is a message that went up and owes an answer.
type Op uint8

// The operations.
const (
	OpQuery Op = iota + 1
	OpFunction
	OpParse
	OpBind
	OpDescribe
	OpExecute
	OpClose
	OpSync
)

// NoRef is the Ref of an entry without an execution.
const NoRef int32 = -1

// Entry is one message that went up.
type Entry struct {
	Op     Op
	Own    bool  // ours: the client never hears of it
	Poison bool  // answered by an error that the client gets in our words
	Hush   bool  // with Own false: swallow all but ReadyForQuery
	Ref    int32 // the session's execution slot, or NoRef

	name     string // Parse, Close: undone if it never happened
	old      any
	void     bool // Sync that the server ignores if its copy ends well
	maybe    bool // Sync of which only the server knows whether it was ignored
	answered bool // with maybe: a ReadyForQuery came that may have been its
}

// Action says what becomes of a server message.
type Action uint8

// The actions.
const (
	Forward Action = iota
	Swallow
	Replace // ErrorResponse that answers a poison: the session sends its refusal
	Capture // an answer to a question of our own: the session looks, the client does not
)

// Step is the machine's answer to a server message.
type Step struct {
	Action Action
	Entry  Entry // what the message answers; zero Op: nothing (asynchronous)
	Done   bool  // the entry has its full answer
	Failed bool  // it is an ErrorResponse
	Unit   bool  // ReadyForQuery of a client's unit
	Fatal  bool  // an error that answers nothing: the connection is about to end
}

// Machine is the state of one session. The zero value is not usable: see New.
type Machine struct {
	q    []Entry // q[at:] is owed, oldest first
	at   int
	tx   byte
	open bool // extended messages are up without a Sync
	skip bool // the server discards until Sync; none is up yet
	deaf bool // we discard until Sync: a poison went up, or an error was answered locally
	mute bool // with deaf: nothing went up, the Sync is answered locally
	flat bool // something was sent behind the last Flush, Sync, Query
	copy CopyState

	stmts   map[string]any
	unnamed any
	portals map[string]int32
	portal  int32

	skipped []int32
}

// MaxNames bounds the named statements a session's facts are kept for; those
// beyond are unknown to us, which only makes decisions stricter.
const MaxNames = 20_000

// MaxPortals bounds the named portals that are open at a time.
const MaxPortals = 4096

// New returns a machine for a connection that just became ready with the given
// transaction status.
func New(status byte) *Machine {
	return &Machine{tx: status, portal: NoRef}
}

// Status returns the transaction status of the last ReadyForQuery.
func (m *Machine) Status() byte { return m.tx }

// Owed returns the number of unanswered entries.
func (m *Machine) Owed() int { return len(m.q) - m.at }

// Head returns the oldest unanswered entry, or nil.
func (m *Machine) Head() *Entry {
	if m.at == len(m.q) {
		return nil
	}
	return &m.q[m.at]
}

// lookAhead bounds Current: between two executions of a pipeline stand a Parse,
// a Describe, a Close.
const lookAhead = 8

// Current returns the execution that the server works on, or comes to next in
// its unit: it may wait for a lock while it reads the Parse before. NoRef if
// there is none.
func (m *Machine) Current() int32 {
	for i := m.at; i < len(m.q) && i < m.at+lookAhead; i++ {
		switch e := &m.q[i]; {
		case e.Ref != NoRef:
			return e.Ref
		case e.Own, e.Op == OpSync:
			return NoRef
		}
	}
	return NoRef
}

// Move is what may be done with a client message now.
type Move uint8

// The moves.
const (
	Go     Move = iota // decide it and send it up
	Wait               // an earlier unit is not answered yet
	Drop               // the server would discard it
	Answer             // Sync after a local refusal: answer ReadyForQuery
	Break              // not allowed during COPY FROM STDIN: fail the copy
)

// Admit says what may be done with a client message of this tag now.
func (m *Machine) Admit(tag byte) Move {
	switch tag {
	case pgwire.MsgCopyData, pgwire.MsgCopyDone, pgwire.MsgCopyFail:
		return m.admitCopy()
	case pgwire.MsgSync:
		if m.copy == CopyIn {
			return Go
		}
		if m.mute {
			return Answer
		}
		if h := m.Head(); h != nil && h.maybe {
			return Wait
		}
	case pgwire.MsgTerminate:
		if m.copy == CopyIn {
			return Go // nobody else would end the copy
		}
		if m.Owed() > 0 && m.ready() {
			return Wait
		}
		return Go
	default:
		if m.copy == CopyIn {
			if tag == pgwire.MsgFlush {
				return Go
			}
			return Break
		}
		if m.skip || m.deaf {
			return Drop
		}
	}
	if m.ready() {
		return Wait
	}
	return Go
}

// ready reports whether a ReadyForQuery is owed.
func (m *Machine) ready() bool {
	for i := m.at; i < len(m.q); i++ {
		switch m.q[i].Op {
		case OpQuery, OpFunction:
			return true
		case OpSync:
			if !m.q[i].void {
				return true
			}
		}
	}
	return false
}

// Push notes that a message goes up. Parse, Bind and Close go through
// PushParse, PushBind and PushClose. False: an error has come since the
// message was admitted, and the server will discard it: nothing is owed.
func (m *Machine) Push(e Entry) bool {
	if m.discards(e) {
		return false
	}
	if m.copy == CopyIn && e.Op != OpSync && !e.Own {
		m.CopyEnd() // not allowed during COPY FROM STDIN: the server takes it and fails the copy
		return false
	}
	m.compact()
	switch e.Op {
	case OpQuery, OpFunction:
		m.flat = false
		m.unnamedGone(e)
	case OpSync:
		m.open, m.flat = false, false
		m.deaf, m.mute = false, false
		if m.skip {
			m.skip = false
		}
	default:
		m.flat = true
		if !e.Own {
			m.open = true
		}
	}
	if e.Poison && !e.Own {
		m.deaf = true
	}
	m.q = append(m.q, e)
	return true
}

// discards reports whether the server discards a message that goes up now.
func (m *Machine) discards(e Entry) bool { return m.skip && e.Op != OpSync && !e.Own }

// Flushed notes that a Flush went up.
func (m *Machine) Flushed() { m.flat = false }

// Refused notes that an error was answered locally: in the extended protocol
// the client's messages are discarded to its Sync, which is answered locally.
func (m *Machine) Refused() { m.deaf, m.mute = true, true }

// Answered ends the state that Refused began.
func (m *Machine) Answered() { m.deaf, m.mute = false, false }

// Skipped returns the executions that an error made the server skip in the
// last call of Server; valid until the next.
func (m *Machine) Skipped() []int32 { return m.skipped }

// Server takes one server message and says whose answer it is. For DataRow and
// CopyData the session may use Row instead.
func (m *Machine) Server(tag, status byte) Step {
	m.skipped = m.skipped[:0]
	h := m.Head()
	switch tag {
	case pgwire.MsgNotificationResponse, pgwire.MsgParameterStatus:
		return Step{}
	case pgwire.MsgNoticeResponse:
		if h != nil && h.Own {
			return Step{Action: Swallow}
		}
		return Step{}
	case pgwire.MsgErrorResponse:
		return m.failed()
	case pgwire.MsgReadyForQuery:
		return m.readyForQuery(status)
	}
	if h == nil {
		return Step{}
	}
	s := Step{Entry: *h, Action: action(h, tag)}
	switch tag {
	case pgwire.MsgParseComplete, pgwire.MsgBindComplete, pgwire.MsgCloseComplete, pgwire.MsgNoData, pgwire.MsgPortalSuspended:
		s.Done = true
	case pgwire.MsgRowDescription:
		s.Done = h.Op == OpDescribe
	case pgwire.MsgCommandComplete, pgwire.MsgEmptyQueryResponse:
		m.copyEnded(true)
		s.Done = h.Op == OpExecute
	case pgwire.MsgCopyInResponse:
		m.copyBegins()
	case pgwire.MsgCopyOutResponse:
		m.copy = CopyOut
	case pgwire.MsgCopyBothResponse:
		m.copy = CopyBoth
	}
	if s.Done {
		m.pop()
		m.dropVoid()
	}
	return s
}

// Row says what becomes of a DataRow or CopyData; it changes nothing.
func (m *Machine) Row() Action {
	if h := m.Head(); h != nil {
		return action(h, pgwire.MsgDataRow)
	}
	return Forward
}

func action(h *Entry, tag byte) Action {
	if h.Own {
		if tag == pgwire.MsgDataRow || tag == pgwire.MsgCommandComplete {
			return Capture
		}
		return Swallow
	}
	if h.Hush {
		return Swallow
	}
	return Forward
}

// failed: the server answers the head with an error. In the extended protocol
// it discards all up to Sync.
func (m *Machine) failed() Step {
	h := m.Head()
	if h == nil {
		return Step{Failed: true, Fatal: true}
	}
	s := Step{Entry: *h, Failed: true, Action: action(h, pgwire.MsgErrorResponse)}
	if h.Own && s.Action == Swallow {
		s.Action = Capture
	}
	if h.Poison {
		s.Action = Replace
		if h.Own {
			s.Action = Swallow
		}
	}
	m.copyEnded(false)
	switch h.Op {
	case OpQuery, OpFunction:
		return s
	case OpSync: // the commit at Sync failed: ReadyForQuery follows
		return s
	}
	s.Done = true
	end := m.at + 1
	for end < len(m.q) && (m.q[end].Op != OpSync || m.q[end].void) {
		if ref := m.q[end].Ref; ref != NoRef {
			m.skipped = append(m.skipped, ref)
		}
		end++
	}
	for i := end - 1; i >= m.at; i-- {
		m.undo(&m.q[i])
	}
	for m.at < end-1 {
		m.pop()
	}
	m.pop()
	if m.Head() == nil {
		m.skip = true
		m.open = true
	}
	return s
}

func (m *Machine) readyForQuery(status byte) Step {
	h := m.Head()
	if h == nil {
		m.tx = status
		return Step{Unit: true}
	}
	s := Step{Entry: *h, Done: true, Unit: !h.Own}
	if h.Own {
		s.Action = Swallow
	}
	m.tx = status
	m.copy = NoCopy
	maybe := h.maybe
	m.pop()
	if maybe {
		m.doubt()
	}
	if s.Entry.Op == OpQuery {
		m.simpleEnded()
	}
	return s
}

func (m *Machine) pop() {
	m.q[m.at] = Entry{}
	m.at++
	if m.at == len(m.q) {
		m.q, m.at = m.q[:0], 0
	}
}

// compact keeps a long pipeline from growing the queue for ever.
func (m *Machine) compact() {
	if m.at > 64 && m.at > len(m.q)/2 {
		n := copy(m.q, m.q[m.at:])
		clear(m.q[n:])
		m.q, m.at = m.q[:n], 0
	}
}
