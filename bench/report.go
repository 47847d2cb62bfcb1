package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report prints the tables and writes both files of results.
func (b *bench) report(ctx context.Context, out io.Writer, took time.Duration) error {
	md := b.heading(ctx, took) + tables(b.samples)
	if _, err := io.WriteString(out, md); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if err := os.MkdirAll(b.results, 0o755); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("make directory of results: %w", err)
	}
	for name, text := range map[string]string{"latest.md": md, "latest.txt": benchstat(b.samples, cpuModel())} {
		if err := os.WriteFile(filepath.Join(b.results, name), []byte(text), 0o644); err != nil { //nolint:gosec // as above
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// heading says what was measured on what.
func (b *bench) heading(ctx context.Context, took time.Duration) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Bench of %s\n\n", time.Now().UTC().Format("2006-01-02"))
	fmt.Fprintf(&s, "%d cores, %s, load average %s before the run; loopback; medians of %d runs of %d s; %.0f s in all\n\n",
		runtime.NumCPU(), cpuModel(), b.load, b.repeats, b.seconds, took.Seconds())
	for _, cmd := range [][]string{
		{filepath.Join(b.pg.BinDir(), "postgres"), "--version"},
		{b.binary, "version"},
		{"pgbouncer", "--version"},
	} {
		text, err := exec.CommandContext(ctx, cmd[0], cmd[1:]...).Output()
		if first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n"); err == nil && first != "" {
			fmt.Fprintf(&s, "- %s\n", first)
		}
	}
	return s.String()
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// tables returns a markdown table for each scenario: a row a case, a column for
// each unit and peer, medians in the cells.
func tables(samples []sample) string {
	var s strings.Builder
	for _, sc := range scenarios() {
		own := slices.DeleteFunc(slices.Clone(samples), func(x sample) bool { return x.scenario != sc.name })
		if len(own) == 0 {
			continue
		}
		var names, columns []string
		cells := map[string][]float64{}
		for _, x := range own {
			names = addNew(names, x.name)
			for _, v := range x.values {
				columns = addNew(columns, v.unit+" "+x.peer)
				key := x.name + "|" + v.unit + " " + x.peer
				cells[key] = append(cells[key], v.n)
			}
		}
		slices.Sort(columns)
		fmt.Fprintf(&s, "\n## %s\n\n| case | %s |\n|---|%s\n", sc.about, strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)))
		for _, name := range names {
			fmt.Fprintf(&s, "| %s |", name)
			for _, c := range columns {
				fmt.Fprintf(&s, " %s |", cell(cells[name+"|"+c]))
			}
			s.WriteString("\n")
		}
	}
	return s.String()
}

// benchstat returns the samples as Go's benchmark format has them.
func benchstat(samples []sample, cpu string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, cpu)
	for _, x := range samples {
		fmt.Fprintf(&s, "Benchmark%s/%s/peer=%s 1", strings.ToUpper(x.scenario[:1])+x.scenario[1:], x.name, x.peer)
		for _, v := range x.values {
			fmt.Fprintf(&s, " %s %s", number(v.n), v.unit)
		}
		s.WriteString("\n")
	}
	return s.String()
}

func addNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func cell(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return number(median(values))
}

// median of an even number is the mean of the two in the middle.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// number prints about three significant digits.
func number(n float64) string {
	switch {
	case n >= 100 || n <= -100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10 || n <= -10:
		return fmt.Sprintf("%.1f", n)
	default:
		return fmt.Sprintf("%.2f", n)
	}
}

func words(values []value) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, number(v.n)+" "+v.unit)
	}
	return strings.Join(parts, ", ")
}
