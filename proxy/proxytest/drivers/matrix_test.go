package drivers

import (
	"flag"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

var (
	matrixFlag  = flag.Bool("matrix", false, "run the clients of the matrix (see the script run)")
	smokeFlag   = flag.Bool("smoke", false, "with -matrix: a few checks of each client, in one mode")
	directFlag  = flag.Bool("direct", false, "with -matrix: Postgres itself instead of the proxy")
	cacheFlag   = flag.String("cache", "", "directory that the script install has filled")
	clientsFlag = flag.String("clients", "", "only these clients, comma-separated")
	modesFlag   = flag.String("modes", "", "only these modes, comma-separated")
	binFlag     = flag.String("bin", "", "lockkeeper to test (default: built from the tree)")
	jobsFlag    = flag.Int("jobs", 5, "clients that run at a time")
)

// smokeChecks are the acts that show a client works at all, and is governed.
const smokeChecks = "connect,query,bind_types,refuse,timeout"

func TestMain(m *testing.M) { proxytest.Main(m) }

// TestSmoke is what runs without any driver installed: pgx and psql.
func TestSmoke(t *testing.T) {
	if *matrixFlag || testing.Short() {
		t.Skip("builds and starts programs; the matrix has it all")
	}
	dir := t.TempDir()
	goBuild(t, filepath.Join(dir, "pgx"), "./pgx")
	w := newWorld(t, false)
	var cells []cell
	for _, c := range clients(dir) {
		if c.name == "pgx" || c.name == "psql" {
			cells = append(cells, cell{client: c, mode: modes()[3]})
		}
	}
	report(t, w.runAll(t, cells, 2, smokeChecks))
}

// TestMatrix runs every client in every mode and prints what came of it.
func TestMatrix(t *testing.T) {
	if !*matrixFlag {
		t.Skip("needs the drivers: proxy/proxytest/drivers/run (make drivers)")
	}
	w := newWorld(t, *directFlag)
	checks := ""
	all := modes()
	if *smokeFlag {
		checks, all = smokeChecks, all[3:]
	}
	var cells []cell
	for _, c := range clients(*cacheFlag) {
		if !chosen(*clientsFlag, c.name) {
			continue
		}
		for _, m := range all {
			if chosen(*modesFlag, m.name) {
				cells = append(cells, cell{client: c, mode: m})
			}
		}
	}
	report(t, w.runAll(t, cells, *jobsFlag, checks))
}

func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

// goBuild builds a program of the tree into path.
func goBuild(t *testing.T, path, pkg string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
}
