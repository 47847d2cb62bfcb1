package main

import (
	"github.com/spf13/cobra"
)

func newServeCommand() *cobra.Command {
	s := &settings{}
	var format, level string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy in the foreground. Flags alone suffice to begin; the file has
everything, and a flag wins over its key.

SIGTERM and Ctrl-C drain: idle sessions are closed at once, transactions may
finish within drain_timeout. SIGHUP reads policy, users and certificates again.`,
		Example: `  lockkeeper serve --warehouse postgres://warehouse.example:5432/db
  lockkeeper serve --config /etc/lockkeeper/lockkeeper.yaml
  lockkeeper serve --listen 127.0.0.1:6432 --listen unix:/run/lockkeeper \
    --auth scram --users users.txt --policy policy.yaml \
    --warehouse postgres://svc@warehouse.example:5432/db`,
		Args: cobra.NoArgs,
	}
	s.register(cmd)
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json, to standard error")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := newLogger(cmd.ErrOrStderr(), format, level)
		if err != nil {
			return err
		}
		cfg, err := s.load(cmd)
		if err != nil {
			return err
		}
		h, err := build(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		return h.run(cmd.Context(), func() {})
	}
	return cmd
}
