package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// person, team, service and grant are what the API says of them, as far as the
// command line shows it.
type (
	personItem struct {
		ID, Login, Name, Email string
		Teams                  []string
		Roles                  map[string]string
		Disabled               bool
		LastSeen               *time.Time `json:"last_seen"`
	}
	teamItem struct {
		ID, Name string
		Members  []string
	}
	serviceItem struct {
		ID, Name, Description string
		Team                  *string
		Disabled              bool
	}
	grantItem struct {
		ID, Principal, Target, Role, By string
		WarehouseLogin                  *string `json:"warehouse_login"`
	}
)

// officeCommand makes a command that speaks to the office.
func officeCommand(f *officeFlags, use, short string, args cobra.PositionalArgs, run func(cmd *cobra.Command, c *officeClient, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		c, err := f.client()
		if err != nil {
			return err
		}
		return run(cmd, c, args)
	}}
}

// group makes a command that only holds others.
func group(use, short string, f *officeFlags, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	f.register(cmd)
	cmd.AddCommand(subs...)
	return cmd
}

// table writes aligned columns.
func table(w io.Writer, head string, rows func(row func(cells ...any))) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, dash(fmt.Sprint(c)))
		}
		fmt.Fprintln(t)
	})
	return t.Flush()
}

func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.DateOnly)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// personByLogin finds somebody's id.
func personByLogin(ctx context.Context, c *officeClient, login string) (personItem, error) {
	all, err := items[personItem](ctx, c, "/people?limit=200&q="+url.QueryEscape(login))
	if err != nil {
		return personItem{}, err
	}
	for _, p := range all {
		if strings.EqualFold(p.Login, login) {
			return p, nil
		}
	}
	return personItem{}, fmt.Errorf("nobody is called %q: lockkeeper user list shows who there is", login)
}

func teamByName(ctx context.Context, c *officeClient, name string) (teamItem, error) {
	all, err := items[teamItem](ctx, c, "/teams")
	if err != nil {
		return teamItem{}, err
	}
	for _, t := range all {
		if strings.EqualFold(t.Name, name) {
			return t, nil
		}
	}
	return teamItem{}, fmt.Errorf("no team is called %q: lockkeeper team list shows them", name)
}

func serviceByName(ctx context.Context, c *officeClient, name string) (serviceItem, error) {
	all, err := items[serviceItem](ctx, c, "/services?limit=200")
	if err != nil {
		return serviceItem{}, err
	}
	for _, s := range all {
		if strings.EqualFold(s.Name, name) {
			return s, nil
		}
	}
	return serviceItem{}, fmt.Errorf("no service is called %q: lockkeeper service list shows them", name)
}

// ofService is a path of what one has oneself, or a service of that name.
func ofService(ctx context.Context, c *officeClient, path, name string) (string, error) {
	if name == "" {
		return path, nil
	}
	s, err := serviceByName(ctx, c, name)
	return path + "?service=" + s.ID, err
}

// newPersonFlags are those of user add for somebody of the office.
type newPersonFlags struct {
	admin             bool
	role, name, email string
	teams             []string
}

func (n *newPersonFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&n.admin, "admin", false, "an admin, who decides about others")
	f.StringVar(&n.role, "office-role", "", "member, operator or admin at all warehouses")
	f.StringVar(&n.name, "name", "", "how people call them")
	f.StringVar(&n.email, "email", "", "e-mail address")
	f.StringSliceVar(&n.teams, "team", nil, "`team` they are in (repeats)")
}

// add lets somebody in, or makes who is there an admin, and prints the link by
// which they sign in.
func (n *newPersonFlags) add(ctx context.Context, c *officeClient, out io.Writer, login string) error {
	body := map[string]any{"login": login, "name": n.name, "email": n.email, "teams": n.teams}
	role := n.role
	if n.admin {
		role = "admin"
	}
	if role != "" {
		body["role"] = role
	}
	var made struct {
		Login, Link string
	}
	if err := c.call(ctx, http.MethodPost, "/people", body, &made); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s signs in once, within ten minutes, by\n\n  %s\n", made.Login, made.Link)
	return err
}

