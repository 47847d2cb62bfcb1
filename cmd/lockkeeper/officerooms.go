package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/door"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/signin"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/ui"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
)

// rooms are the parts of the office that reach the warehouse, and show it.
type rooms struct {
	runs    *query.Runs
	library *query.Library
	api     *api.API
	web     *webServer
	check   *admin.Rechecker // nil without an identity provider
}

// buildRooms joins the office's use cases to the door and to the page.
func (h *house) buildRooms(ctx context.Context) error {
	if h.office == nil {
		return nil
	}
	r := &rooms{}
	if err := h.office.furnish(ctx, h, r); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	h.office.rooms = r
	h.office.revoker.server, h.office.revoker.runs = h.server, r.runs
	return nil
}

func (o *office) furnish(ctx context.Context, h *house, r *rooms) error {
	client, err := door.New(door.Config{Dial: h.server.Dial})
	if err != nil {
		return err
	}
	way := officeDoor{client}
	privileges, err := door.NewPrivileges(door.PrivilegesConfig{Door: client, Groups: o.groups, Redshift: o.target().Dialect == string(backend.DialectRedshift)})
	if err != nil {
		return err
	}
	store := sqldb.NewQueries(o.db)
	targets := []query.Target{o.target()}
	rules := officePolicy{engine: h.engine, now: h.now}
	bounds := o.cfg.Office
	r.runs, err = query.New(query.Config{
		Targets: targets, Store: store, Door: way, Facts: officeFacts{h.parser}, Blobs: o.blobs, Vault: o.vault, Journal: h.recorder,
		People: officePeople{o.directory, o.people}, Intents: officeIntents{jsonl.NewReader(h.state.audit())}, Rights: rules,
		Privileges: officePrivileges{privileges}, Statuses: officeStatuses{h.server}, Meter: rules, Hub: o.hub,
		Log: o.log, Now: h.now,
		Bounds: query.Bounds{
			TopRows: bounds.MaxRows, TopBytes: int64(bounds.MaxBytes), TopRun: time.Duration(bounds.RunTimeout), RunTimeout: time.Duration(bounds.RunTimeout),
			KeepRows: time.Duration(bounds.KeepRows), TotalBytes: bounds.kept(), EachBytes: int64(bounds.PersonSize), Live: bounds.MaxRuns,
		},
	})
	if err != nil {
		return err
	}
	library, err1 := query.NewLibrary(query.LibraryConfig{Store: store, Journal: h.recorder, Services: officeServices{o.people}, Now: h.now})
	catalog, err2 := query.NewCatalog(query.CatalogConfig{Targets: targets, Door: way, Now: h.now})
	explainer, err3 := query.NewExplainer(query.ExplainerConfig{Targets: targets, Door: way, Facts: officeFacts{h.parser}, Explains: rules})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	r.library = library
	files := ui.Files()
	cfg := api.Config{
		Office: o.people, Runs: r.runs, Library: library, Catalog: catalog, Explainer: explainer, Targets: targets,
		Hub: o.hub, Revocations: o.revocations, Passwords: o.cfg.Web.Password, ExternalURL: o.cfg.Web.external(), Connect: o.connect(),
		Files: files, Page: func(nonce, base string) ([]byte, error) { return ui.Index(files, nonce, base) },
		Log: o.log, Now: h.now,
	}
	if err := o.signIn(&cfg); err != nil {
		return err
	}
	if r.check, err = o.rechecker(cfg.OIDC, h.server); err != nil {
		return err
	}
	if r.api, err = api.New(cfg); err != nil {
		return err
	}
	r.web, err = openWeb(ctx, o, r.api, h.webCerts)
	return err
}

// target is the warehouse as the office sees it.
func (o *office) target() query.Target {
	w := o.cfg.Warehouse
	dialect := w.Dialect
	if dialect == string(backend.DialectAuto) {
		dialect = string(backend.DialectPostgres)
	}
	database := w.URL.Database
	return query.Target{Name: target, Title: database, Dialect: dialect, Database: database}
}

// groups are the teams of a login, for the policy.
func (o *office) groups(login string) []string {
	account, err := o.directory.Lookup(login)
	if err != nil {
		return nil
	}
	return account.Groups
}

