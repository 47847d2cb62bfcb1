package directory

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

func TestMapping(t *testing.T) {
	t.Parallel()
	hush := pgauth.NewSecret("hush")
	users, err := ParseUserFile([]byte(`"rita" "x" role=reader`+"\n"+`"rosa" "x" role=svc groups=bi`+"\n"+`"carl" "x" groups=ops,bi`+"\n"+`"svc" "x"`), pgauth.SaltKey{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{Users: users, Map: Mapping{
		Users:   map[string]pgauth.Login{"ann": {User: "ann_wh", Password: hush}},
		Groups:  []GroupLogin{{"bi", pgauth.Login{User: "reader", Password: hush}}, {"ops", pgauth.Login{User: "loader"}}},
		Default: pgauth.Login{User: "svc", Password: hush},
	}})
	if err != nil {
		t.Fatal(err)
	}
	asClient := func(user string, password pgauth.Secret) pgauth.Login {
		return pgauth.Login{User: user, Password: password, UseClientName: true}
	}
	for _, c := range []struct {
		user   string
		method pgauth.Method
		want   pgauth.Login
	}{
		{"ann", pgauth.Scram, pgauth.Login{User: "ann_wh", Password: hush}},
		{"ann", pgauth.Trust, pgauth.Login{User: "ann_wh", Password: hush}},
		{"ann", pgauth.Passthrough, asClient("ann", pgauth.Secret{})},
		{"rita", pgauth.Scram, pgauth.Login{User: "reader", Password: hush}},
		{"rita", pgauth.Passthrough, asClient("rita", pgauth.Secret{})},
		{"rosa", pgauth.Cert, pgauth.Login{User: "svc", Password: hush}},
		{"carl", pgauth.Scram, pgauth.Login{User: "reader", Password: hush}}, // the first group listed, not the first of carl's
		{"zoe", pgauth.Scram, pgauth.Login{User: "svc", Password: hush}},
		{"zoe", pgauth.Trust, asClient("zoe", pgauth.Secret{})},
		{"svc", pgauth.Trust, asClient("svc", hush)}, // whom the warehouse's own login is
		{"svc", pgauth.Passthrough, asClient("svc", pgauth.Secret{})},
	} {
		var groups []string
		a, err := d.Lookup(t.Context(), c.user, "dwh")
		if err == nil {
			groups = a.Groups
		} else if !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, d.Warehouse(c.user, groups, c.method)); diff != "" {
			t.Errorf("%s by %s (-want +got):\n%s", c.user, c.method, diff)
		}
	}
	d.Remap(Mapping{})
	d.Reload(nil)
	if diff := cmp.Diff(asClient("rita", pgauth.Secret{}), d.Warehouse("rita", nil, pgauth.Scram)); diff != "" {
		t.Errorf("without a mapping (-want +got):\n%s", diff)
	}
	if _, err := d.Lookup(t.Context(), "rita", "dwh"); !errors.Is(err, ErrUnknown) {
		t.Errorf("after the reload: %v, want ErrUnknown", err)
	}
	d.Close()
}

// The client's own password goes up, and nobody else's for it.
func TestLoginFor(t *testing.T) {
	t.Parallel()
	hush, typed := pgauth.NewSecret("hush"), pgauth.NewSecret("typed")
	for _, c := range []struct {
		login    pgauth.Login
		user     string
		password pgauth.Secret
		want     pgauth.Login
	}{
		{pgauth.Login{User: "svc", Password: hush}, "ann", typed, pgauth.Login{User: "svc", Password: hush}},
		{pgauth.Login{User: "ann", UseClientName: true}, "ann", typed, pgauth.Login{User: "ann", Password: typed, UseClientName: true}},
		{pgauth.Login{User: "ann", Password: hush, UseClientName: true}, "ann", typed, pgauth.Login{User: "ann", Password: typed, UseClientName: true}},
		{pgauth.Login{User: "svc", Password: hush, UseClientName: true}, "svc", pgauth.Secret{}, pgauth.Login{User: "svc", Password: hush, UseClientName: true}},
		{pgauth.Login{User: "svc", Password: hush, UseClientName: true}, "ann", pgauth.Secret{}, pgauth.Login{User: "ann", UseClientName: true}},
	} {
		if diff := cmp.Diff(c.want, c.login.For(c.user, c.password)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.login, diff)
		}
	}
}
