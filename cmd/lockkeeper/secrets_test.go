package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Secrets that pass through, in every place where people put them, are in no
// log, no metric, no view and no file that the server leaves behind.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	super := pg.Super(t)
	proxytest.Exec(t, super, "CREATE ROLE ann LOGIN PASSWORD 'plantedPassword1'", "CREATE TABLE marks(s text)", "GRANT ALL ON marks TO ann")
	pg.Auth(t, "ann", "scram-sha-256")
	secrets := []string{"plantedPassword1", "plantedWrong2"}
	plant := func(kind string) string {
		s := fmt.Sprintf("planted%s%d", kind, len(secrets)+1)
		secrets = append(secrets, s)
		return s
	}
	p := serve(t, pg, "version: 1\ndefaults: {audit: {params: hashed}}\nrules: [{id: none, when: {verb: [truncate]}, deny: \"no\"}]\n",
		"--auth", "passthrough", "--log-level", "debug", "--operator", pg.URL(proxytest.Superuser, "postgres"))

	wrong := proxytest.Dial(t, "tcp", p.door)
	if err := wrong.TryLogin("ann", "postgres", "plantedWrong2"); err == nil {
		t.Fatal("a wrong password was let in")
	}
	c := proxytest.Dial(t, "tcp", p.door)
	c.Login("ann", "postgres", "plantedPassword1", "options", "-c custom.key="+plant("Startup"))
	for _, sql := range []string{
		"SELECT '%s'", "SELECT $$%s$$", "SELECT E'\\x41%s'", "SELECT 'x' || '%s' /* why */", "INSERT INTO marks VALUES ('%s')",
		"SELECT nonsense('%s')", "SELECT '%s", "SELECT $tag$%s$tag$ FROM nowhere", "ALTER ROLE ann PASSWORD '%s'", "ALTER ROLE ann ENCRYPTED PASSWORD E'%s'",
		"CREATE USER MAPPING FOR ann SERVER s OPTIONS (password '%s')", "COPY marks FROM 's3://x' CREDENTIALS 'aws_secret_access_key=%s'",
		"SET custom.secret = '%s'", "TRUNCATE marks; SELECT '%s'", "DO $$BEGIN PERFORM '%s'; END$$", "PREPARE s AS SELECT '%s'", "EXECUTE s ('%s')",
		"SELECT set_config('custom.token', '%s', false)", "NOT SQL AT ALL '%s'", "SELECT dblink_connect('password=%s')",
		"SELECT U&'%s'", "SELECT B'%s'", "SELECT '%s'::jsonb -> 'x'", "CREATE SUBSCRIPTION s CONNECTION 'password=%s' PUBLICATION p",
	} {
		c.Query(fmt.Sprintf(sql, plant("Literal")))
	}
	c.Do(proxytest.Parse("named", "SELECT $1::text, '"+plant("Parsed")+"'"), proxytest.Bind("", "named", plant("Parameter")), proxytest.Execute("", 0), proxytest.Sync())
	c.Do(proxytest.Parse("", "SELECT $1::int"), proxytest.Bind("", "", plant("BadParameter")), proxytest.Execute("", 0), proxytest.Sync())
	c.Send(proxytest.Query("COPY marks FROM STDIN"))
	c.ReceiveUntil('G')
	c.Do(proxytest.CopyData(plant("Copied")+"\n"), proxytest.CopyDone())
	c.Query("BEGIN")
	c.Query("SELECT 1/0, '" + plant("Failed") + "'")
	c.Query("ROLLBACK")
	c.Send(proxytest.Query("SELECT pg_sleep(60), '" + plant("Running") + "'"))
	eventually(t, "it runs", func() bool { return strings.Contains(p.console("show", "statements"), "pg_sleep") })
	var seen strings.Builder
	for _, view := range consoleViews() {
		seen.WriteString(p.console("show", view))
	}
	c.Cancel()
	c.Receive()
	seen.WriteString(p.metrics())
	c.Send([]byte{0x07, 0, 0, 0, 4}, []byte(plant("Garbage")))
	c.Receive()
	p.stop()
	seen.WriteString(p.log.String())
	files := 0
	err := filepath.WalkDir(p.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		fmt.Fprintf(&seen, "\n%s\n%s", path, data)
		return err
	})
	if err != nil || files < 3 {
		t.Fatalf("%d files, %v", files, err)
	}
	if !strings.Contains(seen.String(), "INSERT INTO marks") || !strings.Contains(seen.String(), `"params"`) {
		t.Error("the record holds no text or no parameters at all: nothing was tested")
	}
	for _, s := range secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")} {
			if i := strings.Index(seen.String(), form); i >= 0 {
				text := seen.String()
				t.Errorf("%s is in: …%s…", s, text[max(0, i-300):min(len(text), i+100)])
			}
		}
	}
	t.Logf("%d secrets in none of %d files, %d bytes of log, metrics, views and record", len(secrets), files, seen.Len())
}
