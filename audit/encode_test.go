package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// full returns an event with every field set, so that a field that is added and
// forgotten in the encoder fails a test.
func full(tb testing.TB) Event {
	tb.Helper()
	var e Event
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i); x := f.Addr().Interface().(type) {
		case *string:
			*x = "a " + name
		case *Kind:
			*x = KindOutcome
		case *[]string:
			*x = []string{name, "two"}
		case *[]Tag:
			*x = []Tag{{"z", "1"}, {"a", "2"}, {"z", "3"}}
		case *time.Time:
			*x = time.Date(2026, 11, 22, 22, 43, 23, 123456000, time.UTC)
		case *time.Duration:
			*x = time.Duration(i)*time.Millisecond + time.Duration(i*10)*time.Microsecond
		case *bool:
			*x = true
		case *ULID:
			*x = ULID{1, 2, 3, 15: 9}
		case *Durability, *FailMode: // not stored
		case *int:
			*x = i
		case *int64:
			*x = int64(-i)
		case *uint32:
			*x = uint32(i)
		case *uint64:
			*x = 1<<63 + uint64(i)
		default:
			tb.Fatalf("field %s: no value for a %T", name, x)
		}
	}
	e.Version = Version
	e.Write, e.Chain = false, "" // not stored by the encoder
	return e
}

func TestEveryFieldIsStored(t *testing.T) {
	t.Parallel()
	want := full(t)
	line, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Event
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decode(encode(e)) (-want +got):\n%s", diff)
	}
}

func TestStoredForm(t *testing.T) {
	t.Parallel()
	e := Event{
		ID: ULID{15: 1}, Seq: 7, Time: time.Date(2026, 11, 22, 23, 43, 23, 120000999, time.FixedZone("", 3600)), Kind: KindOutcome,
		User: "anna", Tags: []Tag{{"app", "dbt"}}, Rules: []string{"r<1>"}, Text: "select \"a\"\n\x01 from b\xff \u2028",
		Exec: 1500 * time.Microsecond, Queue: 2 * time.Second, Send: 10 * time.Microsecond, LockWait: 999 * time.Nanosecond, Held: -1,
	}
	got, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"v":1,"id":"00000000000000000000000001","seq":7,"time":"2026-11-22T22:43:23.120000Z","kind":"outcome",` +
		`"user":"anna","tags":{"app":"dbt"},"rules":["r<1>"],"text":"select \"a\"\n\u0001 from b\ufffd \u2028",` +
		`"queue_ms":2000,"exec_ms":1.5,"send_ms":0.01}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("stored form (-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`{"exec_ms":"1"}`, `{"exec_ms":-1}`, `{"exec_ms":1e3}`, `{"exec_ms":1.2345}`, `{"exec_ms":99999999999999999}`, `{"exec_ms":1.x}`,
		`{"tags":[]}`, `{"tags":{"a":1}}`, `{"id":"0"}`, `{"id":"0000000000000000000000000U"}`, `{"time":"yesterday"}`, `{`,
	} {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err == nil {
			t.Errorf("%s was read as %+v", line, e)
		}
	}
}

// quotedLikeJSON is the slow and known way.
func quotedLikeJSON(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "select 1", "\x00\x1f\x7f\"\\/", "é\u2028\u2029\U0001F512", "\xff\xc3", "\xed\xa0\x80", "a\ufffdb", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendQuoted(nil, s)), quotedLikeJSON(t, s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add("intent", "anna", "select 1", "k", int64(1), uint64(2), int64(1234567), int64(1700000000))
	f.Add("\xff", "\x00", "\u2028\"", "", int64(-1), uint64(1<<63), int64(-5), int64(-1<<40))
	f.Fuzz(func(t *testing.T, kind, user, text, tag string, n int64, u uint64, ns, sec int64) {
		e := Event{
			Kind: Kind(kind), User: user, Text: text, Tags: []Tag{{tag, text}, {user, tag}}, Reads: []string{text, tag}, Rules: []string{user},
			Rows: n, TxID: u, Seq: u, Attempt: int(n), BackendPID: uint32(u), TextTruncated: n%2 == 0,
			Exec: time.Duration(ns), Queue: time.Duration(n), Time: time.Unix(sec, ns%1e9),
		}
		line, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var got Event
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if diff := cmp.Diff(normal(e), got); diff != "" {
			t.Errorf("decode(encode(e)) (-want +got):\n%s", diff)
		}
		if p, ok := ParsePrefix(line); !ok || p.Seq != u {
			t.Errorf("prefix %v %v of %s", p, ok, line)
		}
	})
}

// normal is what storing keeps of an event: text as UTF-8, microseconds, UTC.
func normal(e Event) Event {
	valid := func(s string) string { return string([]rune(s)) } // each wrong byte becomes U+FFFD
	duration := func(d time.Duration) time.Duration { return max(d.Truncate(time.Microsecond), 0) }
	e.Version = Version
	e.Kind, e.User, e.Text = Kind(valid(string(e.Kind))), valid(e.User), valid(e.Text)
	e.Tags, e.Reads, e.Rules = append([]Tag(nil), e.Tags...), []string{valid(e.Reads[0]), valid(e.Reads[1])}, []string{valid(e.Rules[0])}
	for i := range e.Tags {
		e.Tags[i] = Tag{valid(e.Tags[i].Key), valid(e.Tags[i].Value)}
	}
	e.Exec, e.Queue = duration(e.Exec), duration(e.Queue)
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if y := e.Time.Year(); y < 1 || y > 9999 {
		e.Time = time.Time{}
	}
	return e
}

func TestTooLongIsShortened(t *testing.T) {
	t.Parallel()
	e := full(t)
	v := reflect.ValueOf(&e).Elem()
	huge := strings.Repeat("\x01é", MaxRecord/32)
	for _, f := range v.Fields() {
		switch x := f.Addr().Interface().(type) {
		case *string:
			*x = huge
		case *[]string:
			*x = make([]string, 1000)
			for j := range *x {
				(*x)[j] = huge[:4096]
			}
		case *[]Tag:
			*x = make([]Tag, 1000)
			for j := range *x {
				(*x)[j] = Tag{huge[:4096], huge[:4096]}
			}
		}
	}
	e.TextTruncated = false
	sealer, err := NewSealer(Head{}, ULID{})
	if err != nil {
		t.Fatal(err)
	}
	line := sealer.Append(nil, &e)
	if len(line) > MaxRecord {
		t.Errorf("line of %d bytes, at most %d", len(line), MaxRecord)
	}
	var got Event
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if !got.TextTruncated || !strings.HasPrefix(e.Text, got.Text) || got.Text == "" {
		t.Errorf("truncated %v, text of %d bytes", got.TextTruncated, len(got.Text))
	}
}
