package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Finding is one place where a log is broken.
type Finding struct {
	Segment uint64 `json:"segment"`
	Line    uint64 `json:"line,omitempty"` // within the segment, from 1; 0 for the segment as a whole
	Seq     uint64 `json:"seq,omitempty"`
	Problem string `json:"problem"`
}

// String returns the finding as one line.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("segment %d: %s", f.Segment, f.Problem)
	}
	return fmt.Sprintf("segment %d line %d (seq %d): %s", f.Segment, f.Line, f.Seq, f.Problem)
}

// Result is what a verification found.
type Result struct {
	Broken   []Finding `json:"broken,omitempty"`   // the first of them; see Breaks
	Breaks   int       `json:"breaks"`             // how many there are
	Unproven []string  `json:"unproven,omitempty"` // what holds as far as can be seen, but is not proven
	Segments int       `json:"segments"`
	Records  uint64    `json:"records"`
	Bytes    int64     `json:"bytes"`
	Torn     int       `json:"torn,omitempty"` // bytes of an unfinished last line
	First    uint64    `json:"first_seq"`
	Head     Head      `json:"head"` // the end of the log
}

// OK reports whether nothing is broken.
func (r Result) OK() bool { return r.Breaks == 0 }

// maxFindings bounds Result.Broken: a log that is rewritten from some line on
// need not be told line by line.
const maxFindings = 100

// RetentionPart is Event.What of the config record that says, before segments
// are deleted, up to which h (Event.Hash) that will be.
const RetentionPart = "retention"

// Verifier checks a log, segment by segment in order, in one pass and with
// little memory.
//
// It finds without help: a changed line, a removed or added line, a segment
// that is missing, renamed or in another's place. Whoever can rewrite the whole
// log can also compute all hashes anew, or cut it at the end of a line: that
// is found with a Head that was exported before. A last line without an end is
// what a crash leaves behind and is named as unproven.
type Verifier struct {
	heads    []Head // exported, in log order
	nextOne  int    // of heads
	retired  *Head  // the last line of the segments that were deleted; nil when none were
	attested bool   // a record of the log names retired

	at      Head   // the line before
	number  uint64 // the segment before
	started bool
	covered uint64
	last    [timeText]byte
	res     Result

	in    *bufio.Reader
	chain *Chain
}

// NewVerifier checks against heads, which may be empty. retired is the
// checkpoint that retention left behind, nil when the log begins with segment 1.
func NewVerifier(heads []Head, retired *Head) *Verifier {
	heads = slices.DeleteFunc(slices.Clone(heads), func(h Head) bool { return h.Segment == 0 }) // of an empty log
	slices.SortFunc(heads, comparePlaces)
	v := &Verifier{
		heads:   heads,
		retired: retired,
		in:      bufio.NewReaderSize(nil, MaxRecord+chainTail+1),
		chain:   NewChain(),
	}
	if retired != nil {
		v.at, v.number = *retired, retired.Segment
	}
	return v
}

// comparePlaces orders by place in the log: a header stands after the last
// event of the segment before, and has its seq.
func comparePlaces(a, b Head) int {
	switch {
	case a.Segment != b.Segment:
		if a.Segment < b.Segment {
			return -1
		}
		return 1
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	default:
		return 0
	}
}

// Segment checks the next segment. number is the one that its place claims;
// last says that none follows. The error is one of reading, never of what was
// read.
func (v *Verifier) Segment(ctx context.Context, number uint64, r io.Reader, last bool) error {
	if number != v.number+1 {
		problem := fmt.Sprintf("segments %d to %d are missing", v.number+1, number-1)
		if number <= v.number {
			problem = "segment is out of order"
		}
		v.broken(Finding{Segment: number, Problem: problem})
	}
	v.res.Segments++
	v.in.Reset(r)
	for n := uint64(1); ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := v.in.ReadSlice('\n')
		v.res.Bytes += int64(len(line))
		switch {
		case err == nil:
			v.line(number, n, line[:len(line)-1])
		case errors.Is(err, bufio.ErrBufferFull):
			v.broken(Finding{Segment: number, Line: n, Seq: v.at.Seq, Problem: "line is longer than any record"})
			if err := v.skipLine(); err != nil {
				return fmt.Errorf("read segment %d: %w", number, err)
			}
		case errors.Is(err, io.EOF):
			v.endSegment(number, n, len(line), last)
			return nil
		default:
			return fmt.Errorf("read segment %d: %w", number, err)
		}
	}
}

