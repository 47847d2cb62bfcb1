package policytest

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
)

// names reads the lines of a catalog block and publishes the snapshot.
func (r *runner) names(input string) error {
	data := policy.CatalogData{Version: r.catalog.Version + 1}
	for line := range strings.SplitSeq(input, "\n") {
		head, bases, _ := strings.Cut(line, ":")
		w := strings.Fields(head)
		opaque := len(w) > 0 && w[0] == "opaque"
		if opaque {
			w = w[1:]
		}
		if len(w) != 2 {
			return fmt.Errorf("catalog: %q is neither table, view nor function", line)
		}
		schema, name, found := strings.Cut(w[1], ".")
		if !found {
			return fmt.Errorf("catalog: %q has no schema", w[1])
		}
		reads, err := relations(bases)
		if err != nil {
			return err
		}
		switch w[0] {
		case "table":
			data.Relations = append(data.Relations, policy.CatalogRelation{Schema: schema, Name: name, Bases: reads})
		case "view":
			data.Relations = append(data.Relations, policy.CatalogRelation{Schema: schema, Name: name, Kind: policy.RelView, Bases: reads, Opaque: opaque})
		case "function":
			data.Functions = append(data.Functions, policy.CatalogFunction{Schema: schema, Name: name, Volatility: 'v', Trusted: !opaque, Reads: reads})
		default:
			return fmt.Errorf("catalog: %q is neither table, view nor function", w[0])
		}
	}
	r.catalog = data
	r.engine.PublishCatalog(policy.NewCatalog(data))
	return nil
}

func relations(text string) ([]policy.Relation, error) {
	var out []policy.Relation
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		schema, name, found := strings.Cut(part, ".")
		if !found {
			return nil, fmt.Errorf("catalog: %q has no schema", part)
		}
		out = append(out, policy.Relation{Schema: schema, Name: name})
	}
	return out, nil
}
