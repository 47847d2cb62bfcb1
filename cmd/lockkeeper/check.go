package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newCheckCommand() *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate a configuration and the policy it names",
		Long: `Validate a configuration and the policy it names, without starting anything.

It takes the flags of serve, reads every file that the server would read
(policy, users, certificates, passwords) and names all that is wrong at once.
Exit code 0: the server would start with it, 1: it would not.`,
		Args: cobra.NoArgs,
	}
	s.register(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd)
		if err != nil {
			return err
		}
		if err := cfg.Validate(); err != nil {
			return told(cmd.ErrOrStderr(), err)
		}
		if cfg.Policy != "" {
			if _, err := readPolicy(cfg.Policy); err != nil {
				return told(cmd.ErrOrStderr(), err)
			}
		}
		return cfg.describe(cmd.OutOrStdout())
	}
	return cmd
}

// told prints findings one a line.
func told(w io.Writer, err error) error {
	fmt.Fprintln(w, err)
	return quietError{}
}

// describe says in a few lines what a server would do, without secrets.
func (c *Config) describe(w io.Writer) error {
	policy, operator := c.Policy, c.Operator.URL.String()
	if policy == "" {
		policy = "none: all is allowed, all is recorded"
	}
	if operator == "" {
		operator = "none: no lock watch, no catalog, no ending of sessions"
	}
	methods := make([]string, len(c.Auth.Rules))
	for i, rule := range c.Auth.Rules {
		methods[i] = rule.Method
	}
	_, err := fmt.Fprintf(w, "ok\n  listen     %s (auth %s, tls %s)\n  warehouse  %s (%s)\n  operator   %s\n  policy     %s\n  state      %s\n",
		strings.Join(c.Listen, " "), strings.Join(methods, ", "), c.TLS.mode(), c.Warehouse.URL, c.Warehouse.Dialect, operator, policy, c.State)
	if err != nil || c.Web.off() {
		return err
	}
	store := "SQLite in the state directory"
	if !c.Office.Store.IsZero() {
		store = c.Office.Store.String()
	}
	_, err = fmt.Fprintf(w, "  office     %s (%s; results %s)\n", c.Web.external(), store, c.Office.whereResults())
	return err
}
