package directory

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

const scramText = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

func TestParseUserFile(t *testing.T) {
	t.Parallel()
	f, err := ParseUserFile([]byte("; a comment\n"+
		"\n"+
		"\"ann\" \""+scramText+"\"\r\n"+
		"\t\"ann\"\t\"another\" role=analyst ; a comment\n"+
		"\"o\"\"neil\" \"md5d41d8cd98f00b204e9800998ecf8427e\" groups=bi,finance role=bi_ro\n"+
		"\"o\"\"neil\" \"md5d41d8cd98f00b204e9800998ecf8427f\" groups=bi,ops\n"+
		"\"two words\" \"\" what PgBouncer would leave alone\n"+
		"\";\" \"pass;word\""), pgauth.SaltKey{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Login: ";", Kinds: []string{"password"}},
		{Login: "ann", Kinds: []string{"scram-sha-256", "password"}, Role: "analyst"},
		{Login: `o"neil`, Kinds: []string{"md5", "md5"}, Role: "bi_ro", Groups: []string{"bi", "finance", "ops"}},
		{Login: "two words"},
	}
	if diff := cmp.Diff(want, f.List()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f.Len() != 4 {
		t.Errorf("%d logins", f.Len())
	}
	var none *UserFile
	if none.Len() != 0 || none.List() != nil || none.lookup("ann") != nil {
		t.Error("no file has logins")
	}
}

func TestParseUserFileRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ann hunter2":                                 "line 1: login: want a string in double quotes",
		"; fine\n\"ann\" hunter2":                     "line 2: password: want a string in double quotes",
		"\"ann\" \"hunter2":                           "line 1: password: string without end",
		"\"ann":                                       "line 1: login: string without end",
		"\"\" \"hunter2\"":                            "line 1: login: empty",
		"\"ann\" \"SCRAM-SHA-256$hunter2\"":           "line 1: malformed verifier",
		"\"ann\" \"hunter2\" gruops=x":                "line 1: behind the password: want role=NAME or groups=A,B",
		"\"ann\" \"hunter2\" role=":                   "line 1: behind the password: want role=NAME or groups=A,B",
		"\"a\" \"hunter2\" role=x\n\"a\" \"\" role=y": "line 2: another role than on an earlier line of the login",
		"x\ny": "line 1: login: want a string in double quotes\nline 2: login: want a string in double quotes",
	} {
		_, err := ParseUserFile([]byte(text), pgauth.SaltKey{})
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error shows the password", text)
		}
	}
}

func TestAddAndRemove(t *testing.T) {
	t.Parallel()
	old := "; kept\n\"bob\" \"" + scramText + "\" role=x"
	add := func(data string, u NewUser) string {
		t.Helper()
		u.Password = pgauth.NewSecret("open-sesame")
		out, err := Add([]byte(data), u)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "open-sesame") {
			t.Error("the password was written")
		}
		return string(out)
	}
	kinds := func(data, login string) []string {
		t.Helper()
		f, err := ParseUserFile([]byte(data), pgauth.SaltKey{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range f.List() {
			if e.Login == login {
				return e.Kinds
			}
		}
		return nil
	}
	data := add(old, NewUser{Login: `a"n`, Role: "r", Groups: []string{"g", "h"}})
	if !strings.HasPrefix(data, old+"\n\"a\"\"n\" \"SCRAM-SHA-256$4096:") || !strings.HasSuffix(data, "\" role=r groups=g,h\n") {
		t.Errorf("added: %s", data)
	}
	if _, err := Add([]byte(data), NewUser{Login: "bob", Password: pgauth.NewSecret("x")}); !errors.Is(err, ErrExists) {
		t.Errorf("added twice: %v, want ErrExists", err)
	}
	if got := len(kinds(add(data, NewUser{Login: "bob", Another: true}), "bob")); got != 2 {
		t.Errorf("%d verifiers, want 2", got)
	}
	replaced := add(data, NewUser{Login: "bob", Replace: true})
	if got := len(kinds(replaced, "bob")); got != 1 || strings.Contains(replaced, scramText) || !strings.HasPrefix(replaced, "; kept\n\"a\"\"n\"") {
		t.Errorf("replaced: %s", replaced)
	}
	removed, err := Remove([]byte(data), `a"n`)
	if err != nil || string(removed) != old+"\n" {
		t.Errorf("removed: %q, %v", removed, err)
	}
	if _, err := Remove(removed, `a"n`); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed twice: %v, want ErrUnknown", err)
	}
	for _, u := range []NewUser{
		{}, {Login: "a\nb"}, {Login: strings.Repeat("x", 64)}, {Login: "a", Role: "x y"}, {Login: "a", Groups: []string{"x,y"}}, {Login: "a", Role: ";"},
	} {
		u.Password = pgauth.NewSecret("x")
		if out, err := Add(nil, u); err == nil {
			t.Errorf("%+v became %s", u, out)
		}
	}
	if _, err := Add(nil, NewUser{Login: "a"}); err == nil {
		t.Error("added without a password")
	}
}

// What is written is read again as it was meant.
func FuzzUserLine(f *testing.F) {
	f.Add("ann", "x", "role", "g")
	f.Add("a\"b\"", "\"\"", "", "")
	f.Add(";", "; ", "r=", "=")
	f.Fuzz(func(t *testing.T, name, secret, role, group string) {
		u := NewUser{Login: name, Role: role, Groups: []string{group}}
		if u.validate() != nil || strings.ContainsAny(secret, "\n") || strings.Join(strings.Fields(role+group), "") != role+group {
			return
		}
		e := entry{name: name, secret: secret, role: role}
		if group != "" {
			e.groups = []string{group}
		}
		got, err := parseLine(e.line())
		if err != nil {
			t.Fatalf("%s: %v", e.line(), err)
		}
		if diff := cmp.Diff(e, got, cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
