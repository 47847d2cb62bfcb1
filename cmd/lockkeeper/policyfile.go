package main

import (
	"fmt"
	"os"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/config"
)

// readPolicy reads and compiles a policy file; its errors name file and line.
func readPolicy(path string) (*policy.Ruleset, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return config.Load(raw, config.Options{Name: path})
}
