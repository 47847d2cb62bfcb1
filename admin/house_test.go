package admin_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is an office on a real store, with an admin.
type house struct {
	*admin.Office

	t       *testing.T
	path    string
	store   admin.Store
	dir     *admin.Directory
	clock   *clock
	journal *journal
	revoker *revoker
	vault   *vault
	log     *logBuffer
	logger  *slog.Logger
	root    *admin.Caller // an admin, by a page session
}

func newHouse(t *testing.T, change ...func(*admin.Config)) *house {
	t.Helper()
	h := &house{
		t: t, path: filepath.Join(t.TempDir(), "office.db"), clock: &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)},
		journal: &journal{}, revoker: &revoker{}, vault: newVault(t), log: &logBuffer{},
	}
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: h.path, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h.store = sqldb.NewPeople(db)
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.logger = log
	if h.dir, err = admin.NewDirectory(admin.DirectoryConfig{Store: h.store, Vault: h.vault, Log: log, Now: h.clock.Now}); err != nil {
		t.Fatal(err)
	}
	cfg := admin.Config{
		Store: h.store, Journal: h.journal, Vault: h.vault, Passwords: passwords{}, Verifiers: verifiers{},
		Revoker: h.revoker, Directory: h.dir, Log: log,
	}
	for _, f := range change {
		f(&cfg)
	}
	if h.Office, err = admin.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	link, err := h.FirstAdmin(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	h.root = h.enter(link).Caller
	return h
}

// enter signs in by a link.
func (h *house) enter(link admin.Secret) *admin.SignedIn {
	h.t.Helper()
	in, err := h.SignInLink(h.t.Context(), link, admin.Visit{Addr: somewhere, Agent: "Firefox"})
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

// person adds somebody and signs them in.
func (h *house) person(login string, role admin.Role, teams ...string) *admin.SignedIn {
	h.t.Helper()
	p, err := h.AddPerson(h.t.Context(), h.root, admin.NewPerson{Login: login, Name: login, Role: role, Teams: teams})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.again(p.ID)
}

// again signs a person in anew.
func (h *house) again(id string) *admin.SignedIn {
	h.t.Helper()
	link, err := h.NewLink(h.t.Context(), h.root, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.enter(link)
}

func (h *house) team(name string) *admin.Team {
	h.t.Helper()
	team, err := h.AddTeam(h.t.Context(), h.root, name)
	if err != nil {
		h.t.Fatal(err)
	}
	return team
}

// service adds a service with a role at all targets.
func (h *house) service(login, team string, role admin.Role) *admin.Service {
	h.t.Helper()
	s, err := h.AddService(h.t.Context(), h.root, admin.NewService{Login: login, Team: team})
	if err != nil {
		h.t.Fatal(err)
	}
	if role != admin.RoleNone {
		h.grant(s.ID, admin.AllTargets, role)
	}
	return s
}

func (h *house) grant(principal, target string, role admin.Role) *admin.Grant {
	h.t.Helper()
	g, err := h.AddGrant(h.t.Context(), h.root, admin.NewGrant{Principal: principal, Target: target, Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// token makes a token of scopes.
func (h *house) token(c *admin.Caller, service string, scopes ...admin.Scope) (admin.Secret, *admin.Token) {
	h.t.Helper()
	secret, token, err := h.AddToken(h.t.Context(), c, admin.NewToken{Name: "x", Scopes: scopes, Days: 365, Service: service})
	if err != nil {
		h.t.Fatal(err)
	}
	return secret, token
}

var somewhere = netip.MustParseAddr("10.1.2.3")

// code fails unless err has a code.
func code(t *testing.T, what string, err error, want admin.Code) {
	t.Helper()
	if err == nil || admin.CodeOf(err) != want {
		t.Errorf("%s: %v (%s), want %s", what, err, admin.CodeOf(err), want)
	}
}

// out fails unless err is the one answer for proofs that do not hold.
func out(t *testing.T, what string, err error) {
	t.Helper()
	e, ok := errors.AsType[*admin.Error](err)
	want := admin.Unauthenticate()
	if !ok || e.Code != want.Code || e.Slug != want.Slug || e.Text != want.Text || len(e.Extra) > 0 {
		t.Errorf("%s: %v, want the one answer", what, err)
	}
}

type clock struct {
	mu  sync.Mutex // guards what follows
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// logBuffer is a log that many write.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// journal keeps what is recorded, and may fail.
type journal struct {
	mu     sync.Mutex // guards what follows
	events []audit.Event
	broken bool
}

var errFull = errors.New("disk full")

func (j *journal) Record(_ context.Context, e *audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken {
		return errFull
	}
	j.events = append(j.events, *e)
	return nil
}

func (j *journal) breaks(b bool) {
	j.mu.Lock()
	j.broken = b
	j.mu.Unlock()
}

func (j *journal) last() audit.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[len(j.events)-1]
}

type revoker struct {
	mu  sync.Mutex // guards what follows
	ids []string
}

func (r *revoker) Revoke(ids ...string) {
	r.mu.Lock()
	r.ids = append(r.ids, ids...)
	r.mu.Unlock()
}

// took returns what was revoked and forgets it.
func (r *revoker) took() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.ids
	r.ids = nil
	return ids
}

// wasRevoked holds what was revoked since it was last asked against want, in any
// order: ids are random, and the house promises none.
func (r *revoker) wasRevoked(t *testing.T, what string, want ...string) {
	t.Helper()
	got := r.took()
	slices.Sort(got)
	slices.Sort(want)
	same(t, what, got, want)
}

// vault seals with a key of its own.
type vault struct {
	aead cipher.AEAD
	shut bool
}

func newVault(t *testing.T) *vault {
	t.Helper()
	block, err := aes.NewCipher([]byte(rand.Text() + "123456"))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return &vault{aead: aead}
}

func (v *vault) Seal(purpose string, plain []byte) ([]byte, error) {
	nonce := []byte(rand.Text())[:v.aead.NonceSize()]
	return v.aead.Seal(nonce, nonce, plain, []byte(purpose)), nil
}

func (v *vault) Open(purpose string, sealed []byte) ([]byte, error) {
	if n := v.aead.NonceSize(); len(sealed) > n && !v.shut {
		return v.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	}
	return nil, errors.New("sealed")
}

// passwords hashes fast; a hash that begins with old asks for a new one.
type passwords struct{}

func (passwords) Hash(_ context.Context, secret string) (string, error) {
	sum := sha256.Sum256([]byte(secret))
	return "$new$" + hex.EncodeToString(sum[:]), nil
}

func (p passwords) Verify(ctx context.Context, phc, secret string) (ok, rehash bool, err error) {
	want, err := p.Hash(ctx, secret)
	return strings.TrimPrefix(strings.TrimPrefix(phc, "$old"), "$new") == strings.TrimPrefix(want, "$new"), strings.HasPrefix(phc, "$old"), err
}

// verifiers looks like SCRAM.
type verifiers struct{}

func (verifiers) New(password string, salt []byte) (string, error) {
	b64 := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256(append(slices.Clone(salt), password...))
	return "SCRAM-SHA-256$4096:" + b64(salt) + "$" + b64(sum[:]) + ":" + b64(sum[:]), nil
}
