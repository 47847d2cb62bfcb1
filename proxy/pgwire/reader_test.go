package pgwire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgproto3/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns the two ends of a unix stream, which close with the test.
func pair(tb testing.TB) (a, b net.Conn) {
	tb.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	conns := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		if conns[i], err = net.FileConn(f); err != nil {
			tb.Fatal(err)
		}
		_ = f.Close()
		tb.Cleanup(func() { _ = conns[i].Close() })
	}
	return conns[0], conns[1]
}

// sources are the ways in which bytes reach a Reader: by the raw descriptor,
// and through an io.Reader as TLS is one.
var sources = map[string]func(net.Conn) io.Reader{
	"raw":    func(c net.Conn) io.Reader { return c },
	"layers": func(c net.Conn) io.Reader { return struct{ io.Reader }{c} },
}

// speech is one message of each kind a frontend has, many times, in many
// sizes.
func speech(rnd *rand.Rand, n int) (wire []byte, messages []pgproto3.FrontendMessage) {
	text := func() string {
		b := make([]byte, 1<<rnd.IntN(17)-1)
		for i := range b {
			b[i] = 'a' + byte(i%26)
		}
		return string(b)
	}
	for range n {
		var m pgproto3.FrontendMessage
		switch rnd.IntN(12) {
		case 0:
			m = &pgproto3.Query{String: text()}
		case 1:
			m = &pgproto3.Parse{Name: "s", Query: text(), ParameterOIDs: []uint32{25}}
		case 2:
			m = &pgproto3.Bind{
				DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1},
				Parameters: [][]byte{[]byte(text()), nil, {}}, ResultFormatCodes: []int16{0},
			}
		case 3:
			m = &pgproto3.Describe{ObjectType: 'S', Name: "s"}
		case 4:
			m = &pgproto3.Execute{Portal: "p", MaxRows: 7}
		case 5:
			m = &pgproto3.Close{ObjectType: 'P', Name: "p"}
		case 6:
			m = &pgproto3.Sync{}
		case 7:
			m = &pgproto3.Flush{}
		case 8:
			m = &pgproto3.CopyData{Data: []byte(text())}
		case 9:
			m = &pgproto3.CopyDone{}
		case 10:
			m = &pgproto3.CopyFail{Message: "why"}
		case 11:
			m = &pgproto3.FunctionCall{Function: 1397, ArgFormatCodes: []uint16{0}, Arguments: [][]byte{[]byte("1")}}
		}
		b, err := m.Encode(nil)
		if err != nil {
			panic(err)
		}
		wire, messages = append(wire, b...), append(messages, m)
	}
	return wire, messages
}

// TestFramesAsPgproto3 cuts the same bytes with both, however they arrive.
func TestFramesAsPgproto3(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		for seed := range uint64(4) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			wire, want := speech(rnd, 400)
			a, b := pair(t)
			go func() { // ends when all is written or a is closed by the test's end
				for rest := wire; len(rest) > 0; {
					k := min(len(rest), 1+rnd.IntN(1<<rnd.IntN(18)))
					if _, err := a.Write(rest[:k]); err != nil {
						return
					}
					rest = rest[k:]
				}
				_ = a.Close()
			}()
			oracle := pgproto3.NewBackend(pgproto3.NewChunkReader(bytes.NewReader(wire)), io.Discard)
			r := NewReader(source(b), nil, nil)
			for i := range want {
				tag, size, err := r.Next()
				if err != nil {
					t.Fatalf("%s, seed %d, message %d: %v", name, seed, i, err)
				}
				frame, err := r.Frame(size, 1<<20)
				if err != nil {
					t.Fatalf("%s, seed %d, message %d: %v", name, seed, i, err)
				}
				theirs, err := oracle.Receive()
				if err != nil {
					t.Fatal(err)
				}
				encoded, err := theirs.Encode(nil)
				if err != nil {
					t.Fatal(err)
				}
				if tag != encoded[0] || !bytes.Equal(frame, encoded) {
					t.Fatalf("%s, seed %d, message %d: %q of %d bytes, pgproto3 %q of %d", name, seed, i, tag, size, encoded[0], len(encoded))
				}
				r.Discard(size)
			}
			if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: at the end: %v", name, err)
			}
			r.Close()
		}
	}
}

