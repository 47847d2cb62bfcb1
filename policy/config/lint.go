package config

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Lint says what in a good policy is probably not meant: lines that nothing
// reaches, classes that nobody names.
func Lint(src *policy.Source) []string {
	var notes []string
	named := map[string]bool{}
	all := -1
	for i := range src.Classify {
		l := &src.Classify[i]
		first, _, _ := strings.Cut(l.Class, "/")
		named[first] = true
		if all >= 0 {
			notes = append(notes, fmt.Sprintf("classify[%d] is never reached: classify[%d] matches everything", i, all))
			continue
		}
		if matchesAll(&l.When) {
			all = i
		}
		if !strings.Contains(first, "${") && !declares(src.Classes, first) {
			notes = append(notes, fmt.Sprintf("classify[%d]: class %q is not declared, so nothing bounds it", i, first))
		}
	}
	if all < 0 {
		named[policy.DefaultClass] = true
		if len(src.Classify) > 0 {
			notes = append(notes, fmt.Sprintf("classify has no last line that matches everything; what is left is class %q", policy.DefaultClass))
		}
	}
	for i := range src.Classes {
		name := src.Classes[i].Name
		if !named[name] && !namedByTemplate(named) {
			notes = append(notes, fmt.Sprintf("classes.%s: no line of classify names it", name))
		}
	}
	return notes
}

func declares(list []policy.ClassSource, name string) bool {
	for i := range list {
		if list[i].Name == name {
			return true
		}
	}
	return false
}

func namedByTemplate(named map[string]bool) bool {
	for n := range named {
		if strings.Contains(n, "${") {
			return true
		}
	}
	return false
}

// matchesAll tells whether a condition asks nothing.
func matchesAll(c *policy.Condition) bool { return dumpCondition(c) == nil }
