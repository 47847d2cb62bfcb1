package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy/config"
)

// list is a YAML sequence of strings, or one string that stands for itself.
type list []string

// UnmarshalYAML takes both forms.
func (l *list) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.Tag != "!!null" {
		*l = list{node.Value}
		return nil
	}
	var many []string
	if err := node.Decode(&many); err != nil {
		return err
	}
	*l = many
	return nil
}

// duration is a time span as Go writes it, with d for days: "90s", "15m", "1d".
type duration time.Duration

// UnmarshalYAML refuses bare numbers, whose unit nobody could know.
func (d *duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := config.ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w, such as 30s, 15m or 1d", node.Line, err)
	}
	*d = duration(parsed)
	return nil
}

// MarshalText writes it as it is read, without the zeros of time.Duration.
func (d duration) MarshalText() ([]byte, error) {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return []byte(text), nil
}

// size is a number of bytes: "16MiB", "4GiB", or a bare count.
type size int64

// UnmarshalYAML takes a count or a count with KiB, MiB or GiB.
func (s *size) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := config.ParseSize(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w, such as 4096, 16MiB or 1GiB", node.Line, err)
	}
	*s = size(parsed)
	return nil
}

// MarshalText writes it in the largest unit that divides it.
func (s size) MarshalText() ([]byte, error) {
	for _, unit := range []struct {
		bits int
		name string
	}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if s > 0 && s%(1<<unit.bits) == 0 {
			return fmt.Appendf(nil, "%d%s", s>>unit.bits, unit.name), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// UnmarshalYAML takes rules, or one method for everybody: "auth: scram".
func (a *authConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*a = authConfig{Rules: []authRule{{Method: node.Value}}}
		return nil
	}
	type plain authConfig
	return decodeStrict(node, (*plain)(a))
}

// UnmarshalYAML takes the section, or the file alone: "users: users.txt".
func (u *usersConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*u = usersConfig{File: node.Value}
		return nil
	}
	type plain usersConfig
	return decodeStrict(node, (*plain)(u))
}

// UnmarshalYAML takes the section, or the URL alone.
func (w *warehouseConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&w.URL)
	}
	type plain warehouseConfig
	return decodeStrict(node, (*plain)(w))
}

// UnmarshalYAML takes the section, or the URL alone.
func (o *operatorConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&o.URL)
	}
	type plain operatorConfig
	return decodeStrict(node, (*plain)(o))
}

// UnmarshalYAML takes the section, or the address alone.
func (a *adminConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		a.Listen = node.Value
		return nil
	}
	type plain adminConfig
	return decodeStrict(node, (*plain)(a))
}
