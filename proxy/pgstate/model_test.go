package pgstate

import (
	"fmt"
	"strings"
)

// This file is a model of a Postgres backend as far as its messages go: what
// the simulation compares the door with.

// msg is a message of the client (or one of ours) in the model's words.
type msg struct {
	tag    byte
	name   string // statement or portal
	kind   string // of a statement: select, insert, fail, begin, commit, rollback, copy, copyfail
	refuse bool   // the door refuses it
	unit   int    // the client's unit it belongs to
}

// reply is a message of the server.
type reply struct {
	tag    byte
	code   string // of an error
	status byte   // of ReadyForQuery
}

func (r reply) String() string {
	switch r.tag {
	case 'E':
		return "E(" + r.code + ")"
	case 'Z':
		return "Z(" + string(r.status) + ")"
	}
	return string(r.tag)
}

// backend is the model: messages in, replies out.
type backend struct {
	tx      byte
	skip    bool
	copying string // "", "simple", "extended"
	stmts   map[string]string
	portals map[string]string
	pending int // inserts of the open transaction, explicit or implicit
	stored  int // inserts that were committed
	out     []reply
}

func newBackend() *backend {
	return &backend{tx: 'I', stmts: map[string]string{}, portals: map[string]string{}}
}

func (b *backend) say(tag byte) { b.out = append(b.out, reply{tag: tag}) }

func (b *backend) fail(code string) {
	b.out = append(b.out, reply{tag: 'E', code: code})
	b.pending = 0
	if b.tx == 'T' {
		b.tx = 'E'
	}
}

func (b *backend) ready() {
	if b.tx == 'I' {
		b.stored += b.pending
		b.pending = 0
		clear(b.portals)
	}
	b.out = append(b.out, reply{tag: 'Z', status: b.tx})
}

// abort ends the explicit transaction from outside, as a release does.
func (b *backend) abort() {
	b.pending = 0
	if b.tx != 'I' {
		b.tx = 'E'
	}
}

// take handles one message.
func (b *backend) take(m msg) {
	if b.copying != "" && b.takeCopy(m) {
		return
	}
	if b.skip && m.tag != 'S' {
		return
	}
	switch m.tag {
	case 'Q':
		if m.refuse {
			b.fail("refused")
		} else {
			delete(b.stmts, "")
			b.run(m.kind, "simple")
		}
		if b.copying == "" {
			b.ready()
		}
	case 'F':
		if m.refuse {
			b.fail("refused")
		} else {
			b.run("select", "simple")
		}
		b.ready()
	case 'S':
		b.skip = false
		b.ready()
	case 'H', 'd', 'c', 'f':
	default:
		b.extended(m)
	}
}

func (b *backend) extended(m msg) {
	switch {
	case m.refuse:
		b.error("refused")
	case m.tag == 'P':
		if _, dup := b.stmts[m.name]; dup && m.name != "" {
			b.error("42P05")
			return
		}
		if b.tx == 'E' && m.kind != "rollback" && m.kind != "commit" {
			b.error("25P02")
			return
		}
		b.stmts[m.name] = m.kind
		b.say('1')
	case m.tag == 'B':
		kind, ok := b.stmts[m.name]
		switch {
		case !ok:
			b.error("26000")
		case b.tx == 'E' && kind != "rollback" && kind != "commit":
			b.error("25P02")
		default:
			b.portals[""] = kind
			b.say('2')
		}
	case m.name == "poison":
		b.error("refused")
	case m.tag == 'D':
		if _, ok := b.stmts[m.name]; !ok {
			b.error("26000")
			return
		}
		b.say('t')
		b.say('n')
	case m.tag == 'E':
		kind, ok := b.portals[""]
		if !ok {
			b.error("34000")
			return
		}
		if !b.run(kind, "extended") {
			b.skip = true
		}
	case m.tag == 'C':
		delete(b.stmts, m.name)
		b.say('3')
	}
}

func (b *backend) error(code string) {
	b.fail(code)
	b.skip = true
}

// run executes a statement; false: it failed.
func (b *backend) run(kind, protocol string) bool {
	if b.tx == 'E' && kind != "rollback" && kind != "commit" && kind != "own rollback begin" {
		b.fail("25P02")
		return false
	}
	switch kind {
	case "own rollback begin":
		b.pending, b.tx = 0, 'T'
	case "fail":
		b.fail("22012")
		return false
	case "insert":
		b.pending++
	case "begin":
		if b.tx == 'I' {
			b.tx = 'T'
		}
	case "commit":
		if b.tx == 'T' {
			b.stored += b.pending
		}
		b.pending, b.tx = 0, 'I'
	case "rollback":
		b.pending, b.tx = 0, 'I'
	case "copy", "copyfail":
		b.say('G')
		if kind == "copyfail" { // a BEFORE STATEMENT trigger: nothing was read
			b.fail("P0001")
			return false
		}
		b.copying = protocol
		return true
	}
	b.say('C')
	return true
}

// takeCopy handles a message during COPY FROM STDIN; false: not consumed.
func (b *backend) takeCopy(m msg) bool {
	switch m.tag {
	case 'd', 'H', 'S':
		return true
	case 'c':
		protocol := b.copying
		b.copying = ""
		b.pending++
		b.say('C')
		if protocol == "simple" {
			b.ready()
		}
		return true
	}
	protocol := b.copying // CopyFail, or a message that is not allowed
	b.copying = ""
	code := "57014"
	if m.tag != 'f' {
		code = "08P01"
	}
	b.fail(code)
	if protocol == "simple" {
		b.ready()
	} else {
		b.skip = true
	}
	return true
}

func transcript(out []reply) string {
	words := make([]string, len(out))
	for i, r := range out {
		words[i] = r.String()
	}
	// The door fails a copy where the server would complain of the message.
	return strings.ReplaceAll(strings.Join(words, " "), "E(08P01)", "E(57014)")
}

func (m msg) String() string {
	s := string(m.tag)
	if m.kind != "" || m.name != "" {
		s += fmt.Sprintf("(%s%s)", m.name, m.kind)
	}
	if m.refuse {
		s += "!"
	}
	return s
}
