package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// quietHouse is a house that is built and never run.
func quietHouse(t *testing.T, change func(*Config)) (*house, error) {
	t.Helper()
	cfg := defaultConfig()
	cfg.Listen = list{"unix:" + t.TempDir()}
	cfg.Admin.Listen = "off"
	cfg.State = filepath.Join(t.TempDir(), "state")
	cfg.Auth.Rules = []authRule{{Method: "trust"}}
	cfg.Warehouse.URL = conninfo{Host: "127.0.0.1", Port: "1", Database: "none"}
	if change != nil {
		change(&cfg)
	}
	return build(t.Context(), cfg, slog.New(slog.DiscardHandler))
}

// Every metric begins with our name and is described, and none has a label
// that a user could fill.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	h, err := quietHouse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	ours := []prometheus.Collector{h.server.Collector(), newHouseMetrics(h)}
	fixed := []string{"result", "kind", "outcome", "sqlstate", "remedy", "mode", ""}
	shape := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for _, c := range ours {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			part := shape.FindStringSubmatch(desc.String())
			if part == nil {
				t.Fatalf("unreadable: %s", desc)
			}
			if !strings.Contains(string(doc), "`"+part[1]+"`") {
				t.Errorf("docs/operations.md does not describe %s", part[1])
			}
			for label := range strings.SplitSeq(part[2], ",") {
				if !slices.Contains(fixed, label) {
					t.Errorf("%s has label %q, which is not of the fixed set", part[1], label)
				}
			}
		}
	}
}

// A build that breaks half-way leaves nothing held.
func TestBuildUndoesItself(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\nrools: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var cfg Config
	_, err := quietHouse(t, func(c *Config) { c.Policy = bad; cfg = *c })
	if err == nil || !strings.Contains(err.Error(), "policy.yaml:2") {
		t.Fatalf("got %v, want the line", err)
	}
	cfg.Policy = ""
	h, err := build(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("the first build still holds something: %v", err)
	}
	h.close()
}
