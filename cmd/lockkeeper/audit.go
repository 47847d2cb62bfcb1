package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
)

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read and verify the record",
		Long: `Read and verify the record: the segments in the directory "audit" of a state
directory. Both may be given as DIR. Nothing here needs a running server, and
nothing disturbs one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditHeadCommand(), newAuditVerifyCommand(), newAuditSearchCommand(), newAuditTailCommand())
	return cmd
}

func newAuditHeadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "head DIR",
		Short: "Print the head: the end of the log, to be kept elsewhere",
		Long: `Print the head of the log as one line of JSON. Kept where nobody can reach it
who can write to DIR, it proves later that no record up to it was changed,
removed or cut off. Append one every hour, say, and give them all to verify.`,
		Example: `  lockkeeper audit head lockkeeper-state | ssh vault 'cat >> lockkeeper-heads'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := auditDir(args[0])
			if err != nil {
				return err
			}
			head, err := jsonl.Head(dir)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(head)
		},
	}
}

func newAuditVerifyCommand() *cobra.Command {
	var (
		headFile string
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check that the record is whole and unchanged",
		Long: `Check every line of the log against the chain, and the chain against heads that
were exported with "audit head". Exit code 0: nothing is broken; what is not
proven is named. Exit code 1: something is broken, or cannot be read.

Without a head, a log that was rewritten as a whole or cut at the end of a
record looks the same as a good one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := auditDir(args[0])
			if err != nil {
				return err
			}
			heads, err := readHeads(cmd.InOrStdin(), headFile)
			if err != nil {
				return err
			}
			res, err := jsonl.Verify(cmd.Context(), dir, heads)
			if err != nil {
				return err
			}
			if err := printVerified(cmd.OutOrStdout(), res, len(heads), asJSON); err != nil {
				return err
			}
			if !res.OK() {
				return quietError{}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&headFile, "head", "", "`file` of exported heads, a line each; - for the standard input")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// auditDir returns the directory of segments that a user means: it, or "audit"
// in it when that is a state directory.
func auditDir(dir string) (string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(segments) > 0 {
		return dir, err
	}
	within := filepath.Join(dir, "audit")
	switch _, err := os.Stat(within); {
	case err == nil:
		return within, nil
	case errors.Is(err, fs.ErrNotExist):
		return dir, nil
	default:
		return "", err
	}
}

// readHeads reads what "audit head" printed, once or many times.
func readHeads(stdin io.Reader, file string) ([]audit.Head, error) {
	in := stdin
	switch file {
	case "":
		return nil, nil
	case "-":
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var heads []audit.Head
	for dec := json.NewDecoder(in); ; {
		var head audit.Head
		err := dec.Decode(&head)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read heads from %s: %w", file, err)
		}
		heads = append(heads, head)
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("read heads from %s: there is none", file)
	}
	return heads, nil
}

func printVerified(out io.Writer, res audit.Result, heads int, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	p := &printer{out: out}
	p.printf("%d records (seq %d to %d) in %d segments, %.1f MB, checked against %d exported heads\n",
		res.Records, res.First, res.Head.Seq, res.Segments, float64(res.Bytes)/1e6, heads)
	for _, f := range res.Broken {
		p.printf("BROKEN    %s\n", f)
	}
	if more := res.Breaks - len(res.Broken); more > 0 {
		p.printf("BROKEN    and %d more\n", more)
	}
	for _, what := range res.Unproven {
		p.printf("unproven  %s\n", what)
	}
	if res.OK() {
		p.printf("ok        every line holds\n")
	}
	return p.err
}

// printer keeps the first error of many prints.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

func newAuditSearchCommand() *cobra.Command {
	var (
		flags  filterFlags
		query  audit.Query
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "search DIR",
		Short: "Find records, the newest last",
		Example: `  lockkeeper audit search lockkeeper-state --user anna --since 2h
  lockkeeper audit search lockkeeper-state --table public.orders --kind outcome --json | jq .rows
  lockkeeper audit search lockkeeper-state --sqlstate 57014 --since 2026-11-01 --until 2026-12-01`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := auditDir(args[0])
			if err != nil {
				return err
			}
			if query.Filter, err = flags.filter(); err != nil {
				return usageError{err}
			}
			page, err := jsonl.NewReader(dir).Search(cmd.Context(), query)
			if err != nil {
				return err
			}
			return printPage(cmd, page, asJSON)
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().IntVar(&query.Limit, "limit", 100, "at most so many `records`")
	cmd.Flags().Uint64Var(&query.Before, "before", 0, "only records before this `seq`: the next older page")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print records as JSON, a line each")
	return cmd
}

func printPage(cmd *cobra.Command, page audit.Page, asJSON bool) error {
	rows := newEventPrinter(cmd.OutOrStdout(), asJSON)
	for i := range page.Events {
		rows.print(&page.Events[i])
	}
	hints := &printer{out: cmd.ErrOrStderr()}
	if page.Before > 0 {
		hints.printf("there are older ones: --before %d\n", page.Before)
	}
	if page.Unreadable > 0 {
		hints.printf("%d lines could not be read; \"audit verify\" says which\n", page.Unreadable)
	}
	return errors.Join(rows.err, hints.err)
}

func newAuditTailCommand() *cobra.Command {
	var (
		flags  filterFlags
		follow bool
		asJSON bool
		count  int
	)
	cmd := &cobra.Command{
		Use:   "tail DIR",
		Short: "Show the newest records, and new ones as they come",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := auditDir(args[0])
			if err != nil {
				return err
			}
			filter, err := flags.filter()
			if err != nil {
				return usageError{err}
			}
			return tailAudit(cmd.Context(), dir, audit.Query{Filter: filter, Limit: count}, follow, newEventPrinter(cmd.OutOrStdout(), asJSON))
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().IntVarP(&count, "count", "n", 10, "begin with so many `records`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print records as JSON, a line each")
	return cmd
}

func tailAudit(ctx context.Context, dir string, q audit.Query, follow bool, rows *eventPrinter) error {
	reader := jsonl.NewReader(dir)
	head, err := jsonl.Head(dir) // before the search: what comes meanwhile is followed
	if err != nil {
		return err
	}
	q.Before = head.Seq + 1
	if q.Limit > 0 {
		page, err := reader.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Events {
			rows.print(&page.Events[i])
		}
	}
	if !follow || rows.err != nil {
		return rows.err
	}
	for e, err := range reader.Tail(ctx, head.Seq, q.Filter) {
		if err != nil {
			return err
		}
		if rows.print(&e); rows.err != nil {
			return rows.err
		}
	}
	return nil // interrupted: that is how it ends
}
