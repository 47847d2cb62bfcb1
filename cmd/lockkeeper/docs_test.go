package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Tables of the documents are whole, and what they link to is there: an empty
// line in a table makes text of all rows behind it.
func TestDocumentsRender(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("only %d documents found", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range documentFaults(filepath.Dir(file), string(text)) {
			t.Errorf("%s: %s", file, fault)
		}
	}
	broken := "| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n\n[gone](nowhere.md)\n| c |\n|---|\n| 1 | 2 |\n"
	if n := len(documentFaults("../..", broken)); n != 3 {
		t.Errorf("%d faults are found of 3", n)
	}
}

// documentFaults returns what of a document would not render.
func documentFaults(folder, text string) (faults []string) {
	link, rule := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`), regexp.MustCompile(`^\|(\s*:?-+:?\s*\|)+$`)
	fenced, lines := false, strings.Split(text, "\n")
	cells := 0 // of the table; 0: none
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if fenced || !strings.HasPrefix(line, "|") {
			cells = 0
		}
		if fenced {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(folder, m[1])); err != nil {
				faults = append(faults, "a link to "+m[1]+", which is not there")
			}
		}
		if !strings.HasPrefix(line, "|") {
			continue
		}
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") - 1
		switch {
		case cells == 0 && (i+1 == len(lines) || !rule.MatchString(strings.TrimSpace(lines[i+1]))):
			faults = append(faults, "a row that is in no table: "+line)
		case cells != 0 && n != cells:
			faults = append(faults, "a row with another number of cells than its table: "+line)
		}
		cells = max(n, 1)
	}
	return faults
}