func (v *Verifier) skipLine() error {
	for {
		part, err := v.in.ReadSlice('\n')
		v.res.Bytes += int64(len(part))
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

func (v *Verifier) endSegment(number, n uint64, torn int, last bool) {
	switch {
	case torn > 0 && !last:
		v.broken(Finding{Segment: number, Line: n, Seq: v.at.Seq, Problem: "line has no end, and a segment follows"})
	case torn > 0:
		v.res.Torn = torn
	case n == 1 && !last:
		v.broken(Finding{Segment: number, Problem: "segment is empty"})
	}
	v.number = number
}

// line checks one line. After a break it goes on from what the line claims, so
// that one change is one finding.
func (v *Verifier) line(segment, n uint64, line []byte) {
	found := Finding{Segment: segment, Line: n, Seq: v.at.Seq}
	record, claimed, ok := SplitLine(line)
	if !ok {
		v.problem(found, "line has no chain value: it was added or overwritten")
		return
	}
	p, ok := ParsePrefix(record)
	if !ok {
		v.problem(found, "line is not a record")
		return
	}
	found.Seq = p.Seq
	if p.IsHeader() != (n == 1) {
		v.problem(found, "header of a segment is not its first line")
	}
	h := v.at.Chain
	if p.IsHeader() {
		h = v.header(found, record)
	}
	h = v.chain.Link(h, record)
	switch {
	case h != claimed && p.Seq > v.at.Seq+1:
		v.problem(found, fmt.Sprintf("records %d to %d are missing", v.at.Seq+1, p.Seq-1))
	case h != claimed:
		v.problem(found, "chain does not hold: this line was changed, or one before it was removed")
	case !p.IsHeader() && p.Seq != v.at.Seq+1 && v.started:
		v.problem(found, fmt.Sprintf("seq follows %d", v.at.Seq))
	}
	v.advance(segment, p, claimed)
	if string(p.Kind) == string(KindConfig) {
		v.retention(record)
	}
}

// header checks where a segment claims to stand and returns the h to go on from.
func (v *Verifier) header(found Finding, record []byte) Hash {
	number, prev, ok := ParseHeader(record)
	switch {
	case !ok:
		v.problem(found, "header is not readable")
		return v.at.Chain
	case number != found.Segment:
		v.problem(found, fmt.Sprintf("file holds segment %d: it was swapped or renamed", number))
	case prev != v.at.Chain && found.Segment == v.number+1:
		v.problem(found, "segment does not continue the one before: its end was cut, or one of both was replaced")
	}
	return prev
}

func (v *Verifier) advance(segment uint64, p Prefix, claimed Hash) {
	if !p.IsHeader() {
		if v.res.Records == 0 {
			v.res.First = p.Seq
		}
		v.res.Records++
	}
	v.started = true
	v.at.Seq, v.at.Segment, v.at.Chain = p.Seq, segment, claimed
	copy(v.last[:], p.Time)
	v.res.Torn = 0
	for v.nextOne < len(v.heads) {
		head := v.heads[v.nextOne]
		switch order := comparePlaces(head, v.at); {
		case order > 0:
			return
		case order < 0:
			if !v.inRetired(head) {
				v.notTheHead(head)
			}
		case head.Chain != claimed:
			v.notTheHead(head)
		default:
			v.covered = v.res.Records
		}
		v.nextOne++
	}
}

// inRetired reports whether head lies in what was deleted and cannot be
// checked. The checkpoint itself can.
func (v *Verifier) inRetired(head Head) bool {
	if v.retired == nil {
		return false
	}
	order := comparePlaces(head, *v.retired)
	return order < 0 || order == 0 && head.Chain == v.retired.Chain
}

func (v *Verifier) notTheHead(head Head) {
	v.broken(Finding{
		Segment: head.Segment, Seq: head.Seq,
		Problem: fmt.Sprintf("record %d is not the one that the exported head names: the log up to it was rewritten", head.Seq),
	})
}

// retention looks for the record that says which segments were to be deleted.
func (v *Verifier) retention(record []byte) {
	if v.retired != nil && !v.attested {
		v.attested = bytes.Contains(record, fmt.Appendf(nil, `"what":"%s","hash":"%s"`, RetentionPart, v.retired.Chain))
	}
}

func (v *Verifier) problem(f Finding, problem string) {
	f.Problem = problem
	v.broken(f)
}

func (v *Verifier) broken(f Finding) {
	v.res.Breaks++
	if len(v.res.Broken) < maxFindings {
		v.res.Broken = append(v.res.Broken, f)
	}
}

// Result ends the verification. Call it once.
func (v *Verifier) Result() Result {
	if v.retired != nil && !v.attested {
		v.broken(Finding{
			Segment: v.retired.Segment,
			Problem: "segments up to this one are gone, and no record says that they were retired",
		})
	}
	v.unproven()
	v.res.Head = v.at
	if v.started {
		v.res.Head.Time, _ = time.Parse(time.RFC3339Nano, string(v.last[:]))
	}
	return v.res
}

func (v *Verifier) unproven() {
	say := func(format string, args ...any) {
		v.res.Unproven = append(v.res.Unproven, fmt.Sprintf(format, args...))
	}
	for _, head := range v.heads[v.nextOne:] {
		if v.inRetired(head) {
			continue
		}
		v.broken(Finding{
			Segment: head.Segment, Seq: head.Seq,
			Problem: fmt.Sprintf("log ends at seq %d, before the exported head at seq %d: its end was cut", v.at.Seq, head.Seq),
		})
	}
	if v.retired != nil {
		say("segments up to %d (seq %d) were retired and are not here to be checked", v.retired.Segment, v.retired.Seq)
	}
	if v.res.Torn > 0 {
		say("the last %d bytes are an unfinished record, as a crash leaves it; it was never acknowledged as durable", v.res.Torn)
	}
	switch tail := v.res.Records - v.covered; {
	case len(v.heads) == 0:
		say("no exported head was given: a log that was rewritten as a whole, or cut after seq %d, looks the same", v.at.Seq)
	case tail > 0:
		say("%d records after the last exported head, up to seq %d, are proven by no head", tail, v.at.Seq)
	}
}
