package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// passwordItem is what the API says of a database password.
type passwordItem struct {
	ID, Tool string
	Expires  time.Time  `json:"expires_at"`
	LastUsed *time.Time `json:"last_used"`
	UsedBy   string     `json:"used_by"`
}

// newDBPasswordCommand keeps passwords that tools connect to the door with: of
// whoever's token it comes with, or of a service.
func newDBPasswordCommand() *cobra.Command {
	f := &officeFlags{}
	var service string
	hours := 0
	add := officeCommand(f, "add TOOL", "Make a password for a tool and print it, this once", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		body := map[string]any{"tool": args[0]}
		if hours != 0 {
			body["hours"] = hours
		}
		if service != "" {
			s, err := serviceByName(cmd.Context(), c, service)
			if err != nil {
				return err
			}
			body["service"] = s.ID
		}
		var made struct{ Login, Password string }
		if err := c.call(cmd.Context(), http.MethodPost, "/db-passwords", body, &made); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "connect as %s, with\n", made.Login)
		_, err := fmt.Fprintln(cmd.OutOrStdout(), made.Password)
		return err
	})
	add.Flags().IntVar(&hours, "hours", 0, "until it expires, at most 720 (default 12)")
	list := officeCommand(f, "list", "List live passwords, without what opens them", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
		path, err := ofService(cmd.Context(), c, "/db-passwords", service)
		if err != nil {
			return err
		}
		all, err := items[passwordItem](cmd.Context(), c, path)
		if err != nil {
			return err
		}
		return table(cmd.OutOrStdout(), "ID\tTOOL\tEXPIRES\tUSED\tBY", func(row func(...any)) {
			for _, p := range all {
				row(p.ID, p.Tool, p.Expires.Format(time.RFC3339), day(p.LastUsed), p.UsedBy)
			}
		})
	})
	for _, cmd := range []*cobra.Command{add, list} {
		cmd.Flags().StringVar(&service, "service", "", "of a `service`; left out: yours, by your token")
	}
	return group("db-password", "Keep passwords for tools that connect to the door", f, add, list,
		officeCommand(f, "revoke ID", "Revoke a password; sessions under it end", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
			return c.call(cmd.Context(), http.MethodDelete, "/db-passwords/"+url.PathEscape(args[0]), nil, nil)
		}),
	)
}
