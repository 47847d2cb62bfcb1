package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

func newUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Keep who may come in: people of the office, or the user file",
		Long: `Keep who may come in.

Without a password it is about people of the office: they sign in on the page,
and make passwords for their tools there. The command asks the server that runs
on this machine (--state), or one elsewhere (--server).

With a password, or with --users, it is about the user file: logins at the door
alone. It is PgBouncer's userlist: a line is "login" "verifier", and here perhaps
role= (the warehouse login to go on as) and groups= behind that, which PgBouncer
leaves alone. No password is stored, only a SCRAM-SHA-256 verifier. A running
server takes a changed file over by itself.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := &officeFlags{}
	f.register(cmd)
	file := cmd.PersistentFlags().StringP("users", "u", "users.txt", "user `file`")
	cmd.AddCommand(
		newUserAddCommand(file, f), newUserRemoveCommand(file), newUserListCommand(file, f), newUserLinkCommand(f),
		newUserDisableCommand(f, "disable", "Shut somebody of the office out, and end what they do", true),
		newUserDisableCommand(f, "enable", "Let somebody in again", false),
		newUserSignOutCommand(f),
	)
	return cmd
}

func newUserAddCommand(file *string, office *officeFlags) *cobra.Command {
	var (
		person       newPersonFlags
		u            directory.NewUser
		passwordFile string
		stdin        bool
	)
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Let somebody into the office; with a password, add a login to the user file",
		Example: `  lockkeeper user add ann --admin --state /var/lib/lockkeeper
  lockkeeper user add ann --users users.txt --password-file ann.secret
  pwgen 24 1 | tee /dev/tty | lockkeeper user add bob --users users.txt --stdin`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&passwordFile, "password-file", "", "`file` that holds the password, readable by its owner alone")
	flags.BoolVar(&stdin, "stdin", false, "read the password from the first line of the standard input")
	flags.StringVar(&u.Role, "role", "", "warehouse `login` to go on as")
	flags.StringSliceVar(&u.Groups, "group", nil, "`group` of the login (repeats)")
	flags.BoolVar(&u.Replace, "replace", false, "replace the login's lines")
	flags.BoolVar(&u.Another, "another", false, "keep them: one more password that lets it in")
	cmd.MarkFlagsMutuallyExclusive("password-file", "stdin")
	cmd.MarkFlagsMutuallyExclusive("replace", "another")
	person.register(cmd)
	for _, one := range []string{"password-file", "stdin", "role", "group", "replace", "another"} {
		cmd.MarkFlagsMutuallyExclusive("admin", one)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if !stdin && passwordFile == "" {
			if cmd.Flags().Changed("users") {
				return usageError{errors.New("a login of the user file needs a password: give --password-file or --stdin")}
			}
			c, err := office.client()
			if err != nil {
				return fmt.Errorf("%w; or give --password-file or --stdin for a login of the user file", err)
			}
			return person.add(cmd.Context(), c, cmd.OutOrStdout(), args[0])
		}
		u.Login = args[0]
		if stdin {
			u.Password, err = firstLine(cmd.InOrStdin())
		} else {
			u.Password, err = readSecret(passwordFile)
		}
		if err != nil {
			return fmt.Errorf("read password: %w", err)
		}
		if u.Password.IsZero() {
			return errors.New("the password is empty")
		}
		err = editUsers(*file, true, func(data []byte) ([]byte, error) { return directory.Add(data, u) })
		if errors.Is(err, directory.ErrExists) {
			return fmt.Errorf("%q is in %s already: give --replace, or --another for one more password", u.Login, *file)
		}
		return err
	}
	return cmd
}

func newUserRemoveCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a login with all its passwords",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			err := editUsers(*file, false, func(data []byte) ([]byte, error) { return directory.Remove(data, args[0]) })
			if errors.Is(err, directory.ErrUnknown) {
				return fmt.Errorf("%q is not in %s", args[0], *file)
			}
			return err
		},
	}
}

func newUserListCommand(file *string, office *officeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List people of the office; with --users the logins of the file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c, err := office.client(); !cmd.Flags().Changed("users") && (err == nil || office.server+office.state+office.config != "") {
				if err != nil {
					return err
				}
				return listPeople(cmd.Context(), c, cmd.OutOrStdout())
			}
			data, err := os.ReadFile(*file)
			if err != nil {
				return err
			}
			users, err := directory.ParseUserFile(data, pgauth.SaltKey{})
			if err != nil {
				return fmt.Errorf("%s: %w", *file, err)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "LOGIN\tVERIFIERS\tROLE\tGROUPS")
			for _, e := range users.List() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Login, dash(strings.Join(e.Kinds, ",")), dash(e.Role), dash(strings.Join(e.Groups, ",")))
			}
			return w.Flush()
		},
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func firstLine(r io.Reader) (pgauth.Secret, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return pgauth.Secret{}, err
	}
	return pgauth.NewSecret(strings.TrimRight(line, "\r\n")), nil
}

// editUsers replaces the file as a whole: a server that reloads sees the old
// one or the new one. A file that cannot be read as a user file stays alone.
func editUsers(path string, create bool, edit func([]byte) ([]byte, error)) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	data, err := os.ReadFile(path)
	if create && errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil
	}
	if err != nil {
		return err
	}
	if data, err = edit(data); err != nil {
		return err
	}
	if _, err := directory.ParseUserFile(data, pgauth.SaltKey{}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceFile(path, data)
}

// replaceFile writes data beside path, readable by the owner alone, and
// renames it. The owner stays the same: root may edit the server's file.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".users-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // in vain after the rename
	err = errors.Join(keepOwner(f, path), writeAll(f, data), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

func writeAll(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func keepOwner(f *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}