func TestHeadBounds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		length uint32
		ok     bool
	}{{0, false}, {3, false}, {4, true}, {MaxMessage, true}, {MaxMessage + 1, false}, {1 << 31, false}, {0xffffffff, false}} {
		wire := binary.BigEndian.AppendUint32([]byte{'Q'}, tc.length)
		r := NewReader(bytes.NewReader(wire), nil, nil)
		_, size, err := r.Next()
		if (err == nil) != tc.ok || (err != nil && !errors.Is(err, ErrLength)) {
			t.Errorf("length %d: %v", tc.length, err)
		}
		if tc.ok && size != int(tc.length)+1 {
			t.Errorf("length %d: size %d", tc.length, size)
		}
	}
}

func TestHeadAtLooksPastFrames(t *testing.T) {
	t.Parallel()
	wire := AppendEmpty(AppendQuery(nil, "select 1"), MsgSync)
	r := NewReader(bytes.NewReader(wire), nil, nil)
	_, size, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if tag, next, ok, err := r.HeadAt(size); tag != MsgSync || next != 5 || !ok || err != nil {
		t.Errorf("second head: %q %d %v %v", tag, next, ok, err)
	}
	if _, _, ok, err := r.HeadAt(size + 5); ok || err != nil {
		t.Errorf("third head: %v %v", ok, err)
	}
	if _, _, ok, err := r.HeadAt(size + 1); ok || err != nil {
		t.Errorf("head that is not whole: %v %v", ok, err)
	}
}

// TestHalfFrames ends the stream behind every byte of a message.
func TestHalfFrames(t *testing.T) {
	t.Parallel()
	wire := AppendQuery(nil, "select 1")
	for n := range wire {
		r := NewReader(bytes.NewReader(wire[:n]), nil, nil)
		_, size, err := r.Next()
		if n >= HeadSize {
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			_, err = r.Frame(size, 100)
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestAppendToBytesKeepsTheNextFrame(t *testing.T) {
	t.Parallel()
	wire := AppendQuery(AppendQuery(nil, "a"), "b")
	r := NewReader(bytes.NewReader(wire), nil, nil)
	_, size, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	_ = append(r.Bytes(size), "XXXXXXXX"...)
	r.Discard(size)
	if got := r.Bytes(size); !bytes.Equal(got, AppendQuery(nil, "b")) {
		t.Errorf("second frame: %q", got)
	}
}

// TestGrowthFollowsBytes claims a gigabyte and sends little.
func TestGrowthFollowsBytes(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		a, b := pair(t)
		budget := &Budget{Max: 1 << 20}
		r := NewReader(source(b), nil, budget)
		send := func(p []byte) {
			go func() { _, _ = a.Write(p) }() // ends when it is read or a is closed
		}
		send(binary.BigEndian.AppendUint32([]byte{'Q'}, MaxMessage))
		_, size, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.buf) > bulkSize {
			t.Errorf("%s: %d bytes of buffer for 5 received", name, len(r.buf))
		}
		if _, err := r.Frame(size, 1<<20); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: frame beyond the limit: %v", name, err)
		}
		_ = b.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		send(make([]byte, 100<<10))
		if _, err := r.Frame(size, MaxMessage+1); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s: %v", name, err)
		}
		if got := r.Buffered(); got != 100<<10+HeadSize || len(r.buf) > 2*got || budget.Used() != int64(len(r.buf)) {
			t.Errorf("%s: %d buffered in %d, budget %d", name, got, len(r.buf), budget.Used())
		}
		_ = b.SetReadDeadline(time.Time{})
		send(make([]byte, 2<<20))
		if _, err := r.Frame(size, MaxMessage+1); !errors.Is(err, ErrMemory) {
			t.Errorf("%s: beyond the budget: %v", name, err)
		}
		r.Close()
		if budget.Used() != 0 {
			t.Errorf("%s: budget after Close: %d", name, budget.Used())
		}
		_ = a.Close()
	}
}

