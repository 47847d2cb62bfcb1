package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readConfig decodes a file over the defaults. Paths in it are relative to it.
func readConfig(path string) (Config, error) {
	cfg := defaultConfig()
	raw, err := os.ReadFile(path)
	if err != nil {
		return cfg, err
	}
	if err := decodeConfig(raw, &cfg); err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	cfg.resolvePaths(filepath.Dir(path))
	return cfg, nil
}

// decodeConfig is strict: an unknown key, a key given twice and a second
// document are errors with their line.
func decodeConfig(raw []byte, cfg *Config) error {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file says nothing
		}
		return trimYAML(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return trimYAML(decodeStrict(doc.Content[0], cfg))
}

// decodeStrict is node.Decode that refuses unknown keys, which yaml.Node's own
// Decode cannot be told to do.
func decodeStrict(node *yaml.Node, into any) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected keys and values", node.Line)
	}
	known := map[string]bool{}
	for field := range reflect.TypeOf(into).Elem().Fields() {
		known[yamlName(field)] = true
	}
	for i := 0; i < len(node.Content); i += 2 {
		if key := node.Content[i]; !known[key.Value] {
			return fmt.Errorf("line %d: unknown key %q", key.Line, key.Value)
		}
	}
	return decodeFields(node, reflect.ValueOf(into).Elem())
}

// decodeFields sets only the fields whose keys are there, so that defaults stay.
func decodeFields(node *yaml.Node, into reflect.Value) error {
	seen := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if first := seen[key.Value]; first > 0 {
			return fmt.Errorf("line %d: key %q stands already on line %d", key.Line, key.Value, first)
		}
		seen[key.Value] = key.Line
		if err := decodeValue(value, fieldByKey(into, key.Value)); err != nil {
			return err
		}
	}
	return nil
}

func decodeValue(node *yaml.Node, into reflect.Value) error {
	target := into.Addr().Interface()
	_, custom := target.(yaml.Unmarshaler)
	switch {
	case custom, into.Kind() != reflect.Struct && into.Kind() != reflect.Slice:
		return node.Decode(target)
	case into.Kind() == reflect.Struct:
		return decodeStrict(node, target)
	}
	if node.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: expected a list", node.Line)
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		if err := decodeValue(item, into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func fieldByKey(of reflect.Value, key string) reflect.Value {
	for field, value := range of.Fields() {
		if yamlName(field) == key {
			return value
		}
	}
	panic("key was checked before: " + key)
}

func yamlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}

// trimYAML takes the library's name off its messages.
func trimYAML(err error) error {
	if err == nil {
		return nil
	}
	if several, is := errors.AsType[*yaml.TypeError](err); is {
		return errors.New(strings.Join(several.Errors, "; "))
	}
	if text, found := strings.CutPrefix(err.Error(), "yaml: "); found {
		return errors.New(text)
	}
	return err
}

// resolvePaths makes the file names of a configuration relative to its folder.
func (c *Config) resolvePaths(dir string) {
	paths := []*string{
		&c.TLS.Cert, &c.TLS.Key, &c.TLS.ClientCA, &c.Users.File, &c.Users.Query.PasswordFile,
		&c.Warehouse.PasswordFile, &c.Operator.PasswordFile, &c.State, &c.Policy,
		&c.Web.Cert, &c.Web.Key, &c.Web.OIDC.ClientSecretFile, &c.Web.Header.SecretFile,
		&c.Office.StorePasswordFile, &c.Office.KeyFile, &c.Office.S3.SecretKeyFile,
	}
	if !c.Office.inBucket() {
		paths = append(paths, &c.Office.Results)
	}
	for i := range c.Web.Workloads {
		paths = append(paths, &c.Web.Workloads[i].CA)
	}
	for i := range c.Users.Logins {
		paths = append(paths, &c.Users.Logins[i].PasswordFile)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}
