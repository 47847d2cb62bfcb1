// Package config reads a policy from YAML.
package config

import "github.com/lockkeeper/lockkeeper/policy"

// Options are what a policy file does not say by itself.
type Options struct {
	Name string // of the file, for error texts
}

// Load reads a policy.
func Load(data []byte, opts Options) (*policy.Ruleset, error) { return &policy.Ruleset{}, nil }
