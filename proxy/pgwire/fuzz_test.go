package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"
)

// drip hands out data in pieces whose sizes the script says.
type drip struct{ data, script []byte }

func (d *drip) Read(p []byte) (int, error) {
	if len(d.data) == 0 {
		return 0, io.EOF
	}
	n := min(len(p), len(d.data))
	if len(d.script) > 0 {
		n = min(n, 1+int(d.script[0])*int(d.script[0]))
		d.script = d.script[1:]
	}
	copy(p, d.data[:n])
	d.data = d.data[n:]
	return n, nil
}

// slowFrames is the obvious way to cut frames.
func slowFrames(data []byte) (frames [][]byte, broken bool) {
	for len(data) >= HeadSize {
		n := binary.BigEndian.Uint32(data[1:])
		if n < 4 || n > MaxMessage {
			return frames, true
		}
		if int(n)+1 > len(data) {
			return frames, false
		}
		frames, data = append(frames, data[:n+1]), data[n+1:]
	}
	return frames, false
}

// FuzzFrames cuts, holds, streams and skips as the script says: what comes out
// are the frames that went in, whatever pieces they came in, and no buffer is
// larger than twice what it holds.
func FuzzFrames(f *testing.F) {
	whole := AppendEmpty(AppendQuery(AppendParse(nil, "s", "select 1"), "select 2"), MsgSync)
	f.Add(whole, []byte{1, 0, 2}, uint32(100))
	f.Add(whole[:len(whole)-2], []byte{0, 0, 0, 0, 0, 0}, uint32(0))
	f.Add([]byte{}, []byte{200, 200, 1}, uint32(70_000))
	f.Add(binary.BigEndian.AppendUint32([]byte("Q"), MaxMessage), []byte{}, uint32(40_000))
	f.Add(binary.BigEndian.AppendUint32([]byte("Q"), 3), []byte{2}, uint32(1))
	f.Fuzz(func(t *testing.T, data, script []byte, large uint32) {
		data = AppendFrame(data, MsgCopyData, make([]byte, large%200_000)) // large without being slow to mutate
		want, broken := slowFrames(data)
		budget := &Budget{Max: int64(4*len(data)) + 4*bulkSize}
		r := NewReader(&drip{data, script}, nil, budget)
		var out, expected bytes.Buffer
		w := NewWriter(&out, time.Now)
		err := func() error {
			for i := 0; ; i++ {
				tag, size, err := r.Next()
				if err != nil {
					return err
				}
				if i >= len(want) { // only the end can follow
					_, err := r.Frame(size, MaxMessage+1)
					return err
				}
				if size != len(want[i]) || tag != want[i][0] {
					t.Fatalf("frame %d: %q of %d, want %q of %d", i, tag, size, want[i][0], len(want[i]))
				}
				act := byte(i)
				if i < len(script) {
					act = script[i]
				}
				switch act % 3 {
				case 0:
					frame, err := r.Frame(size, MaxMessage+1)
					if err != nil {
						return err
					}
					_, _ = w.Write(frame)
					r.Discard(size)
				case 1:
					if err := w.Stream(r, size); err != nil {
						return err
					}
				case 2:
					if err := r.Skip(size); err != nil {
						return err
					}
					continue
				}
				expected.Write(want[i])
				if len(r.buf) > max(bulkSize, 2*(len(data)+HeadSize)) {
					t.Fatalf("buffer of %d for %d bytes", len(r.buf), len(data))
				}
			}
		}()
		if broken != errors.Is(err, ErrLength) || (!broken && !errors.Is(err, io.EOF)) {
			t.Fatalf("ended with %v, broken %v", err, broken)
		}
		if !bytes.Equal(out.Bytes(), expected.Bytes()) {
			t.Fatalf("out %q, want %q", out.Bytes(), expected.Bytes())
		}
		r.Close()
		if budget.Used() != 0 {
			t.Fatalf("budget after the end: %d", budget.Used())
		}
	})
}

// FuzzStartup: what we accept we can write again, and pgproto3 reads the same
// of it; what it was cut from stays in its place.
func FuzzStartup(f *testing.F) {
	f.Add(AppendRequest(nil, SSLRequestCode))
	f.Add(AppendCancelRequest(nil, 1, []byte("key!")))
	f.Add(AppendStartup(nil, ProtocolVersion30, []Param{{"user", "u"}, {"user", "v"}, {"options", "-c a=b"}}))
	f.Add(AppendStartup(nil, ProtocolVersion32, []Param{{"_pq_.x", "1"}}))
	f.Add([]byte("\x00\x00\x00\x0d\x00\x03\x00\x00\x00a\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data), nil, nil)
		s, err := ReadStartup(r)
		if len(r.buf) > chunkSize {
			t.Fatalf("buffer of %d before login", len(r.buf))
		}
		if err != nil {
			return
		}
		n := int(binary.BigEndian.Uint32(data))
		var again []byte
		switch {
		case s.Code == SSLRequestCode || s.Code == GSSENCRequestCode:
			again = AppendRequest(nil, s.Code)
		case s.Code == CancelRequestCode:
			again = AppendCancelRequest(nil, s.PID, s.Key)
		case s.Code>>16 == 3:
			again = AppendStartup(nil, s.Code, s.Params)
		default:
			return
		}
		if !bytes.Equal(again, data[:n]) {
			t.Fatalf("read %q, wrote %q", data[:n], again)
		}
		if s.Code != ProtocolVersion30 || len(s.Params) == 0 {
			return // pgproto3 knows 3.0 only, and never a packet without parameters
		}
		var theirs pgproto3.StartupMessage
		if err := theirs.Decode(data[4:n]); err != nil {
			t.Fatalf("pgproto3 does not read %q: %v", data[:n], err)
		}
		for name, value := range theirs.Parameters {
			if ours, ok := s.Get(name); !ok || ours != value {
				t.Fatalf("%q is %q, to pgproto3 %q", name, ours, value)
			}
		}
	})
}

