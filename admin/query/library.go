package query

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

// Bounds of saved queries.
const (
	MaxDescription = 10_000
	maxChart       = 64 << 10
	maxChoices     = 1000
	useWindow      = 30 * 24 * time.Hour
)

// LibraryConfig says what a Library stands on.
type LibraryConfig struct {
	Store    Store
	Journal  admin.Journal
	Services Services
	Now      func() time.Time

	MaxEach  int64 // saved queries and drafts of one owner; default 5000
	MaxChars int64 // of their texts, versions too; default 256 Mi
}

// Services says who holds a service: only who does may release versions to it.
type Services interface {
	// Holds returns whether the caller holds the service (an admin holds all), or
	// admin.ErrAbsent.
	Holds(ctx context.Context, c *admin.Caller, serviceID string) (bool, error)
}

// Library keeps saved queries and drafts.
type Library struct {
	cfg   LibraryConfig
	types *typeNames
}

// NewLibrary returns the service.
func NewLibrary(cfg LibraryConfig) (*Library, error) {
	if cfg.Store == nil || cfg.Journal == nil || cfg.Services == nil || cfg.Now == nil {
		return nil, errors.New("query: the library needs store, journal, services and a clock")
	}
	cfg.MaxEach, cfg.MaxChars = cmp.Or(cfg.MaxEach, 5000), cmp.Or(cfg.MaxChars, 256<<20)
	return &Library{cfg: cfg, types: newTypeNames()}, nil
}

func (l *Library) now() time.Time { return l.cfg.Now().UTC().Truncate(time.Microsecond) }

// mayRead reports whether a saved query is open to a caller. A token that is
// bound to queries opens no others; a service's opens those, for whoever bound
// them could read them, and a person's only what is open to the person still.
func mayRead(c *admin.Caller, r *SavedRecord) bool {
	if c.Queries != nil {
		_, bound := c.Queries[r.ID]
		if !bound || r.Draft {
			return false
		}
		if c.Kind == admin.KindService || c.Actor != nil {
			return true
		}
	}
	if r.OwnerID == c.ID {
		return true
	}
	return !r.Draft && (r.Team == admin.Everyone || r.Team != "" && slices.Contains(c.Teams, r.Team))
}

// mayEdit reports whether a caller may change a saved query: its owner, and its
// team.
func mayEdit(c *admin.Caller, r *SavedRecord) bool {
	if c.Queries != nil || !c.Scopes.Has(admin.ScopeQueriesWrite) {
		return false
	}
	return r.OwnerID == c.ID || !r.Draft && r.Team != "" && r.Team != admin.Everyone && slices.Contains(c.Teams, r.Team)
}

// readable finds a saved query that is open to the caller.
func readable(ctx context.Context, tx Tx, c *admin.Caller, id string) (*SavedRecord, error) {
	if !admin.IsID(admin.PrefixQuery, id) {
		return nil, admin.Missing()
	}
	r, err := tx.Saved(ctx, id)
	if errors.Is(err, admin.ErrAbsent) || err == nil && !mayRead(c, r) {
		return nil, admin.Missing()
	}
	if err != nil {
		return nil, fmt.Errorf("find the saved query: %w", err)
	}
	return r, nil
}

// Get returns one.
func (l *Library) Get(ctx context.Context, c *admin.Caller, id string) (out Saved, err error) {
	if err := c.Need(admin.ScopeQueriesRead); err != nil {
		return Saved{}, err
	}
	err = l.cfg.Store.View(ctx, func(tx Tx) error {
		r, err := readable(ctx, tx, c, id)
		if err != nil {
			return err
		}
		out, err = l.view(ctx, tx, c, r)
		return err
	})
	return out, err
}

