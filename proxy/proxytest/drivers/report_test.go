package drivers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// report prints the matrix and fails the test for what failed.
func report(t *testing.T, cells []cell) {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n")
	table(&b, cells)
	skips(&b, cells)
	for _, c := range cells {
		if c.client.missing != "" {
			continue
		}
		for _, l := range c.lines {
			if l.verdict == "FAIL" {
				t.Errorf("%s, %s: %s: %s", c.client.name, c.mode.name, l.check, l.word)
			}
		}
	}
	for _, c := range cells {
		if c.client.missing != "" && c.client.must && !*smokeFlag { // a smoke takes what is there
			t.Errorf("%s: NOT TESTED, and it must be: %s", c.client.name, c.client.missing)
		}
	}
	if testing.Verbose() {
		for _, c := range cells {
			t.Logf("%s, %s, milliseconds: %s", c.client.name, c.mode.name, c.times())
		}
	}
	for _, c := range cells {
		if text := strings.TrimSpace(c.stderr); text != "" && (c.count("FAIL") > 0 || testing.Verbose()) {
			t.Logf("%s, %s, standard error:\n%s", c.client.name, c.mode.name, text)
		}
	}
	fmt.Println(b.String())
}

func (c cell) count(verdict string) int {
	n := 0
	for _, l := range c.lines {
		if l.verdict == verdict {
			n++
		}
	}
	return n
}

// times lists what passed and how long it took.
func (c cell) times() string {
	var words []string
	for _, l := range c.lines {
		if l.verdict == "ok" {
			words = append(words, l.check+" "+l.word)
		}
	}
	return strings.Join(words, ", ")
}

// verdict is what stands in the table.
func (c cell) verdict() string {
	switch {
	case c.client.missing != "":
		return "NOT TESTED"
	case c.count("FAIL") > 0:
		return fmt.Sprintf("FAIL %d, ok %d", c.count("FAIL"), c.count("ok"))
	default:
		return fmt.Sprintf("ok %d (%d s)", c.count("ok"), int(c.took.Round(time.Second).Seconds()))
	}
}

func table(b *strings.Builder, cells []cell) {
	var names, columns []string
	verdicts := map[string]string{}
	cpu := map[string]time.Duration{}
	for _, c := range cells {
		if !slices.Contains(names, c.client.name) {
			names = append(names, c.client.name)
		}
		if !slices.Contains(columns, c.mode.name) {
			columns = append(columns, c.mode.name)
		}
		verdicts[c.client.name+c.mode.name] = c.verdict()
		cpu[c.client.name] += c.cpu
	}
	tw := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(tw, "client\t"+strings.Join(columns, "\t")+"\tcpu of all")
	for _, name := range names {
		row := []string{name}
		for _, column := range columns {
			row = append(row, verdicts[name+column])
		}
		row = append(row, fmt.Sprintf("%.1f s", cpu[name].Seconds()))
		_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush()
}

// skips says aloud what was not tested, each once.
func skips(b *strings.Builder, cells []cell) {
	said := map[string]bool{}
	say := func(text string) {
		if !said[text] {
			said[text] = true
			b.WriteString(text + "\n")
		}
	}
	for _, c := range cells {
		if c.client.missing != "" {
			say(fmt.Sprintf("NOT TESTED: %s: %s", c.client.name, c.client.missing))
		}
		by := map[string][]string{}
		var reasons []string
		for _, l := range c.lines {
			if l.verdict == "skip" {
				if by[l.word] == nil {
					reasons = append(reasons, l.word)
				}
				by[l.word] = append(by[l.word], l.check)
			}
		}
		for _, reason := range reasons {
			say(fmt.Sprintf("skipped: %s: %s: %s", c.client.name, strings.Join(by[reason], ", "), reason))
		}
	}
}
