package pgstate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// The simulation sends random scripts of a pipelining client through a door
// built on the Machine, to the model of a backend, in random interleavings
// with refusals, cancels and releases, and compares what the client reads, and
// what the database holds, with the same script without a door: refusals are
// errors of the server, releases are aborts of the transaction.

// bug is a mistake seeded into the door, to see that the simulation finds it.
type bug int

const (
	noBug bug = iota
	dropSync
	doubleReady
	cancelWithoutEOF
	swallowPoison
	sendEarly
)

// door is the session of package proxy, as small as it gets.
type door struct {
	m        *Machine
	server   *backend
	bug      bug
	rnd      *rand.Rand
	in       []msg   // of the client, not read yet
	run      []msg   // held
	up       []msg   // on the wire to the server
	down     []reply // on the wire to the door
	client   []reply // what the client has read
	holds    int
	own      int  // own answers owed
	unit     int  // units answered
	target   int  // unit a cancel was read for
	signal   bool // a cancel is on its way to the server
	wrong    string
	aborted  []int // client messages consumed when a release happened
	seen     map[string]int
	taken    int  // client messages taken from in
	breaking bool // a CopyFail is up in place of the client's next message
}

func (d *door) mark(what string) {
	d.seen[fmt.Sprintf("phase %d tx %c copy %d: %s", d.m.Phase(), d.m.Status(), d.m.Copy(), what)]++
}

// step does one random thing; false: nothing is left to do.
func (d *door) step() bool {
	var can []func()
	if len(d.in) > 0 && d.holds == 0 {
		if f := d.clientStep(); f != nil {
			can = append(can, f)
		}
	}
	if len(d.up) > 0 {
		can = append(can, d.serverStep, d.serverStep)
	}
	if len(d.down) > 0 {
		can = append(can, d.downStep, d.downStep)
	}
	if d.signal {
		can = append(can, d.deliver)
	}
	if !d.signal && d.m.Phase() == Running && d.m.Head() != nil && !d.m.Head().Own && d.rnd.IntN(12) == 0 {
		can = append(can, d.cancel)
	}
	if d.idleHolder() && d.rnd.IntN(6) == 0 {
		can = append(can, d.release)
	}
	if len(can) == 0 {
		if d.m.InDoubt() && len(d.up) == 0 && len(d.down) == 0 {
			d.m.Resolve()
			return true
		}
		return false
	}
	can[d.rnd.IntN(len(can))]()
	return true
}

// clientStep returns what the pump does with the next message, nil while it
// has to wait.
func (d *door) clientStep() func() {
	m := d.in[0]
	if d.breaking {
		return nil
	}
	if len(d.run) > 0 {
		if strings.ContainsRune("PBDECHS", rune(m.tag)) {
			return func() { d.next(); d.hold(m) }
		}
		return func() { d.flush() }
	}
	if d.bug != sendEarly {
		switch d.m.Admit(m.tag) {
		case Wait:
			return nil
		case Drop:
			return func() { d.mark("drop " + string(m.tag)); d.next() }
		case Answer:
			return func() {
				d.next()
				d.m.Answered()
				d.client = append(d.client, reply{tag: 'Z', status: d.m.Status()})
			}
		case Break:
			return func() { d.breaking = true; d.m.CopyEnd(); d.send(msg{tag: 'f'}) }
		case Go:
		}
	}
	if m.refuse && (m.tag == 'Q' || m.tag == 'F') && d.m.UnitOpen() && d.m.Owed() > 0 {
		return nil // what is owed comes first: it may make the server discard the query
	}
	return func() {
		d.mark("go " + string(m.tag))
		d.next()
		switch m.tag {
		case 'Q', 'F':
			d.query(m)
		case 'd':
			d.send(m)
		case 'c', 'f':
			d.m.CopyEnd()
			d.send(m)
		default:
			d.hold(m)
		}
	}
}

func (d *door) next() { d.in = d.in[1:]; d.taken++ }

func (d *door) hold(m msg) {
	d.run = append(d.run, m)
	if strings.ContainsRune("EHS", rune(m.tag)) {
		d.flush()
	}
}

// flush sends the run up, to the first refusal.
func (d *door) flush() {
	run := d.run
	d.run = nil
	for i, m := range run {
		if !m.refuse {
			d.push(m)
			continue
		}
		sync := run[len(run)-1].tag == 'S'
		if i == 0 && !d.m.Touched() {
			d.client = append(d.client, reply{tag: 'E', code: "refused"})
			if sync {
				d.client = append(d.client, reply{tag: 'Z', status: d.m.Status()})
				return
			}
			d.m.Refused()
			return
		}
		d.sendPoison()
		if sync {
			d.push(run[len(run)-1])
		}
		return
	}
}