func newUserLinkCommand(f *officeFlags) *cobra.Command {
	return officeCommand(f, "link NAME", "Print a link by which somebody of the office signs in once", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		p, err := personByLogin(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		var made struct{ Link string }
		if err := c.call(cmd.Context(), http.MethodPost, "/people/"+p.ID+"/link", nil, &made); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Link)
		return err
	})
}

func newUserDisableCommand(f *officeFlags, use, short string, disabled bool) *cobra.Command {
	return officeCommand(f, use+" NAME", short, cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		p, err := personByLogin(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return c.call(cmd.Context(), http.MethodPatch, "/people/"+p.ID, map[string]any{"disabled": disabled}, nil)
	})
}

func newUserSignOutCommand(f *officeFlags) *cobra.Command {
	return officeCommand(f, "sign-out NAME", "Sign somebody out on all pages; tokens and passwords stay", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		p, err := personByLogin(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return c.call(cmd.Context(), http.MethodDelete, "/people/"+p.ID+"/sessions", nil, nil)
	})
}

// listPeople prints who there is in the office.
func listPeople(ctx context.Context, c *officeClient, out io.Writer) error {
	all, err := items[personItem](ctx, c, "/people?limit=200")
	if err != nil {
		return err
	}
	return table(out, "LOGIN\tNAME\tTEAMS\tROLES\tSIGNED IN\tSTATE", func(row func(...any)) {
		for _, p := range all {
			state := ""
			if p.Disabled {
				state = "disabled"
			}
			row(p.Login, p.Name, strings.Join(p.Teams, ","), roles(p.Roles), day(p.LastSeen), state)
		}
	})
}

func roles(of map[string]string) string {
	var out []string
	for target, role := range of {
		out = append(out, role+"@"+target)
	}
	return strings.Join(out, ",")
}

func newTeamCommand() *cobra.Command {
	f := &officeFlags{}
	named := func(use, short string, run func(ctx context.Context, c *officeClient, args []string) error, n int) *cobra.Command {
		return officeCommand(f, use, short, cobra.ExactArgs(n), func(cmd *cobra.Command, c *officeClient, args []string) error {
			return run(cmd.Context(), c, args)
		})
	}
	onTeam := func(method, suffix string) func(context.Context, *officeClient, []string) error {
		return func(ctx context.Context, c *officeClient, args []string) error {
			t, err := teamByName(ctx, c, args[0])
			if err != nil {
				return err
			}
			path := "/teams/" + t.ID
			if suffix != "" {
				path += suffix + url.PathEscape(args[1])
			}
			return c.call(ctx, method, path, nil, nil)
		}
	}
	return group("team", "Keep the teams of the office", f,
		named("add NAME", "Make a team", func(ctx context.Context, c *officeClient, args []string) error {
			return c.call(ctx, http.MethodPost, "/teams", map[string]any{"name": args[0]}, nil)
		}, 1),
		named("remove NAME", "Remove a team with what was granted to it", onTeam(http.MethodDelete, ""), 1),
		named("join TEAM LOGIN", "Put somebody into a team", onTeam(http.MethodPut, "/members/"), 2),
		named("leave TEAM LOGIN", "Take somebody out of a team", onTeam(http.MethodDelete, "/members/"), 2),
		officeCommand(f, "list", "List teams", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
			all, err := items[teamItem](cmd.Context(), c, "/teams")
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "TEAM\tMEMBERS", func(row func(...any)) {
				for _, t := range all {
					row(t.Name, strings.Join(t.Members, ","))
				}
			})
		}),
	)
}