// TestBuffersGoBack looks at a Reader that waits: on a plain socket it holds
// nothing, on any other no more than the usual buffer.
func TestBuffersGoBack(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		a, b := pair(t)
		budget := &Budget{Max: 1 << 30}
		r := NewReader(source(b), nil, budget)
		wire := AppendQuery(nil, string(make([]byte, 300<<10)))
		done := make(chan error, 1)
		go func() { // ends when it is read
			_, err := a.Write(wire)
			done <- err
		}()
		_, size, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Frame(size, 1<<20); err != nil {
			t.Fatal(err)
		}
		if budget.Used() == 0 {
			t.Errorf("%s: a held frame of %d bytes is not in the budget", name, size)
		}
		r.Discard(size)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		_ = b.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if err := r.Fill(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s: %v", name, err)
		}
		if most := map[string]int{"raw": 0, "layers": bulkSize}[name]; len(r.buf) > most || budget.Used() != 0 {
			t.Errorf("%s: holds %d bytes while it waits, budget %d", name, len(r.buf), budget.Used())
		}
		_ = b.SetReadDeadline(time.Time{})
		if _, err := a.Write(AppendEmpty(nil, MsgSync)); err != nil {
			t.Fatal(err)
		}
		if tag, _, err := r.Next(); tag != MsgSync || err != nil {
			t.Errorf("%s: afterwards %q, %v", name, tag, err)
		}
	}
}

func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	b := &Budget{Max: 10}
	if !b.Take(6) || b.Take(5) || !b.Take(4) || b.Used() != 10 {
		t.Errorf("used %d", b.Used())
	}
	b.Give(10)
	var none *Budget
	if !none.Take(1<<40) || none.Used() != 0 {
		t.Error("a nil budget is bounded")
	}
	none.Give(1)
}

func TestSkipReadsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	wire := AppendEmpty(AppendFrame(nil, MsgCopyData, make([]byte, 5<<20)), MsgSync)
	go func() { _, _ = a.Write(wire) }() // ends when it is read
	r := NewReader(b, nil, &Budget{})    // nothing may grow
	_, size, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Skip(size); err != nil {
		t.Fatal(err)
	}
	if tag, _, err := r.Next(); tag != MsgSync || err != nil {
		t.Errorf("behind the skipped message: %q, %v", tag, err)
	}
}

// TestStreamIsBounded passes a 100 MB message through without room for it,
// while signals interrupt the system calls.
func TestStreamIsBounded(t *testing.T) {
	const size = 100 << 20
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	t.Cleanup(func() { signal.Stop(signals) })
	storm := make(chan struct{})
	go func() { // ends with stop; the test waits for it
		defer close(storm)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			}
		}
	}()
	from, in := pair(t)
	out, to := pair(t)
	sent := make(chan hash.Hash, 1)
	go func() { // ends when all is read
		h := sha256.New()
		w := io.MultiWriter(from, h)
		_, _ = w.Write(binary.BigEndian.AppendUint32([]byte{MsgDataRow}, size+4))
		block := make([]byte, 1<<20)
		for i := range size >> 20 {
			block[0] = byte(i)
			_, _ = w.Write(block)
		}
		_ = from.Close()
		sent <- h
	}()
	received := make(chan hash.Hash, 1)
	go func() { // ends with the stream
		h := sha256.New()
		_, _ = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{to}, make([]byte, 64<<10))
		received <- h
	}()
	r := NewReader(in, nil, &Budget{}) // nothing may grow
	w := NewWriter(out, time.Now)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tag, n, err := r.Next()
	if err != nil || tag != MsgDataRow || n != size+HeadSize {
		t.Fatalf("head: %q %d %v", tag, n, err)
	}
	if err := w.Stream(r, n); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	close(stop)
	<-storm
	_ = out.Close()
	if a, b := (<-sent).Sum(nil), (<-received).Sum(nil); !bytes.Equal(a, b) {
		t.Error("what came out is not what went in")
	}
	if w.Bytes() != int64(n) || w.MidFrame() {
		t.Errorf("sent %d of %d, mid frame %v", w.Bytes(), n, w.MidFrame())
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 && !raceEnabled { // the race detector makes pools forget
		t.Errorf("allocated %d bytes on the way", grown)
	}
}

