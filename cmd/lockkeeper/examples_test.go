package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// examplesDir holds what developers of other systems copy.
const examplesDir = "../../docs/examples"

// exampleData is what the examples ask for, as this test knows it.
type exampleData struct {
	arms       map[string][2]int // variant: users and conversions since exampleSince
	recipients []exampleRecipient
}

type exampleRecipient struct {
	ID    string  `json:"id"`
	Email string  `json:"email"`
	Name  *string `json:"name"` // NULL, '' and a text are three things
}

const (
	exampleSince      = "2026-09-03"
	exampleExperiment = `checkout "new' OR 1=1 --` // hostile, for parameters are bound
	exampleSegment    = "spring"
	exampleABSQL      = `SELECT variant, count(*) AS users, count(*) FILTER (WHERE converted) AS conversions
FROM public.enrolments WHERE experiment = :experiment AND day >= :since GROUP BY variant`
	exampleAudienceSQL = "SELECT id, email, name FROM public.recipients WHERE segment = :segment ORDER BY id"
)

// fillExamples makes the tables and says what is in them.
func fillExamples(t *testing.T, conn *pgx.Conn) exampleData {
	t.Helper()
	proxytest.Exec(t, conn,
		"CREATE TABLE public.enrolments (experiment text, variant text, day date, converted bool)",
		"CREATE TABLE public.recipients (id int8 PRIMARY KEY, segment text, email text, name text)",
		"GRANT SELECT ON public.enrolments, public.recipients TO reader")
	since, err := time.Parse(time.DateOnly, exampleSince)
	if err != nil {
		t.Fatal(err)
	}
	d := exampleData{arms: map[string][2]int{}}
	var enrolled, recipients [][]any
	for i := range 6000 {
		experiment, variant, converted := exampleExperiment, "control", i/2%9 == 0
		if i%2 == 1 {
			variant, converted = "treatment", i/2%8 == 0
		}
		if i%7 == 0 {
			experiment = "another"
		}
		day := since.AddDate(0, 0, i/600-2)
		enrolled = append(enrolled, []any{experiment, variant, day, converted})
		if experiment == exampleExperiment && !day.Before(since) {
			arm := d.arms[variant]
			arm[0]++
			if converted {
				arm[1]++
			}
			d.arms[variant] = arm
		}
	}
	for i := range 20_000 {
		r := exampleRecipient{ID: strconv.Itoa(i), Email: fmt.Sprintf("who%d@example.com", i)}
		switch i % 3 {
		case 1:
			r.Name = new("")
		case 2:
			r.Name = new("Zoë \"Z\"\n\u2028№ " + r.ID) // an end of line, and what some take for one
		}
		segment := exampleSegment
		if i%5 == 0 {
			segment = "winter"
		} else {
			d.recipients = append(d.recipients, r)
		}
		recipients = append(recipients, []any{i, segment, r.Email, r.Name})
	}
	for table, rows := range map[string][][]any{"enrolments": enrolled, "recipients": recipients} {
		columns := map[string][]string{"enrolments": {"experiment", "variant", "day", "converted"}, "recipients": {"id", "segment", "email", "name"}}[table]
		if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// sixDigits rounds as the example does.
func sixDigits(x float64) float64 {
	out, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return out
}

// abResult is the line that experiment.py prints.
type abResult struct {
	Experiment         string
	Control, Treatment [2]int
	Rates              [2]float64
	Lift, Z, P         float64
	Run                string
}

// result computes it from the data.
func (d exampleData) result() abResult {
	c, v := d.arms["control"], d.arms["treatment"]
	n1, x1, n2, x2 := float64(c[0]), float64(c[1]), float64(v[0]), float64(v[1])
	pooled := (x1 + x2) / (n1 + n2)
	z := (x2/n2 - x1/n1) / math.Sqrt(pooled*(1-pooled)*(1/n1+1/n2))
	return abResult{
		Experiment: exampleExperiment, Control: c, Treatment: v, Rates: [2]float64{sixDigits(x1 / n1), sixDigits(x2 / n2)},
		Lift: sixDigits(x2/n2/(x1/n1) - 1), Z: sixDigits(z), P: sixDigits(math.Erfc(math.Abs(z) / math.Sqrt2)),
	}
}

// example runs a script as another system would, with no more than it needs.
type example struct {
	house *officeHouse
	token string
	env   []string
}

func (e *example) run(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
		"LOCKKEEPER_URL=" + strings.TrimSuffix(e.house.web, "/api/v1"), "LOCKKEEPER_TOKEN=" + e.token,
	}, e.env...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

func (e *example) must(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, complaints, code := e.run(t, program, args...)
	if code != 0 {
		t.Fatalf("%s %q: code %d: %s%s", program, args, code, out, complaints)
	}
	return out
}

func script(name string) string { return filepath.Join(examplesDir, name) }

// withHeader adds a header to each request.
type withHeader struct{ name, value string }

// RoundTrip implements http.RoundTripper.
func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(w.name, w.value)
	return http.DefaultTransport.RoundTrip(r)
}

func (h *officeHouse) program(t *testing.T, token string) *officeUser {
	return &officeUser{t: t, web: h.web, http: &http.Client{Transport: withHeader{"Authorization", "Bearer " + token}, Timeout: time.Minute}}
}

// refused expects a problem of this status and code.
func (u *officeUser) refused(method, path string, in any, status int, code string) {
	u.t.Helper()
	got, raw := u.do(method, path, in)
	var p struct{ Code string }
	if err := json.Unmarshal(raw, &p); err != nil || got != status || p.Code != code {
		u.t.Errorf("%s %s: %d %s, want %d %s", method, path, got, raw, status, code)
	}
}

// savedQuery is a saved query as far as its makers look.
type savedQuery struct {
	ID      string
	Version int
	Rev     int
}

// bound makes a service's token for one version of one query, and nothing else.
func (u *officeUser) bound(service string, q savedQuery) string {
	u.t.Helper()
	var made struct{ Token string }
	u.must(http.MethodPost, "/tokens", map[string]any{
		"name": "nightly", "service": u.serviceID(service), "scopes": []string{"queries:run", "runs:read"}, "expires_in_days": 1,
		"queries": []map[string]any{{"id": q.ID, "version": q.Version}},
	}, &made)
	return made.Token
}

func (u *officeUser) serviceID(name string) string {
	u.t.Helper()
	var list struct{ Items []struct{ ID, Name string } }
	u.must(http.MethodGet, "/services", nil, &list)
	for _, s := range list.Items {
		if s.Name == name {
			return s.ID
		}
	}
	u.t.Fatalf("no service %q in %+v", name, list)
	return ""
}

// The examples of the docs do what they say, against the real server, by people
// and programs that have no more rights than the docs tell them to have.
func TestOfficeExamples(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	data := fillExamples(t, h.pg.Super(t))
	h.welcome(t, "ada", "reader", "--admin")
	h.console("team", "add", "growth")
	gil := h.welcome(t, "gil", "reader", "--team", "growth")
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("reader-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"experiments", "mailer"} {
		h.console("service", "add", service, "--team", "growth")
		h.console("grant", "add", "--to", "service:"+service, "--warehouse-login", "reader", "--password-file", secret)
	}
	var ab, audience savedQuery
	gil.must(http.MethodPost, "/queries", map[string]any{
		"title": "A/B result", "team": "growth", "sql": exampleABSQL,
		"params": []map[string]any{{"name": "experiment", "type": "text"}, {"name": "since", "type": "date"}},
	}, &ab)
	gil.must(http.MethodPost, "/queries", map[string]any{
		"title": "audience", "team": "growth", "sql": exampleAudienceSQL, "params": []map[string]any{{"name": "segment", "type": "text"}},
	}, &audience)
	var personal struct{ Token string }
	gil.must(http.MethodPost, "/tokens", map[string]any{"name": "notebook", "scopes": []string{"runs:write", "runs:read"}, "expires_in_days": 1}, &personal)
	notebook := &example{house: h, token: personal.Token}
	var maker struct{ Token string } // makes the others, as the docs do; a token makes none that may more
	gil.must(http.MethodPost, "/tokens", map[string]any{"name": "maker", "scopes": []string{"tokens:write", "queries:run", "runs:read"}, "expires_in_days": 1}, &maker)
	nightly, mailing := gil.bound("experiments", ab), h.program(t, maker.Token).bound("mailer", audience)

	t.Run("experiment", func(t *testing.T) { exampleExperimentRuns(t, h, data, ab, nightly) })
	t.Run("audience", func(t *testing.T) { exampleAudienceRuns(t, h, data, audience, mailing) })
	t.Run("curl", func(t *testing.T) { exampleCurl(t, notebook) })
	t.Run("pandas", func(t *testing.T) { examplePandas(t, notebook) })
	t.Run("R", func(t *testing.T) { exampleR(t, notebook) })
	t.Run("bound", func(t *testing.T) { exampleBound(t, h, gil, ab, audience, nightly) })
	h.verify()
	h.stop()
}

func exampleExperimentRuns(t *testing.T, h *officeHouse, data exampleData, q savedQuery, token string) {
	once := func(env ...string) abResult {
		t.Helper()
		e := &example{house: h, token: token, env: env}
		out := e.must(t, "python3", script("experiment.py"), q.ID, "1", exampleExperiment, exampleSince)
		var got abResult
		dec := json.NewDecoder(strings.NewReader(out))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil || strings.Count(out, "\n") != 1 {
			t.Fatalf("%q: %v", out, err)
		}
		want := data.result()
		want.Run = got.Run
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		return got
	}
	first, again, other := once("LOCKKEEPER_KEY=monday"), once("LOCKKEEPER_KEY=monday"), once()
	if first.Run != again.Run || first.Run == other.Run {
		t.Errorf("runs %s %s %s, want one for one key", first.Run, again.Run, other.Run)
	}
	if later := once("LOCKKEEPER_URL=" + impatient(t, h)); later.Run == other.Run {
		t.Errorf("run %s again", later.Run)
	}
	var list struct {
		Items []struct{ ID, Urgency string }
	}
	h.program(t, token).must(http.MethodGet, "/runs?query="+q.ID, nil, &list)
	if len(list.Items) != 3 {
		t.Errorf("runs are %+v, want three", list.Items)
	}
	for _, r := range list.Items {
		want(t, r.Urgency, "batch")
	}
	keyed := &example{house: h, token: token, env: []string{"LOCKKEEPER_KEY=monday"}}
	if _, complaints, code := keyed.run(t, "python3", script("experiment.py"), q.ID, "1", "another", exampleSince); code == 0 || !strings.Contains(complaints, "422 idempotency-key-reused") {
		t.Errorf("the key for another question: code %d: %s", code, complaints)
	}
	if _, complaints, code := keyed.run(t, "python3", script("experiment.py"), q.ID, "2", exampleExperiment, exampleSince); code == 0 {
		t.Errorf("a version that is not there: %s", complaints)
	}
}

func exampleAudienceRuns(t *testing.T, h *officeHouse, data exampleData, q savedQuery, token string) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audience.jsonl")
	e := &example{house: h, token: token}
	out := e.must(t, "python3", script("audience.py"), q.ID, "1", exampleSegment, file)
	var said struct {
		File, Run  string
		Recipients int
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.File != file || said.Recipients != len(data.recipients) || said.Run == "" {
		t.Errorf("%q: %v", out, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []exampleRecipient
	for line := range strings.Lines(string(raw)) {
		var r exampleRecipient
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(data.recipients, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}

	e.env = []string{"MAX_ROWS=" + strconv.Itoa(len(data.recipients)-1)}
	cut := filepath.Join(dir, "cut.jsonl")
	if _, complaints, code := e.run(t, "python3", script("audience.py"), q.ID, "1", exampleSegment, cut); code == 0 || !strings.Contains(complaints, "was cut by") {
		t.Errorf("a cut audience: code %d: %s", code, complaints)
	}
	e.env = []string{"MAX_ROWS=" + strconv.Itoa(len(data.recipients))}
	e.must(t, "python3", script("audience.py"), q.ID, "1", exampleSegment, file) // exactly as many is not cut
	e.env = []string{"LOCKKEEPER_URL=" + impatient(t, h)}
	e.must(t, "python3", script("audience.py"), q.ID, "1", exampleSegment, file)

	e.env = []string{"LOCKKEEPER_URL=" + halfway(t, h)}
	if out, complaints, code := e.run(t, "python3", script("audience.py"), q.ID, "1", exampleSegment, filepath.Join(dir, "torn.jsonl")); code == 0 || out != "" || !strings.Contains(complaints, "broke off") {
		t.Errorf("a download that was torn: %q %s", out, complaints)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("files are %v, want only the whole audience: %v", left, err)
	}
}

// before is a proxy before the API; it changes requests or answers.
func before(t *testing.T, h *officeHouse, request func(*http.Request), answer func(*http.Response)) string {
	t.Helper()
	to, err := url.Parse(strings.TrimSuffix(h.web, "/api/v1"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	s := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to); request(r.Out) },
		ModifyResponse: func(r *http.Response) error { answer(r); return nil },
		ErrorLog:       quiet,
	})
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// halfway breaks off in the middle of downloads.
func halfway(t *testing.T, h *officeHouse) string {
	return before(t, h, func(*http.Request) {}, func(r *http.Response) {
		if strings.HasSuffix(r.Request.URL.Path, "/result.ndjson") {
			r.Body = brokenOff{io.LimitReader(r.Body, 100_000), r.Body}
		}
	})
}

// impatient makes each run one that takes longer than its request.
func impatient(t *testing.T, h *officeHouse) string {
	return before(t, h, func(r *http.Request) {
		if r.Method == http.MethodPost {
			r.Header.Set("Prefer", "respond-async")
		}
	}, func(*http.Response) {})
}

// brokenOff ends with an error where its reader ends.
type brokenOff struct {
	io.Reader
	io.Closer
}

// Read implements io.Reader.
func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// exampleSlow takes longer than an impatient request.
const exampleSlow = "SELECT 1 AS one FROM pg_sleep(0.5)"

// exampleSales asks of the table of the house what each way to a frame shows.
const exampleSales = "SELECT id, amount FROM public.sales WHERE id <= :top ORDER BY id"

func exampleCurl(t *testing.T, e *example) {
	got := e.must(t, "sh", script("query.sh"), exampleSales, "top:int4=3")
	want(t, strings.ReplaceAll(got, "\r", ""), "id,amount\n1,2.5\n2,5.0\n3,7.5\n")
	got = e.must(t, "sh", script("query.sh"), "SELECT :a AS a, :b AS b", "a:text=1 & 2=3", "b:text=+%41")
	want(t, strings.ReplaceAll(got, "\r", ""), "a,b\n1 & 2=3,+%41\n")
	if out, complaints, code := e.run(t, "sh", script("query.sh"), "SELECT nothing_like_it"); code != 1 || out != "" || !strings.Contains(complaints, `"sql-error"`) {
		t.Errorf("an error: code %d: %s %s", code, out, complaints)
	}
	slow := &example{house: e.house, token: e.token, env: []string{"LOCKKEEPER_URL=" + impatient(t, e.house)}}
	if out, complaints, code := slow.run(t, "sh", script("query.sh"), exampleSlow); code != 75 || out != "" || !strings.Contains(complaints, "/api/v1/runs/r_") {
		t.Errorf("a slow run: code %d: %s %s", code, out, complaints)
	}
}

func examplePandas(t *testing.T, e *example) {
	if _, _, code := e.run(t, "python3", "-c", "import pandas, pyarrow"); code != 0 {
		t.Log("SKIPPED, NOT CHECKED: docs/examples/pandas_frame.py, for python3 has no pandas with pyarrow here")
		return
	}
	got := e.must(t, "python3", script("pandas_frame.py"), exampleSales, "top:int4=3")
	slow := &example{house: e.house, token: e.token, env: []string{"LOCKKEEPER_URL=" + impatient(t, e.house)}}
	if out := slow.must(t, "python3", script("pandas_frame.py"), exampleSlow); !strings.HasSuffix(out, "one\n1\n") {
		t.Errorf("a slow run: %s", out)
	}
	types, rows, _ := strings.Cut(got, "id,")
	want(t, rows, "amount\n1,2.5\n2,5.0\n3,7.5\n")
	if !strings.Contains(types, "int32") {
		t.Errorf("the types are\n%s", types)
	}
	if _, complaints, code := e.run(t, "python3", script("pandas_frame.py"), "SELECT nothing_like_it"); code == 0 || !strings.Contains(complaints, "sql-error") {
		t.Errorf("an error: code %d: %s", code, complaints)
	}
}

func exampleR(t *testing.T, e *example) {
	if _, err := exec.LookPath("Rscript"); err != nil {
		t.Log("SKIPPED, NOT CHECKED: docs/examples/frame.R, for there is no Rscript here")
		return
	}
	if _, _, code := e.run(t, "Rscript", "-e", "library(curl)"); code != 0 {
		t.Log("SKIPPED, NOT CHECKED: docs/examples/frame.R, for R has no package curl here")
		return
	}
	want(t, e.must(t, "Rscript", script("frame.R"), exampleSales, "top:int4=3"), "id,amount\n1,2.5\n2,5\n3,7.5\n")
	slow := &example{house: e.house, token: e.token, env: []string{"LOCKKEEPER_URL=" + impatient(t, e.house)}}
	if _, complaints, code := slow.run(t, "Rscript", script("frame.R"), exampleSlow); code == 0 || !strings.Contains(complaints, "still running") {
		t.Errorf("a slow run: code %d: %s", code, complaints)
	}
	if _, complaints, code := e.run(t, "Rscript", script("frame.R"), "SELECT nothing_like_it"); code == 0 || !strings.Contains(complaints, "sql-error") {
		t.Errorf("an error: code %d: %s", code, complaints)
	}
}

// exampleBound: a token that is bound to a version of a query can do that and
// nothing else, until somebody who holds the service releases another version.
func exampleBound(t *testing.T, h *officeHouse, gil *officeUser, q, other savedQuery, token string) {
	svc := h.program(t, token)
	for _, sql := range []string{exampleABSQL, "SELECT 1", "SELECT * FROM public.recipients"} {
		svc.refused(http.MethodPost, "/runs", map[string]any{"sql": sql}, http.StatusForbidden, "scope-missing")
		svc.refused(http.MethodPost, "/query", map[string]any{"sql": sql}, http.StatusForbidden, "scope-missing")
	}
	svc.refused(http.MethodPost, "/queries/"+other.ID+"/runs", map[string]any{}, http.StatusNotFound, "not-found")
	svc.refused(http.MethodGet, "/queries/"+q.ID, nil, http.StatusForbidden, "scope-missing")
	svc.refused(http.MethodPost, "/queries", map[string]any{"title": "mine", "sql": "SELECT 1"}, http.StatusForbidden, "scope-missing")
	svc.refused(http.MethodPost, "/tokens", map[string]any{"name": "more", "scopes": []string{"runs:write"}, "expires_in_days": 1}, http.StatusForbidden, "scope-missing")
	svc.refused(http.MethodGet, "/targets/warehouse/tables", nil, http.StatusForbidden, "scope-missing")
	svc.refused(http.MethodPost, "/queries/"+q.ID+"/runs", map[string]any{"access": "read_write"}, http.StatusForbidden, "scope-missing")
	svc.refused(http.MethodGet, "/runs/"+gil.run("SELECT 1")+"/rows", nil, http.StatusNotFound, "not-found")

	// The next version does not run under the token, asked for or not.
	next := strings.Replace(exampleABSQL, "FILTER (WHERE converted)", "FILTER (WHERE NOT converted)", 1)
	matching := &officeUser{t: t, web: gil.web, http: &http.Client{Jar: gil.http.Jar, Transport: withHeader{"If-Match", fmt.Sprintf(`"v%d"`, q.Rev)}, Timeout: time.Minute}}
	var changed savedQuery
	matching.must(http.MethodPatch, "/queries/"+q.ID, map[string]any{"sql": next}, &changed)
	if changed.Version != 2 {
		t.Fatalf("%+v, want version 2", changed)
	}
	run := map[string]any{"params": []map[string]any{{"name": "experiment", "value": exampleExperiment}, {"name": "since", "value": exampleSince}}}
	version := func() int {
		t.Helper()
		var r struct{ Query struct{ Version int } }
		svc.must(http.MethodPost, "/queries/"+q.ID+"/runs", run, &r)
		return r.Query.Version
	}
	second := map[string]any{"version": 2, "params": run["params"]}
	if got := version(); got != 1 {
		t.Errorf("the token runs version %d, want 1", got)
	}
	svc.refused(http.MethodPost, "/queries/"+q.ID+"/runs", second, http.StatusForbidden, "version-not-released")
	svc.refused(http.MethodPost, "/queries/"+q.ID+"/release", map[string]any{"version": 2, "service": "experiments"}, http.StatusForbidden, "scope-missing")
	gil.must(http.MethodPost, "/queries/"+q.ID+"/release", map[string]any{"version": 2, "service": "experiments"}, nil)
	svc.must(http.MethodPost, "/queries/"+q.ID+"/runs", second, nil)
	if got := version(); got != 2 {
		t.Errorf("the token runs version %d, want what was released", got)
	}
}