func (d *door) push(m msg) {
	e := Entry{Ref: NoRef}
	switch m.tag {
	case 'P':
		d.m.PushParse(e, []byte(m.name), m.kind)
	case 'B':
		d.m.PushBind(e, nil)
	case 'D':
		e.Op = OpDescribe
		d.m.Push(e)
	case 'E':
		e.Op = OpExecute
		d.m.Push(e)
	case 'C':
		d.m.PushClose(e, 'S', []byte(m.name))
	case 'S':
		e.Op = OpSync
		if d.bug != dropSync || d.rnd.IntN(10) > 0 {
			d.m.Push(e)
		}
	case 'H':
		d.m.Flushed()
	}
	d.send(m)
}

func (d *door) query(m msg) {
	op := OpQuery
	if m.tag == 'F' {
		op = OpFunction
	}
	if !m.refuse {
		d.m.Push(Entry{Op: op, Ref: NoRef})
		d.send(m)
		return
	}
	if !d.m.Touched() {
		d.client = append(d.client, reply{tag: 'E', code: "refused"}, reply{tag: 'Z', status: d.m.Status()})
		return
	}
	d.sendPoison()
	d.push(msg{tag: 'S'})
}

func (d *door) sendPoison() {
	d.m.Push(Entry{Op: OpDescribe, Poison: true, Ref: NoRef})
	d.send(msg{tag: 'D', name: "poison"})
}

func (d *door) send(m msg) {
	m.unit = d.unit
	d.up = append(d.up, m)
}

func (d *door) serverStep() {
	m := d.up[0]
	d.up = d.up[1:]
	d.server.take(m)
	d.down = append(d.down, d.server.out...)
	d.server.out = d.server.out[:0]
}

func (d *door) downStep() {
	r := d.down[0]
	d.down = d.down[1:]
	step := d.m.Server(r.tag, r.status)
	if d.breaking && r.tag == 'E' {
		d.breaking = false
		if r.code == "57014" {
			d.next()
		}
	}
	d.mark("server " + string(r.tag))
	switch step.Action {
	case Forward:
		d.client = append(d.client, r)
	case Replace:
		if d.bug != swallowPoison {
			d.client = append(d.client, reply{tag: 'E', code: "refused"})
		}
	case Swallow, Capture:
		if d.bug == doubleReady && r.tag == 'Z' {
			d.client = append(d.client, r)
		}
	}
	if r.tag == 'Z' && step.Entry.Own {
		d.own--
		if d.own == 0 {
			d.holds--
		}
	}
	if step.Unit {
		d.unit++
	}
}

// cancel: a CancelRequest was read; no unit goes up until it is settled.
func (d *door) cancel() {
	d.mark("cancel")
	d.target, d.signal = d.unit, true
	if d.bug != cancelWithoutEOF {
		d.holds++
	}
}

// deliver: the signal reaches the server. What it finds there must belong to
// the unit it was meant for.
func (d *door) deliver() {
	d.signal = false
	if d.bug != cancelWithoutEOF {
		d.holds--
	}
	if len(d.up) > 0 && d.up[0].unit > d.target && d.own == 0 {
		d.wrong = fmt.Sprintf("a cancel for unit %d met unit %d", d.target, d.up[0].unit)
	}
}

// idleHolder: nothing is read from the client, and the server waits for it.
func (d *door) idleHolder() bool {
	return d.holds == 0 && !d.signal && len(d.run) == 0 && len(d.up) == 0 && len(d.down) == 0 &&
		d.m.Phase() == Idle && d.m.Status() != 'I' && !d.m.Deaf()
}

// release puts an aborted transaction in the place of the open one.
func (d *door) release() {
	d.mark("release")
	d.holds++
	d.own = 2
	d.aborted = append(d.aborted, d.taken)
	d.m.Push(Entry{Op: OpQuery, Own: true, Ref: NoRef})
	d.up = append(d.up, msg{tag: 'Q', kind: "own rollback begin"})
	d.m.Push(Entry{Op: OpDescribe, Own: true, Poison: true, Ref: NoRef})
	d.m.Push(Entry{Op: OpSync, Own: true, Ref: NoRef})
	d.up = append(d.up, msg{tag: 'D', name: "poison"}, msg{tag: 'S'})
}