func TestStartupPackets(t *testing.T) {
	t.Parallel()
	params := []Param{{"user", "bob"}, {"database", "d"}, {"user", "eve"}, {"options", ""}}
	at := func(n uint32, rest ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, n), rest...) }
	long := AppendStartup(nil, ProtocolVersion30, []Param{{"user", string(bytes.Repeat([]byte("x"), MaxStartup-4-7))}})
	if len(long) != MaxStartup+4 {
		t.Fatalf("longest packet has %d bytes", len(long))
	}
	for _, tc := range []struct {
		name string
		wire []byte
		want Startup
		ok   bool
	}{
		{"ssl", AppendRequest(nil, SSLRequestCode), Startup{Code: SSLRequestCode}, true},
		{"gss", AppendRequest(nil, GSSENCRequestCode), Startup{Code: GSSENCRequestCode}, true},
		{"ssl with a body", at(9, 0x04, 0xd2, 0x16, 0x2f, 0), Startup{}, false},
		{"cancel", AppendCancelRequest(nil, 7, []byte("1234")), Startup{Code: CancelRequestCode, PID: 7, Key: []byte("1234")}, true},
		{"cancel 3.2", AppendCancelRequest(nil, 7, make([]byte, 256)), Startup{Code: CancelRequestCode, PID: 7, Key: make([]byte, 256)}, true},
		{"cancel, long key", AppendCancelRequest(nil, 7, make([]byte, 257)), Startup{}, false},
		{"cancel, short key", AppendCancelRequest(nil, 7, []byte("123")), Startup{}, false},
		{"3.0", AppendStartup(nil, ProtocolVersion30, params), Startup{Code: ProtocolVersion30, Params: params}, true},
		{"3.2", AppendStartup(nil, ProtocolVersion32, params[:1]), Startup{Code: ProtocolVersion32, Params: params[:1]}, true},
		{"no parameters", AppendStartup(nil, ProtocolVersion30, nil), Startup{Code: ProtocolVersion30}, true},
		{"2.0", at(12, 0, 2, 0, 0, 'x', 'y', 'z', 'w'), Startup{Code: 2 << 16}, true},
		{"no terminator", at(8, 0, 3, 0, 0), Startup{}, false},
		{"name without end", at(11, 0, 3, 0, 0, 'a', 'b', 'c'), Startup{}, false},
		{"value without end", at(12, 0, 3, 0, 0, 'a', 0, 'b', 'c'), Startup{}, false},
		{"bytes behind the terminator", at(13, 0, 3, 0, 0, 0, 'a', 0, 0, 0), Startup{}, false},
		{"too short", at(7, 0, 3, 0), Startup{}, false},
		{"short, and nothing more comes", at(7), Startup{}, false},
		{"longest", long, Startup{Code: ProtocolVersion30, Params: []Param{{"user", string(long[13 : len(long)-2])}}}, true},
		{"too long", at(MaxStartup+5, 0, 3, 0, 0), Startup{}, false},
		{"a gigabyte", at(1<<30, 0, 3, 0, 0), Startup{}, false},
		{"tls hello", []byte("\x16\x03\x01\x02\x00\x01\x00\x01"), Startup{}, false},
		{"http", []byte("GET / HTTP/1.1\r\n\r\n"), Startup{}, false},
	} {
		r := NewReader(bytes.NewReader(tc.wire), nil, nil)
		got, err := ReadStartup(r)
		if (err == nil) != tc.ok || (err != nil && !errors.Is(err, ErrLength)) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if diff := cmp.Diff(tc.want, got); tc.ok && diff != "" {
			t.Errorf("%s: -want +got\n%s", tc.name, diff)
		}
		if len(r.buf) > chunkSize {
			t.Errorf("%s: buffer of %d", tc.name, len(r.buf))
		}
	}
	for n := range 8 {
		if _, err := ReadStartup(NewReader(bytes.NewReader(at(8, 0, 3, 0, 0)[:n]), nil, nil)); !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestStartupLeavesWhatFollows(t *testing.T) {
	t.Parallel()
	wire := slices.Concat(AppendRequest(nil, SSLRequestCode), []byte("injected"))
	r := NewReader(bytes.NewReader(wire), nil, nil)
	if _, err := ReadStartup(r); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() != len("injected") {
		t.Errorf("buffered behind the request: %d", r.Buffered())
	}
}
