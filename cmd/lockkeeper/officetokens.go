package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// tokenItem is what the API says of a token, as far as the command line shows it.
type tokenItem struct {
	ID, Name string
	Scopes   []string
	Queries  []boundQuery
	Service  *string
	Expires  time.Time  `json:"expires_at"`
	LastUsed *time.Time `json:"last_used"`
}

func (t *tokenItem) bound() string {
	out := make([]string, len(t.Queries))
	for i, q := range t.Queries {
		out[i] = q.ID + "@" + strconv.Itoa(q.Version)
	}
	return strings.Join(out, ",")
}

// boundQuery is one version of a saved query that a token may run.
type boundQuery struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// boundQueries reads "audience", "audience@3", "q_…" and "q_…@3", each once.
func boundQueries(ctx context.Context, c *officeClient, picks []string) ([]boundQuery, error) {
	var out []boundQuery
	for _, pick := range picks {
		name, version, err := cutVersion(pick)
		if err != nil {
			return nil, err
		}
		q := boundQuery{ID: name, Version: version}
		if !isQueryID(name) {
			if q, err = queryByName(ctx, c, name, version); err != nil {
				return nil, err
			}
		} else if version == 0 {
			if err := c.call(ctx, http.MethodGet, "/queries/"+url.PathEscape(name), nil, &q); err != nil {
				return nil, fmt.Errorf("find the newest version of %s: %w; name it, as in %s@1", name, err, name)
			}
		}
		out = append(out, q)
	}
	return out, nil
}

// cutVersion takes the version off a pick; 0: the newest. A name may hold an @
// itself: only digits behind the last one are a version.
func cutVersion(pick string) (name string, version int, err error) {
	i := strings.LastIndexByte(pick, '@')
	if i < 0 || strings.Trim(pick[i+1:], "0123456789") != "" || i == len(pick)-1 {
		return pick, 0, nil
	}
	version, err = strconv.Atoi(pick[i+1:])
	if err != nil || version < 1 {
		return "", 0, usageError{fmt.Errorf("--query %q: versions count from 1", pick)}
	}
	return pick[:i], version, nil
}

// isQueryID tells an id from a name: q_ and 16 characters of an id.
func isQueryID(s string) bool {
	id, ok := strings.CutPrefix(s, "q_")
	return ok && len(id) == 16 && strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}

// queryByName finds the one saved query of that name that is open to the caller.
func queryByName(ctx context.Context, c *officeClient, name string, version int) (boundQuery, error) {
	all, err := items[struct {
		boundQuery

		Title string
	}](ctx, c, "/queries?draft=false&limit=200&q="+url.QueryEscape(name))
	if err != nil {
		return boundQuery{}, err
	}
	var found []boundQuery
	var ids []string
	for _, q := range all {
		if strings.EqualFold(q.Title, name) {
			found, ids = append(found, q.boundQuery), append(ids, q.ID)
		}
	}
	switch {
	case len(found) == 0:
		return boundQuery{}, fmt.Errorf("no saved query that is open to you is called %q: name it by its id and version, as in q_0123456789ABCDEF@1", name)
	case len(found) > 1:
		return boundQuery{}, errors.New("several saved queries are called " + strconv.Quote(name) + ": name one by its id, " + strings.Join(ids, " or "))
	}
	if version > 0 {
		found[0].Version = version
	}
	return found[0], nil
}

func newTokenCommand() *cobra.Command {
	f := &officeFlags{}
	var service string
	var scopes, cidrs, queries []string
	var days int
	add := officeCommand(f, "add NAME", "Make a token and print it, this once", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		body := map[string]any{"name": args[0], "expires_in_days": days, "cidrs": cidrs}
		if len(queries) > 0 {
			bound, err := boundQueries(cmd.Context(), c, queries)
			if err != nil {
				return err
			}
			body["queries"] = bound
			if !cmd.Flags().Changed("scope") {
				scopes = []string{"queries:run", "runs:read"}
			}
		}
		body["scopes"] = scopes
		if service != "" {
			s, err := serviceByName(cmd.Context(), c, service)
			if err != nil {
				return err
			}
			body["service"] = s.ID
		}
		var made struct{ Token string }
		if err := c.call(cmd.Context(), http.MethodPost, "/tokens", body, &made); err != nil {
			return err
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), made.Token)
		return err
	})
	add.Flags().StringVar(&service, "service", "", "`service` it speaks for; left out: you")
	add.Flags().StringSliceVar(&scopes, "scope", []string{"runs:write", "runs:read", "catalog:read"}, "what it allows (repeats); with --query: queries:run, runs:read")
	add.Flags().StringArrayVar(&queries, "query", nil, "saved `query` it runs, by id or name, and its version (name@3; left out: the newest); nothing else then (repeats)")
	add.Flags().StringSliceVar(&cidrs, "from", nil, "`addresses` it works from (repeats)")
	add.Flags().IntVar(&days, "days", 90, "until it expires, at most 365")
	return group("token", "Keep tokens for programs", f, add,
		officeCommand(f, "revoke ID", "Revoke a token; what goes on under it ends", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
			return c.call(cmd.Context(), http.MethodDelete, "/tokens/"+url.PathEscape(args[0]), nil, nil)
		}),
		newTokenListCommand(f),
		newTokenExchangeCommand(f),
	)
}

// newTokenExchangeCommand makes a token from what a CI system or a cluster gives
// its jobs, and keeps nothing.
func newTokenExchangeCommand(f *officeFlags) *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use: "exchange", Short: "Get a service's token for a while, with the JWT of a CI job or a cluster", Args: cobra.NoArgs,
		Example: `  LOCKKEEPER_TOKEN=$(lockkeeper token exchange --server https://lockkeeper.example --assertion-file /var/run/secrets/lockkeeper/token)`,
	}
	cmd.Flags().StringVar(&file, "assertion-file", "", "`file` with the JWT (default $LOCKKEEPER_ASSERTION)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		assertion := os.Getenv("LOCKKEEPER_ASSERTION")
		if file != "" {
			raw, err := os.ReadFile(file) // as the cluster mounts it, which may be readable by others in the container
			if err != nil {
				return fmt.Errorf("--assertion-file: %w", err)
			}
			assertion = strings.TrimSpace(string(raw))
		}
		if assertion == "" {
			return usageError{errors.New("which JWT? give --assertion-file or LOCKKEEPER_ASSERTION")}
		}
		c, err := stranger(cmp.Or(f.server, os.Getenv("LOCKKEEPER_URL")))
		if err != nil {
			return err
		}
		var made struct{ Token string }
		if err := c.call(cmd.Context(), http.MethodPost, "/token-exchange", map[string]any{"assertion": assertion}, &made); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
		return err
	}
	return cmd
}

func newTokenListCommand(f *officeFlags) *cobra.Command {
	var service string
	cmd := officeCommand(f, "list", "List live tokens, without what opens them", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
		path, err := ofService(cmd.Context(), c, "/tokens", service)
		if err != nil {
			return err
		}
		all, err := items[tokenItem](cmd.Context(), c, path)
		if err != nil {
			return err
		}
		return table(cmd.OutOrStdout(), "ID\tNAME\tSCOPES\tQUERIES\tEXPIRES\tUSED", func(row func(...any)) {
			for _, t := range all {
				row(t.ID, t.Name, strings.Join(t.Scopes, ","), t.bound(), day(&t.Expires), day(t.LastUsed))
			}
		})
	})
	cmd.Flags().StringVar(&service, "service", "", "those of a `service`")
	return cmd
}