// view makes a caller's view of a saved query.
func (l *Library) view(ctx context.Context, tx Tx, c *admin.Caller, r *SavedRecord) (Saved, error) {
	out := Saved{
		ID: r.ID, Title: r.Title, Description: r.Description, SQL: r.SQL, Params: r.Params, Chart: r.Chart, Tags: r.Tags,
		Draft: r.Draft, Target: r.Target, Owner: Owner{ID: r.OwnerID, Login: r.OwnerLogin, Name: r.OwnerName},
		Version: r.Version, Rev: r.Rev, Created: r.Created, Updated: r.Updated, Released: []Released{},
		Can: SavedCan{Edit: mayEdit(c, r), Delete: r.OwnerID == c.ID && c.Scopes.Has(admin.ScopeQueriesWrite), Run: c.Scopes.Has(admin.ScopeRunsWrite) || c.Scopes.Has(admin.ScopeQueriesRun)},
	}
	if r.Team != "" {
		out.Team = &r.Team
	}
	if r.OwnerID == c.ID {
		out.Working = r.Working
	}
	if out.Params == nil {
		out.Params = []SavedParam{}
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if out.Chart == nil {
		out.Chart = json.RawMessage("null")
	}
	var err error
	if out.Starred, err = tx.Starred(ctx, r.ID, c.ID); err != nil {
		return Saved{}, fmt.Errorf("find the star: %w", err)
	}
	if out.LastRun, out.Runs30d, err = tx.SavedUse(ctx, r.ID, c.ID, l.now().Add(-useWindow)); err != nil {
		return Saved{}, fmt.Errorf("find its runs: %w", err)
	}
	releases, err := tx.Releases(ctx, r.ID)
	if err != nil {
		return Saved{}, fmt.Errorf("find its releases: %w", err)
	}
	for _, rel := range releases {
		out.Released = append(out.Released, rel.Released)
	}
	return out, nil
}

// List returns saved queries open to the caller, the last changed first.
func (l *Library) List(ctx context.Context, c *admin.Caller, f SavedFilter) (SavedPage, error) {
	if err := c.Need(admin.ScopeQueriesRead); err != nil {
		return SavedPage{}, err
	}
	limit, err := listLimit(f.Limit)
	if err != nil {
		return SavedPage{}, err
	}
	rf := SavedRecordFilter{
		ReaderID: c.ID, Teams: c.Teams, Mine: f.Mine, Team: f.Team, MyTeams: f.MyTeams, Starred: f.Starred, Tag: f.Tag, Draft: f.Draft, Text: f.Text,
	}
	if rf.BeforeRev, rf.BeforeID, err = readCursor(f.Cursor); err != nil {
		return SavedPage{}, err
	}
	page := SavedPage{Items: []Saved{}}
	err = l.cfg.Store.View(ctx, func(tx Tx) error { return l.fill(ctx, tx, c, &page, rf, limit) })
	return page, err
}

const (
	listedAtOnce = 16      // records read at once; each holds its text, and that of a draft again
	listedChars  = 8 << 20 // of text in one page, which ends there
)

// fill reads a page's records, few at a time: many of them may be long.
func (l *Library) fill(ctx context.Context, tx Tx, c *admin.Caller, page *SavedPage, f SavedRecordFilter, limit int) error {
	for seen, chars := 0, 0; ; {
		f.Limit = min(listedAtOnce, limit-seen) + 1
		records, err := tx.SavedBy(ctx, f)
		if err != nil {
			return fmt.Errorf("list saved queries: %w", err)
		}
		more := len(records) == f.Limit
		if more {
			records = records[:f.Limit-1]
		}
		for i := range records {
			r := &records[i]
			seen, chars = seen+1, chars+r.chars()
			f.BeforeRev, f.BeforeID = r.Updated, r.ID
			if mayRead(c, r) { // else a token bound to some
				item, err := l.view(ctx, tx, c, r)
				if err != nil {
					return err
				}
				page.Items = append(page.Items, item)
			}
			if last := i == len(records)-1; (seen == limit || chars >= listedChars) && (more || !last) {
				page.Next = writeCursor(r.Updated, r.ID)
				return nil
			}
		}
		if !more {
			return nil
		}
	}
}

func (r *SavedRecord) chars() int {
	n := len(r.SQL)
	if r.Working != nil {
		n += len(r.Working.SQL)
	}
	return n
}

// Create saves a query or a draft.
func (l *Library) Create(ctx context.Context, c *admin.Caller, n NewSaved) (Saved, error) {
	if err := writes(c); err != nil {
		return Saved{}, err
	}
	r := &SavedRecord{
		ID: admin.NewID(admin.PrefixQuery), OwnerID: c.ID, OwnerLogin: c.Login, OwnerName: c.Name, Title: n.Title, Description: n.Description,
		SQL: n.SQL, Params: n.Params, Chart: n.Chart, Tags: n.Tags, Draft: n.Draft, Target: n.Target, Version: 1, Rev: 1, Created: l.now(),
	}
	if n.Team != nil {
		r.Team = *n.Team
	}
	r.Updated = r.Created
	if err := l.check(c, r, ""); err != nil {
		return Saved{}, err
	}
	return l.add(ctx, c, r)
}

func (l *Library) add(ctx context.Context, c *admin.Caller, r *SavedRecord) (out Saved, err error) {
	err = l.cfg.Store.Update(ctx, func(tx Tx) error {
		if err := l.room(ctx, tx, c, r.OwnerID, 1); err != nil {
			return err
		}
		if err := l.shared(ctx, c, r, ""); err != nil {
			return err
		}
		if err := tx.AddSaved(ctx, r); err != nil {
			return fmt.Errorf("save the query: %w", err)
		}
		if err := tx.PutSavedVersion(ctx, l.versionOf(c, r)); err != nil {
			return fmt.Errorf("save its version: %w", err)
		}
		out, err = l.view(ctx, tx, c, r)
		return err
	})
	return out, err
}

// shared records that a query is open to other people than before.
func (l *Library) shared(ctx context.Context, c *admin.Caller, r *SavedRecord, before string) error {
	if r.Team == before {
		return nil
	}
	e := c.Entry(audit.KindShare)
	e.What, e.Grantee, e.Reason = "share query", "team:"+r.Team, r.ID
	if r.Team == "" {
		e.What, e.Grantee = "unshare query", "team:"+before
	}
	return recorded(ctx, l.cfg.Journal, &e)
}

// room refuses more queries, or text, than one owner may keep: a program that
// saves in a loop must not fill the store of all.
func (l *Library) room(ctx context.Context, tx Tx, c *admin.Caller, ownerID string, more int64) error {
	queries, chars, err := tx.SavedSize(ctx, ownerID)
	if err != nil {
		return fmt.Errorf("count saved queries: %w", err)
	}
	whose, they := "You have", "you"
	if ownerID != c.ID {
		whose, they = "Its owner has", "they"
	}
	switch {
	case queries+more > l.cfg.MaxEach:
		return admin.Errorf(admin.Quota, "quota-exceeded", "%s %d saved queries and drafts, the most there may be. Delete some that are not needed.", whose, queries)
	case chars >= l.cfg.MaxChars:
		return admin.Errorf(admin.Quota, "quota-exceeded", "%s %d characters of saved SQL, with all versions, the most there may be. Delete queries that %s do not need.", whose, chars, they)
	}
	return nil
}

func (l *Library) versionOf(c *admin.Caller, r *SavedRecord) *VersionRecord {
	by := c.Login
	if c.Actor != nil {
		by = c.Actor.Login
	}
	return &VersionRecord{QueryID: r.ID, Version: Version{Version: r.Version, SQL: r.SQL, Params: r.Params, Chart: r.Chart, By: by, At: r.Updated, Title: r.Title}}
}

func writes(c *admin.Caller) error {
	if c.Queries != nil {
		return admin.Errorf(admin.Forbidden, "query-only", "This token runs saved queries and changes none.")
	}
	return c.Need(admin.ScopeQueriesWrite)
}

// check refuses what is out of bounds; team is what it was shared with before.
func (l *Library) check(c *admin.Caller, r *SavedRecord, team string) error {
	var fields []admin.FieldError
	wrong := func(bad bool, pointer, message string) {
		if bad {
			fields = append(fields, admin.FieldError{Pointer: pointer, Message: message})
		}
	}
	wrong(utf8.RuneCountInString(r.Title) > MaxTitle, "/title", fmt.Sprintf("has more than %d characters", MaxTitle))
	wrong(r.Title == "" && !r.Draft, "/title", "is missing: a saved query has a name")
	wrong(utf8.RuneCountInString(r.Description) > MaxDescription, "/description", fmt.Sprintf("has more than %d characters", MaxDescription))
	wrong(len(r.Tags) > MaxTags, "/tags", fmt.Sprintf("has more than %d tags", MaxTags))
	for _, t := range r.Tags {
		wrong(t == "" || len(t) > maxTag, "/tags", fmt.Sprintf("has a tag that is empty or longer than %d bytes", maxTag))
	}
	wrong(len(r.Chart) > maxChart || len(r.Chart) > 0 && !json.Valid(r.Chart), "/chart", fmt.Sprintf("is JSON of at most %d bytes", maxChart))
	wrong(r.Draft && r.Team != "", "/team", "a draft is its owner's alone; save it to share it")
	foreign := r.Team != "" && r.Team != admin.Everyone && r.Team != team && !slices.Contains(c.Teams, r.Team)
	wrong(foreign, "/team", "is none of your teams")
	fields = append(fields, l.checkParams(r.Params)...)
	if w := r.Working; w != nil {
		wrong(len(w.Chart) > maxChart || len(w.Chart) > 0 && !json.Valid(w.Chart), "/working/chart", fmt.Sprintf("is JSON of at most %d bytes", maxChart))
		wrong(len(w.Params) > MaxParams, "/working/params", fmt.Sprintf("has more than %d parameters", MaxParams))
		if err := checkSQL(w.SQL); err != nil {
			return err
		}
	}
	if len(fields) > 0 {
		e := admin.Errorf(admin.Invalid, "bad-request", "The query has parts that make no sense.")
		e.Fields = fields
		return e
	}
	return checkSQL(r.SQL)
}

func (l *Library) checkParams(params []SavedParam) []admin.FieldError {
	var fields []admin.FieldError
	if len(params) > MaxParams {
		return []admin.FieldError{{Pointer: "/params", Message: fmt.Sprintf("has more than %d parameters", MaxParams)}}
	}
	seen := map[string]bool{}
	for i, p := range params {
		pointer := "/params/" + strconv.Itoa(i)
		value := p.Default
		if value == nil && len(p.Choices) > 0 {
			value = p.Choices[0]
		}
		if _, err := l.types.encodeOne(Param{Name: p.Name, Type: p.Type, Value: value}); err != nil {
			fields = append(fields, admin.FieldError{Pointer: pointer, Message: err.Error()})
		}
		if seen[p.Name] {
			fields = append(fields, admin.FieldError{Pointer: pointer + "/name", Message: "is declared twice"})
		}
		seen[p.Name] = true
		if len(p.Choices) > maxChoices {
			fields = append(fields, admin.FieldError{Pointer: pointer + "/choices", Message: fmt.Sprintf("has more than %d choices", maxChoices)})
		}
		if p.Default != nil && !p.allows(p.Default) {
			fields = append(fields, admin.FieldError{Pointer: pointer + "/default", Message: "is none of the choices"})
		}
	}
	return fields
}

// allows reports whether a value is among the choices; of a list, each element.
func (p *SavedParam) allows(v any) bool {
	if len(p.Choices) == 0 {
		return true
	}
	if list, ok := v.([]any); ok {
		return !slices.ContainsFunc(list, func(x any) bool { return !p.allows(x) })
	}
	text, err := textOf(v)
	return err == nil && slices.ContainsFunc(p.Choices, func(choice any) bool {
		t, err := textOf(choice)
		return err == nil && same(t, text)
	})
}

// Update changes one. rev is the newest that the caller has seen, from
// If-Match: 0 is refused as "if-match-required", a stale one as
// "version-conflict".
func (l *Library) Update(ctx context.Context, c *admin.Caller, id string, rev int64, ch SavedChange) (out Saved, err error) {
	if err := writes(c); err != nil {
		return Saved{}, err
	}
	if rev == 0 {
		return Saved{}, admin.Errorf(admin.Precondition, "if-match-required", "Send If-Match with the ETag of the query you changed, so that nobody's change is lost.")
	}
	err = l.cfg.Store.Update(ctx, func(tx Tx) error {
		r, err := readable(ctx, tx, c, id)
		if err != nil {
			return err
		}
		if !mayEdit(c, r) {
			return admin.Errorf(admin.Forbidden, "forbidden", "Only its owner and its team can change this query. Fork it to make it yours.")
		}
		if r.Rev != rev {
			e := admin.Errorf(admin.Precondition, "version-conflict", "Somebody changed it meanwhile. Look at the newest, and change that.")
			e.Extra = map[string]any{"current_version": r.Rev}
			return e
		}
		return l.change(ctx, tx, c, r, ch, &out)
	})
	return out, err
}

func (l *Library) change(ctx context.Context, tx Tx, c *admin.Caller, r *SavedRecord, ch SavedChange, out *Saved) error {
	before := *r
	ch.apply(r)
	if r.Draft && !before.Draft {
		return admin.Errorf(admin.Unprocessable, "saved-already", "A saved query does not become a draft again: its versions are kept as they are. Take it out of its team to hide it, or fork it.")
	}
	if ch.Working != nil {
		if r.OwnerID != c.ID {
			return admin.Errorf(admin.Forbidden, "forbidden", "The working copy is its owner's.")
		}
		r.Working = &Working{SQL: ch.Working.SQL, Params: ch.Working.Params, Chart: ch.Working.Chart, At: l.now()}
	}
	if err := l.check(c, r, before.Team); err != nil {
		return err
	}
	if r.Team != before.Team && r.OwnerID != c.ID {
		return admin.Errorf(admin.Forbidden, "forbidden", "Only its owner can share it with others.")
	}
	text := r.SQL != before.SQL || !sameJSON(r.Chart, before.Chart) || !sameParams(r.Params, before.Params)
	r.Rev++
	r.Updated = l.now()
	if text || before.Draft && !r.Draft {
		if !before.Draft {
			r.Version++
		}
		r.Working = nil
		if err := l.room(ctx, tx, c, r.OwnerID, 0); err != nil {
			return err
		}
		if err := tx.PutSavedVersion(ctx, l.versionOf(c, r)); err != nil {
			return fmt.Errorf("save its version: %w", err)
		}
	}
	if err := l.shared(ctx, c, r, before.Team); err != nil {
		return err
	}
	if err := tx.SetSaved(ctx, r); err != nil {
		return fmt.Errorf("save the query: %w", err)
	}
	var err error
	*out, err = l.view(ctx, tx, c, r)
	return err
}

// sameJSON reports whether two texts say the same, however they are written; none
// is null.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return reflect.DeepEqual(x, y)
}