func newServiceCommand() *cobra.Command {
	f := &officeFlags{}
	var team, about string
	add := officeCommand(f, "add NAME", "Let a program in", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		return c.call(cmd.Context(), http.MethodPost, "/services", map[string]any{"name": args[0], "team": team, "description": about}, nil)
	})
	add.Flags().StringVar(&team, "team", "", "`team` that holds it and makes its tokens")
	add.Flags().StringVar(&about, "about", "", "what it is for")
	_ = add.MarkFlagRequired("team")
	disable := func(use, short string, disabled bool) *cobra.Command {
		return officeCommand(f, use+" NAME", short, cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
			s, err := serviceByName(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return c.call(cmd.Context(), http.MethodPatch, "/services/"+s.ID, map[string]any{"disabled": disabled}, nil)
		})
	}
	return group("service", "Keep the programs that may come in", f, add,
		disable("disable", "Shut a service out, and end what it does; its tokens stay", true), disable("enable", "Let a service in again", false),
		officeCommand(f, "remove NAME", "Remove a service with its tokens", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
			s, err := serviceByName(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return c.call(cmd.Context(), http.MethodDelete, "/services/"+s.ID, nil, nil)
		}),
		officeCommand(f, "list", "List services", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
			all, err := items[serviceItem](cmd.Context(), c, "/services?limit=200")
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "SERVICE\tTEAM\tABOUT\tSTATE", func(row func(...any)) {
				for _, s := range all {
					state := ""
					if s.Disabled {
						state = "disabled"
					}
					row(s.Name, text(s.Team), s.Description, state)
				}
			})
		}),
	)
}

func newGrantCommand() *cobra.Command {
	f := &officeFlags{}
	var to, at, role, login, passwordFile string
	add := officeCommand(f, "add", "Give somebody, a team or a service a role at the warehouse", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
		id, err := principalID(cmd.Context(), c, to)
		if err != nil {
			return err
		}
		body := map[string]any{"principal": id, "target": at, "role": role, "warehouse_login": login}
		if passwordFile != "" {
			secret, err := readSecret(passwordFile)
			if err != nil {
				return fmt.Errorf("read password: %w", err)
			}
			body["warehouse_password"] = secret.Reveal()
		}
		return c.call(cmd.Context(), http.MethodPost, "/grants", body, nil)
	})
	add.Flags().StringVar(&to, "to", "", "login, team:NAME or service:NAME")
	add.Flags().StringVar(&at, "at", target, "warehouse, or * for all")
	add.Flags().StringVar(&role, "role", "member", "member, operator or admin")
	add.Flags().StringVar(&login, "warehouse-login", "", "as whom they log in to the warehouse; left out: as configured")
	add.Flags().StringVar(&passwordFile, "password-file", "", "`file` with that login's password")
	_ = add.MarkFlagRequired("to")
	return group("grant", "Keep who may do what", f, add,
		officeCommand(f, "remove ID", "Take a grant away", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
			return c.call(cmd.Context(), http.MethodDelete, "/grants/"+url.PathEscape(args[0]), nil, nil)
		}),
		officeCommand(f, "list", "List grants", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
			all, err := items[grantItem](cmd.Context(), c, "/grants")
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "ID\tTO\tAT\tROLE\tWAREHOUSE LOGIN\tBY", func(row func(...any)) {
				for _, g := range all {
					row(g.ID, g.Principal, g.Target, g.Role, text(g.WarehouseLogin), g.By)
				}
			})
		}),
	)
}

// principalID reads "ann", "team:growth" and "service:mailer".
func principalID(ctx context.Context, c *officeClient, to string) (string, error) {
	if name, ok := strings.CutPrefix(to, "team:"); ok {
		t, err := teamByName(ctx, c, name)
		return t.ID, err
	}
	if name, ok := strings.CutPrefix(to, "service:"); ok {
		s, err := serviceByName(ctx, c, name)
		return s.ID, err
	}
	p, err := personByLogin(ctx, c, to)
	return p.ID, err
}