// script is a random client.
func script(r *rand.Rand) []msg {
	kinds := []string{"select", "insert", "fail", "begin", "commit", "rollback", "copy", "copyfail", "insert", "select", "begin"}
	names := []string{"", "", "a", "b"}
	var out []msg
	for range 4 + r.IntN(10) {
		kind, name := kinds[r.IntN(len(kinds))], names[r.IntN(len(names))]
		refuse := r.IntN(7) == 0
		switch r.IntN(6) {
		case 0, 1:
			out = append(out, msg{tag: 'Q', kind: kind, refuse: refuse})
		case 2:
			out = append(out, msg{tag: 'F', refuse: refuse})
		default:
			for range 1 + r.IntN(3) {
				out = append(out, msg{tag: 'P', name: name, kind: kind})
				if r.IntN(4) == 0 {
					out = append(out, msg{tag: 'D', name: name})
				}
				if r.IntN(5) == 0 {
					out = append(out, msg{tag: 'H'})
				}
				out = append(out, msg{tag: 'B', name: name, refuse: refuse}, msg{tag: 'E'})
				if r.IntN(4) == 0 {
					out = append(out, msg{tag: 'C', name: name})
				}
				kind = kinds[r.IntN(len(kinds))]
			}
			if r.IntN(10) > 0 {
				out = append(out, msg{tag: 'S'})
			}
		}
		if kind == "copy" || kind == "copyfail" || r.IntN(12) == 0 {
			out = append(out, msg{tag: 'd'}, msg{tag: 'd'}, msg{tag: "ccf"[r.IntN(3)]}, msg{tag: 'S'})
		}
	}
	return append(out, msg{tag: 'S'}, msg{tag: 'c'}, msg{tag: 'S'}, msg{tag: 'S'})
}

// simulate returns what is wrong, "" if nothing is.
func simulate(seed uint64, b bug, seen map[string]int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	all := script(r)
	d := &door{m: New('I'), server: newBackend(), bug: b, rnd: r, in: all, seen: seen}
	trace := os.Getenv("LOCKKEEPER_TRACE") == fmt.Sprint(seed)
	for n := 0; d.step(); n++ {
		if trace {
			fmt.Printf("in %v run %v up %v down %v client %v | phase %d tx %c copy %d owed %d doubt %v\n", d.in, d.run, d.up, d.down, transcript(d.client), d.m.Phase(), d.m.Status(), d.m.Copy(), d.m.Owed(), d.m.InDoubt())
		}
		if n > 100_000 {
			return "does not end"
		}
		if d.wrong != "" {
			return d.wrong
		}
	}
	direct := newBackend()
	releases := d.aborted
	for i, m := range all {
		for len(releases) > 0 && releases[0] == i {
			direct.abort()
			releases = releases[1:]
		}
		direct.take(m)
	}
	for range releases {
		direct.abort()
	}
	if got, want := transcript(d.client), transcript(direct.out); got != want {
		return fmt.Sprintf("script %v\n got %s\nwant %s", all, got, want)
	}
	if len(d.in) > 0 || d.m.Owed() > 0 || d.holds != 0 {
		return fmt.Sprintf("left over: %d messages, %d owed, %d holds", len(d.in), d.m.Owed(), d.holds)
	}
	if d.server.stored != direct.stored {
		return fmt.Sprintf("script %v: database holds %d rows through the door, %d without", all, d.server.stored, direct.stored)
	}
	if d.m.Status() != direct.tx {
		return fmt.Sprintf("status %c, want %c", d.m.Status(), direct.tx)
	}
	return ""
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	length := time.Duration(0)
	if s := os.Getenv("LOCKKEEPER_SIMULATE"); s != "" {
		length, _ = time.ParseDuration(s)
	}
	seen := make(map[string]int)
	runs := 0
	for end := time.Now().Add(length); runs < 6000 || time.Now().Before(end); runs++ {
		if wrong := simulate(uint64(runs), noBug, seen); wrong != "" {
			t.Fatalf("seed %d: %s", runs, wrong)
		}
	}
	t.Logf("%d scripts, %d different situations", runs, len(seen))
	for _, situation := range situations() {
		if seen[situation] == 0 {
			t.Errorf("never came up: %s", situation)
		}
	}
}

// situations are the pairs of state and event that a client, a server, a
// cancel and a release can bring about.
func situations() []string {
	var out []string
	add := func(phase Phase, tx string, copying CopyState, events ...string) {
		for _, s := range tx {
			for _, e := range events {
				out = append(out, fmt.Sprintf("phase %d tx %c copy %d: %s", phase, s, copying, e))
			}
		}
	}
	add(Idle, "ITE", NoCopy, "go Q", "go F", "go P", "go S", "drop d", "drop c")
	add(Idle, "TE", NoCopy, "release")
	add(IdleUnit, "ITE", NoCopy, "go Q", "go P", "go S")
	add(Running, "ITE", NoCopy, "cancel", "server C", "server E", "server Z", "server 1", "go P")
	add(CopyWait, "IT", CopyIn, "go d", "go c", "go f", "go S")
	add(Skipping, "ITE", NoCopy, "drop Q", "drop P", "drop d", "go S")
	return out
}

func TestSimulationFindsSeededBugs(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]bug{
		"dropped Sync": dropSync, "double ReadyForQuery": doubleReady, "cancel without EOF": cancelWithoutEOF,
		"poison's answer swallowed": swallowPoison, "unit sent before the last was answered": sendEarly,
	} {
		found := false
		for seed := range uint64(3000) {
			if simulate(seed, b, map[string]int{}) != "" {
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s: not found", name)
		}
	}
}
