package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lockkeeper",
		Short:         "A governed proxy for Postgres and Redshift warehouses",
		SilenceErrors: true, // execute prints them once
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServeCommand(),
		newCheckCommand(),
		newDemoCommand(),
		newPolicyCommand(),
		newAuditCommand(),
		newUserCommand(),
		newTeamCommand(),
		newServiceCommand(),
		newGrantCommand(),
		newTokenCommand(),
		newDBPasswordCommand(),
		newQueryCommand(),
		newRunsCommand(),
		newBackupCommand(),
		newRestoreCommand(),
		newVersionCommand(),
	)
	root.AddCommand(newConsoleCommands()...)
	return root
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "lockkeeper %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
