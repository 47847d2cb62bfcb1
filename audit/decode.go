package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// plain has the fields of Event without its methods.
type plain Event

// stored is the JSON form: what plain leaves out stands here in the form in
// which it is written.
type stored struct {
	plain
	Time     time.Time `json:"time"`
	Tags     tagObject `json:"tags,omitempty"`
	Queue    millis    `json:"queue_ms,omitempty"`
	Exec     millis    `json:"exec_ms,omitempty"`
	FirstRow millis    `json:"first_row_ms,omitempty"`
	Send     millis    `json:"send_ms,omitempty"`
	LockWait millis    `json:"lock_wait_ms,omitempty"`
	Held     millis    `json:"held_ms,omitempty"`
	Idle     millis    `json:"idle_ms,omitempty"`
	Chain    string    `json:"chain,omitempty"`
}

// UnmarshalJSON reads a stored line. Members that this version does not know
// are passed over: they belong to a later one.
func (e *Event) UnmarshalJSON(line []byte) error {
	var s stored
	if err := json.Unmarshal(line, &s); err != nil {
		return err
	}
	*e = Event(s.plain)
	e.Time = s.Time
	e.Tags = s.Tags
	e.Queue = time.Duration(s.Queue)
	e.Exec = time.Duration(s.Exec)
	e.FirstRow = time.Duration(s.FirstRow)
	e.Send = time.Duration(s.Send)
	e.LockWait = time.Duration(s.LockWait)
	e.Held = time.Duration(s.Held)
	e.Idle = time.Duration(s.Idle)
	e.Chain = s.Chain
	return nil
}

// tagObject keeps the order of the keys and keys that come twice.
type tagObject []Tag

func (t *tagObject) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return errTags
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value string
		if err := dec.Decode(&value); err != nil {
			return err
		}
		*t = append(*t, Tag{Key: key.(string), Value: value}) // an object key is a string
	}
	return nil
}

var errTags = errors.New("tags are not an object")

// millis reads milliseconds with decimals, exact to the microsecond.
type millis time.Duration

var errMillis = errors.New("not a number of milliseconds")

func (m *millis) UnmarshalJSON(b []byte) error {
	whole, frac, _ := strings.Cut(string(b), ".")
	ms, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || len(frac) > 3 || ms > math.MaxInt64/uint64(time.Millisecond) {
		return fmt.Errorf("%w: %.32q", errMillis, b)
	}
	var us uint64
	if frac != "" {
		if us, err = strconv.ParseUint((frac + "00")[:3], 10, 16); err != nil {
			return fmt.Errorf("%w: %.32q", errMillis, b)
		}
	}
	*m = millis(time.Duration(ms)*time.Millisecond + time.Duration(us)*time.Microsecond)
	return nil
}