// connect is what tools are told to connect to: the first address of ours that
// other machines reach, under the name that people use for the page.
func (o *office) connect() api.Connect {
	out := api.Connect{Host: "127.0.0.1", Port: 5432, SSLMode: "prefer"}
	if o.cfg.TLS.mode() == tlsRequire {
		out.SSLMode = "require"
	}
	addresses, _ := o.cfg.addresses() // checked by Validate
	for _, a := range addresses {
		host, port, err := net.SplitHostPort(a.address)
		if a.network != "tcp" || err != nil {
			continue
		}
		out.Port, _ = strconv.Atoi(port)
		out.Host = host
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			out.Host = o.cfg.Web.hostname()
		}
		break
	}
	return out
}

// signIn fills in how people prove who they are.
func (o *office) signIn(cfg *api.Config) (err error) {
	if cfg.Limiter, err = signin.NewLimiter(signin.LimiterConfig{}); err != nil {
		return err
	}
	if w := o.cfg.Web.OIDC; w.Issuer != "" {
		secret, err := readOptionalSecret(w.ClientSecretFile)
		if err != nil {
			return fmt.Errorf("web.oidc.client_secret_file: %w", err)
		}
		cfg.OIDCName = w.Name
		cfg.OIDC, err = signin.NewOIDC(signin.OIDCConfig{
			Issuer: w.Issuer, ClientID: w.ClientID, ClientSecret: secret, RedirectURL: o.cfg.Web.external() + "/api/v1/session/oidc/callback",
			Scopes: w.Scopes, Prompt: w.Prompt, LoginClaim: w.LoginClaim, GroupsClaim: w.GroupsClaim, Map: signin.Mapping{Required: w.RequiredGroups},
		})
		if err != nil {
			return err
		}
	}
	machines, err := o.cfg.Web.machines()
	if err != nil {
		return fmt.Errorf("web.workloads: %w", err)
	}
	if machines != nil { // a nil *signin.Workload must not become a Machines
		cfg.Machines = machines
	}
	w := o.cfg.Web.Header
	if w.Listen == "" {
		return nil
	}
	secret, err := readOptionalSecret(w.SecretFile)
	if err != nil {
		return fmt.Errorf("web.header.secret_file: %w", err)
	}
	cfg.Header, err = signin.NewTrustedHeader(signin.TrustedHeaderConfig{
		Login: w.Login, Email: w.Email, Name: w.Name, Groups: w.Groups, Secret: secret,
	})
	return err
}

func readOptionalSecret(file string) (signin.Secret, error) {
	if file == "" {
		return signin.Secret{}, nil
	}
	secret, err := readSecret(file)
	return signin.NewSecret(secret.Reveal()), err
}

// officePeople finds whom a result is shared with.
type officePeople struct {
	directory *admin.Directory
	people    *admin.Office
}

// PersonByLogin implements query.People.
func (p officePeople) PersonByLogin(ctx context.Context, login string) (query.Person, error) {
	account, err := p.directory.Lookup(login)
	if errors.Is(err, admin.ErrNoLogin) || err == nil && account.Disabled {
		return query.Person{}, admin.ErrAbsent
	}
	if err != nil {
		return query.Person{}, err
	}
	out := query.Person{ID: account.ID, Login: login, Name: login, Teams: account.Groups, Roles: map[string]admin.Role{target: p.directory.Role(login, target)}}
	if person, err := p.people.Person(ctx, admin.Operator(), account.ID); err == nil && person.Name != "" {
		out.Name = person.Name
	}
	return out, nil
}

// officeServices says who holds a service.
type officeServices struct{ people *admin.Office }

// Holds implements query.Services.
func (s officeServices) Holds(ctx context.Context, c *admin.Caller, id string) (bool, error) {
	err := s.people.Held(ctx, c, id)
	if admin.CodeOf(err) == admin.NotFound {
		return false, nil
	}
	return err == nil, err
}

// end stops what runs at the door before the door itself closes.
func (r *rooms) end(ctx context.Context, log *slog.Logger) {
	if err := r.web.close(ctx); err != nil {
		log.WarnContext(ctx, "the page did not close in time", slog.Any("error", err))
	}
}
