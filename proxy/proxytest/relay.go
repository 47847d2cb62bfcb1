package proxytest

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Relay is a wire between two parties on loopback TCP that can be made bad. Its
// faults reach the connections that are open and those that come.
type Relay struct {
	tb     testing.TB
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	change *sync.Cond // on mu: a fault changed, or the relay ended
	up     flow       // towards the target
	down   flow       // towards whoever dialled
	refuse bool
	ended  bool
	open   map[net.Conn]bool
}

// flow is what may pass in one direction.
type flow struct {
	stalled bool
	left    int64         // bytes until the connection is cut; < 0: no bound
	chunk   int           // bytes a write; 0: as they come
	pause   time.Duration // between writes
}

// Direction names one way through a Relay.
type Direction bool

// The two directions.
const (
	ToTarget Direction = false // client to warehouse
	ToDialer Direction = true  // warehouse to client
)

// StartRelay listens on loopback and forwards to target, an address of TCP.
func StartRelay(tb testing.TB, target string) *Relay {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	r := &Relay{tb: tb, ln: ln, target: target, open: map[net.Conn]bool{}, up: flow{left: -1}, down: flow{left: -1}}
	r.change = sync.NewCond(&r.mu)
	r.wg.Go(r.accept) // ends when ln closes; Stop waits
	tb.Cleanup(r.Stop)
	return r
}

// Addr returns host:port.
func (r *Relay) Addr() string { return r.ln.Addr().String() }

// Stall lets nothing pass in one direction; the relay does not read there
// either, so that the sender's socket fills.
func (r *Relay) Stall(d Direction) { r.set(d, func(f *flow) { f.stalled = true }) }

// Trickle passes at most n bytes at a time, with a pause behind each write.
func (r *Relay) Trickle(d Direction, n int, pause time.Duration) {
	r.set(d, func(f *flow) { f.chunk, f.pause = n, pause })
}

// CutAfter closes a connection, both ways, when n more bytes have
// passed in one direction: in the middle of a message, say.
func (r *Relay) CutAfter(d Direction, n int64) { r.set(d, func(f *flow) { f.left = n }) }

// Heal takes the faults of both directions, and Refuse, away.
func (r *Relay) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up, r.down, r.refuse = flow{left: -1}, flow{left: -1}, false
	r.change.Broadcast()
}

// Refuse closes new connections at once.
func (r *Relay) Refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = true
}

// Cut closes all connections.
func (r *Relay) Cut() { r.each(func(c net.Conn) { _ = c.Close() }) }

// Reset closes all connections so that both parties see a reset.
func (r *Relay) Reset() { r.each(reset) }

// Stop closes everything and waits.
func (r *Relay) Stop() {
	r.mu.Lock()
	r.ended = true
	r.change.Broadcast()
	r.mu.Unlock()
	_ = r.ln.Close()
	r.Cut()
	r.wg.Wait()
}

func (r *Relay) set(d Direction, change func(*flow)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.flowLocked(d))
	r.change.Broadcast()
}

func (r *Relay) flowLocked(d Direction) *flow {
	if d == ToDialer {
		return &r.down
	}
	return &r.up
}

func (r *Relay) each(do func(net.Conn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		do(c)
	}
}

func (r *Relay) accept() {
	for {
		conn, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(conn) }) // ends with either connection; Stop cuts both and waits
	}
}

func (r *Relay) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !r.keep(client) {
		return
	}
	defer r.drop(client)
	target, err := net.Dial("tcp", r.target) //nolint:noctx // loopback answers at once
	if err != nil {
		return // the client sees a connection that ends, as behind a broken network
	}
	defer func() { _ = target.Close() }()
	if !r.keep(target) {
		return
	}
	defer r.drop(target)
	var wg sync.WaitGroup
	for _, way := range []struct {
		d        Direction
		from, to net.Conn
	}{{ToTarget, client, target}, {ToDialer, target, client}} {
		wg.Go(func() { // ends with either connection
			if !r.pass(way.d, way.from, way.to) { // a fault: both ends go
				_ = way.from.Close()
				_ = way.to.Close()
			}
		})
	}
	wg.Wait()
}

// keep notes an open connection; false: it must not be.
func (r *Relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse || r.ended {
		return false
	}
	r.open[c] = true
	return true
}

func (r *Relay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

// pass copies one direction. A polite end is passed on as one, and true.
func (r *Relay) pass(d Direction, from, to net.Conn) bool {
	buf := make([]byte, 32<<10)
	for {
		n, pause, ok := r.allowance(d, len(buf))
		if !ok {
			return false
		}
		k, err := from.Read(buf[:n])
		if k > 0 {
			// What was read before a stall began waits for its end.
			if k, ok = r.spend(d, k); !ok {
				return false
			}
			if _, err := to.Write(buf[:k]); err != nil {
				return false
			}
		}
		if errors.Is(err, io.EOF) {
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return true
		}
		if err != nil {
			return false
		}
		if pause > 0 {
			time.Sleep(pause)
		}
	}
}

// allowance waits while the direction is stalled and returns how much may be
// read.
func (r *Relay) allowance(d Direction, most int) (n int, pause time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flowLocked(d)
	for f.stalled && !r.ended {
		r.change.Wait()
	}
	if r.ended || f.left == 0 {
		return 0, 0, false
	}
	if f.chunk > 0 {
		most = min(most, f.chunk)
	}
	return most, f.pause, true
}

// spend takes k read bytes off what may pass.
func (r *Relay) spend(d Direction, k int) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flowLocked(d)
	for f.stalled && !r.ended {
		r.change.Wait()
	}
	if r.ended || f.left == 0 {
		return 0, false
	}
	if f.left > 0 {
		k = int(min(int64(k), f.left))
		f.left -= int64(k)
	}
	return k, true
}
