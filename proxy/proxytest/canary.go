package proxytest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Canary returns a log handler that takes every level, passes records on to
// next (nil: nowhere), and fails the test when a secret, plain, as hex or as
// base64, turns up in a message, a key, a value or a group.
func Canary(tb testing.TB, next slog.Handler, secrets ...string) slog.Handler {
	tb.Helper()
	c := &canary{tb: tb, next: next, mu: &sync.Mutex{}, over: new(bool)}
	for _, s := range secrets {
		c.forms = append(c.forms, s, hex.EncodeToString([]byte(s)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="))
	}
	tb.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		*c.over = true
	})
	return c
}

type canary struct {
	tb    testing.TB
	next  slog.Handler
	forms []string

	mu   *sync.Mutex // guards over
	over *bool       // the test has ended: its tb must not be touched
}

func (c *canary) Enabled(context.Context, slog.Level) bool { return true }

func (c *canary) Handle(ctx context.Context, r slog.Record) error {
	c.look(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		c.attr(a)
		return true
	})
	if c.next == nil || !c.next.Enabled(ctx, r.Level) {
		return nil
	}
	return c.next.Handle(ctx, r) //nolint:wrapcheck // it is the next handler's word
}

func (c *canary) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		c.attr(a)
	}
	d := *c
	if c.next != nil {
		d.next = c.next.WithAttrs(attrs)
	}
	return &d
}

func (c *canary) WithGroup(name string) slog.Handler {
	c.look(name)
	d := *c
	if c.next != nil {
		d.next = c.next.WithGroup(name)
	}
	return &d
}

func (c *canary) attr(a slog.Attr) {
	c.look(a.Key)
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, g := range v.Group() {
			c.attr(g)
		}
		return
	}
	c.look(fmt.Sprintf("%+v", v.Any()))
}

func (c *canary) look(text string) {
	for _, s := range c.forms {
		if !strings.Contains(text, s) {
			continue
		}
		c.mu.Lock()
		if !*c.over {
			c.tb.Errorf("a secret is in the log: %q", text)
		}
		c.mu.Unlock()
	}
}