// sameParams reports whether two lists declare the same: a number is what it is
// written as, whichever Go type it was read into.
func sameParams(a, b []SavedParam) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && sameJSON(x, y)
}

// apply writes the parts of a change that are given.
func (ch *SavedChange) apply(r *SavedRecord) {
	set(&r.Title, ch.Title)
	set(&r.Description, ch.Description)
	set(&r.SQL, ch.SQL)
	set(&r.Params, ch.Params)
	set(&r.Chart, ch.Chart)
	set(&r.Tags, ch.Tags)
	set(&r.Team, ch.Team)
	set(&r.Draft, ch.Draft)
	set(&r.Target, ch.Target)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// Delete removes one, with its versions. Runs of it stay.
func (l *Library) Delete(ctx context.Context, c *admin.Caller, id string) error {
	if err := writes(c); err != nil {
		return err
	}
	return l.cfg.Store.Update(ctx, func(tx Tx) error {
		r, err := readable(ctx, tx, c, id)
		if err != nil {
			return err
		}
		if r.OwnerID != c.ID {
			return admin.Errorf(admin.Forbidden, "forbidden", "Only its owner can delete this query.")
		}
		e := c.Entry(audit.KindAdminChange)
		e.What, e.Reason = "delete query", id
		if err := recorded(ctx, l.cfg.Journal, &e); err != nil {
			return err
		}
		return tx.RemoveSaved(ctx, id)
	})
}

// Bindable refuses to bind a token to saved queries unless each is saved, open
// to the caller, and has that version. The operator of the machine may bind all.
func (l *Library) Bindable(ctx context.Context, c *admin.Caller, queries map[string]int) error {
	return l.cfg.Store.View(ctx, func(tx Tx) error {
		for id, version := range queries {
			err := bindable(ctx, tx, c, id, version)
			if errors.Is(err, admin.ErrAbsent) {
				return admin.Errorf(admin.Unprocessable, "version-unknown", "There is no version %d of the saved query %s, or it isn't open to you. A draft is saved first.", version, id)
			}
			if err != nil {
				return fmt.Errorf("find the version: %w", err)
			}
		}
		return nil
	})
}

// bindable returns admin.ErrAbsent for a version that a caller may not bind to.
func bindable(ctx context.Context, tx Tx, c *admin.Caller, id string, version int) error {
	r, err := tx.Saved(ctx, id)
	if err != nil {
		return err
	}
	if r.Draft || !c.AtTheMachine() && !mayRead(c, r) {
		return admin.ErrAbsent
	}
	_, err = tx.SavedVersion(ctx, id, version)
	return err
}

// Versions lists the versions, the newest first.
func (l *Library) Versions(ctx context.Context, c *admin.Caller, id string) ([]Version, error) {
	if err := c.Need(admin.ScopeQueriesRead); err != nil {
		return nil, err
	}
	out := []Version{}
	err := l.cfg.Store.View(ctx, func(tx Tx) error {
		if _, err := readable(ctx, tx, c, id); err != nil {
			return err
		}
		all, err := tx.SavedVersions(ctx, id)
		for _, v := range all {
			out = append(out, v.Version)
		}
		return err
	})
	return out, err
}

// Version returns one version.
func (l *Library) Version(ctx context.Context, c *admin.Caller, id string, n int) (Version, error) {
	if err := c.Need(admin.ScopeQueriesRead); err != nil {
		return Version{}, err
	}
	var out Version
	err := l.cfg.Store.View(ctx, func(tx Tx) error {
		if _, err := readable(ctx, tx, c, id); err != nil {
			return err
		}
		v, err := tx.SavedVersion(ctx, id, n)
		if errors.Is(err, admin.ErrAbsent) {
			return admin.Missing()
		}
		if err != nil {
			return fmt.Errorf("find the version: %w", err)
		}
		out = v.Version
		return nil
	})
	return out, err
}

// Fork copies one into a draft of the caller's.
func (l *Library) Fork(ctx context.Context, c *admin.Caller, id string) (Saved, error) {
	if err := writes(c); err != nil {
		return Saved{}, err
	}
	from, err := l.Get(ctx, c, id)
	if err != nil {
		return Saved{}, err
	}
	return l.Create(ctx, c, NewSaved{
		Title: from.Title, Description: from.Description, SQL: from.SQL, Params: from.Params, Chart: from.Chart, Tags: from.Tags, Draft: true, Target: from.Target,
	})
}

// Star marks one for the caller, or takes the mark away.
func (l *Library) Star(ctx context.Context, c *admin.Caller, id string, on bool) error {
	if err := c.Need(admin.ScopeQueriesRead); err != nil {
		return err
	}
	return l.cfg.Store.Update(ctx, func(tx Tx) error {
		if _, err := readable(ctx, tx, c, id); err != nil {
			return err
		}
		return tx.SetStar(ctx, id, c.ID, on)
	})
}

// Release lets the tokens of a service that are bound to this query run a
// version. Only who holds the service may do it; it is recorded.
func (l *Library) Release(ctx context.Context, c *admin.Caller, id string, version int, service string) (out Saved, err error) {
	if err := writes(c); err != nil {
		return Saved{}, err
	}
	holds, err := l.cfg.Services.Holds(ctx, c, service)
	if errors.Is(err, admin.ErrAbsent) || err == nil && !holds {
		return Saved{}, admin.Errorf(admin.Forbidden, "forbidden", "Only who holds the service can release a version to it.")
	}
	if err != nil {
		return Saved{}, fmt.Errorf("find who holds the service: %w", err)
	}
	err = l.cfg.Store.Update(ctx, func(tx Tx) error {
		r, err := readable(ctx, tx, c, id)
		if err != nil {
			return err
		}
		if _, err := tx.SavedVersion(ctx, id, version); err != nil || r.Draft {
			return admin.Errorf(admin.Unprocessable, "version-unknown", "There is no saved version %d of this query.", version)
		}
		e := c.Entry(audit.KindAdminChange)
		e.What, e.Grantee, e.Reason = "release query", "service:"+service, id+" version "+strconv.Itoa(version)
		if err := recorded(ctx, l.cfg.Journal, &e); err != nil {
			return err
		}
		if err := tx.PutRelease(ctx, &ReleaseRecord{QueryID: id, Released: Released{Service: service, Version: version, By: c.Login, At: l.now()}}); err != nil {
			return fmt.Errorf("keep the release: %w", err)
		}
		out, err = l.view(ctx, tx, c, r)
		return err
	})
	return out, err
}