// decodes tells whether pgproto3 reads a body; it panics on some lengths.
func decodes(m pgproto3.Message, body []byte) (ok bool) {
	defer func() { _ = recover() }()
	return m.Decode(body) == nil
}

// FuzzDecode: no decoder fails where pgproto3 reads a message, both read the
// same, and nothing we return lies outside the body.
func FuzzDecode(f *testing.F) {
	const backend = 0x80 // the same letter, from the other side
	seed := func(frame []byte) { f.Add(frame[0], frame[HeadSize:]) }
	seed(AppendQuery(nil, "select 1"))
	seed(AppendParse(nil, "s", "select $1"))
	seed(AppendBind(nil, "p", "s"))
	seed(AppendExecute(nil, "p"))
	seed(AppendTarget(nil, MsgDescribe, 'S', "s"))
	f.Add(MsgCommandComplete|backend, []byte("INSERT 0 1\x00"))
	f.Add(MsgParameterStatus|backend, AppendParameterStatus(nil, Param{"a", "b"})[HeadSize:])
	f.Add(MsgErrorResponse|backend, AppendError(nil, &Notice{Severity: "ERROR", Code: "57014", Message: "m", Hint: "h"})[HeadSize:])
	f.Add(MsgBind, []byte("\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\xff\xff\xff\xff\x00\x00\x00\x01x\x00\x00"))
	f.Fuzz(func(t *testing.T, tag byte, body []byte) {
		body = slices.Clip(body)
		inside := func(parts ...[]byte) {
			t.Helper()
			for _, p := range parts {
				if !bytes.Contains(body, p) {
					t.Fatalf("%q is not of %q", p, body)
				}
			}
		}
		same := func(ok bool, ours, theirs string) {
			t.Helper()
			if !ok || ours != theirs {
				t.Fatalf("%q: ok %v, %q, to pgproto3 %q", body, ok, ours, theirs)
			}
		}
		switch tag {
		case MsgQuery:
			sql, ok := Query(body)
			inside(sql)
			var m pgproto3.Query
			if decodes(&m, body) && bytes.IndexByte(body, 0) == len(body)-1 {
				same(ok, string(sql), m.String)
			}
		case MsgParse:
			name, sql, ok := Parse(body)
			inside(name, sql)
			var m pgproto3.Parse
			if decodes(&m, body) {
				same(ok, string(name), m.Name)
				same(ok, string(sql), m.Query)
			}
		case MsgBind:
			portal, stmt, ok := Bind(body)
			inside(portal, stmt)
			var m pgproto3.Bind
			var values [][]byte
			sound := BindValues(body, func(_ int, _ bool, v []byte) bool {
				inside(v)
				values = append(values, v)
				return true
			})
			if !decodes(&m, body) {
				return
			}
			same(ok, string(portal), m.DestinationPortal)
			same(ok, string(stmt), m.PreparedStatement)
			if again, err := m.Encode(nil); !sound && err == nil && bytes.Equal(again[HeadSize:], body) {
				t.Fatalf("%q is not sound", body)
			}
			if !sound {
				return // pgproto3 takes every negative length for NULL, the server does not
			}
			if len(values) != len(m.Parameters) {
				t.Fatalf("%q: %d values, to pgproto3 %d", body, len(values), len(m.Parameters))
			}
			for i := range values {
				same((values[i] == nil) == (m.Parameters[i] == nil), string(values[i]), string(m.Parameters[i]))
			}
		case MsgExecute:
			portal, rows, ok := Execute(body)
			inside(portal)
			var m pgproto3.Execute
			if decodes(&m, body) && len(body) == len(m.Portal)+5 {
				same(ok && rows == m.MaxRows, string(portal), m.Portal)
			}
		case MsgDescribe, MsgClose:
			kind, name, ok := Target(body)
			inside(name)
			var m pgproto3.Describe
			if decodes(&m, body) && bytes.IndexByte(body[1:], 0) == len(body)-2 {
				same(ok && kind == m.ObjectType, string(name), m.Name)
			}
		case MsgCommandComplete | backend:
			tag := CommandTag(body)
			inside(tag)
			if n := TagRows(tag); n < -1 {
				t.Fatalf("%q: %d rows", tag, n)
			}
		case MsgErrorResponse | backend:
			code, ok := Field(body, 'C')
			inside(code)
			var m pgproto3.ErrorResponse
			if decodes(&m, body) && bytes.Count(body, []byte("\x00C")) == 0 && len(body) > 0 && body[0] == 'C' {
				same(ok, string(code), m.Code)
			}
			if state := SQLState(body); state != "" && len(state) != 5 {
				t.Fatalf("SQLSTATE %q", state)
			}
		default:
			_, _ = FunctionOID(body)
			if name, value, ok := ParameterStatus(body); ok {
				inside(name, value)
			}
		}
	})
}
