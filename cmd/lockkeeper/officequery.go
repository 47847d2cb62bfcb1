package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// runItem is what the command line shows of a run.
type runItem struct {
	ID, URL, State, Title string
	SQL                   *string
	Submitter             struct{ Login string }
	Times                 struct {
		Submitted time.Time
		Finished  *time.Time
	}
	ElapsedMS int64 `json:"elapsed_ms"`
	Wait      *struct {
		Position *int
		Class    string
		Detail   string
	}
	Error *struct {
		Message, Hint string
		SQLState      string `json:"sqlstate"`
	}
	Statements []struct {
		Result *struct {
			RowCount   int64  `json:"row_count"`
			CommandTag string `json:"command_tag"`
		}
	}
}

// queryFlags are those of lockkeeper query.
type queryFlags struct {
	file, format string
	params       []string
	write        bool
	wait         time.Duration
}

func newQueryCommand() *cobra.Command {
	f := &officeFlags{}
	q := &queryFlags{}
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Run SQL through the office and print its result",
		Long: `Run SQL through the office and print its result. The run stays: its URL is
printed to standard error, and opens exactly this result.

Values are bound, never pasted: -p since=2026-09-01, or with a type
-p since:date=2026-09-01 for :since in the text. Without SQL and --file it is
read from standard input.`,
		Example: `  lockkeeper query --server https://lockkeeper.example "SELECT count(*) FROM sales WHERE day >= :since" -p since:date=2026-09-01
  lockkeeper query --file audience.sql --format parquet > audience.parquet`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			sql, err := q.text(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			return q.run(cmd.Context(), c, sql, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&q.file, "file", "f", "", "`file` with the SQL")
	cmd.Flags().StringVar(&q.format, "format", "csv", "csv, tsv, json, ndjson, xlsx or parquet")
	cmd.Flags().StringArrayVarP(&q.params, "param", "p", nil, "`name[:type]=value` (repeats)")
	cmd.Flags().BoolVar(&q.write, "write", false, "the statement may write")
	cmd.Flags().DurationVar(&q.wait, "timeout", time.Hour, "how long to wait for it")
	return cmd
}

func (q *queryFlags) text(in io.Reader, args []string) (string, error) {
	switch {
	case len(args) == 1 && q.file != "":
		return "", usageError{errors.New("SQL and --file: one of them is enough")}
	case len(args) == 1:
		return args[0], nil
	case q.file != "":
		raw, err := os.ReadFile(q.file)
		return string(raw), err
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxAnswer))
	return string(raw), err
}

// run submits, waits, and streams the result.
func (q *queryFlags) run(ctx context.Context, c *officeClient, sql string, out, told io.Writer) error {
	body := map[string]any{"sql": sql, "urgency": "batch"}
	if q.write {
		body["access"] = "read_write"
	}
	var params []map[string]any
	for _, p := range q.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return usageError{fmt.Errorf("--param %q: want name=value or name:type=value", p)}
		}
		name, kind, _ := strings.Cut(name, ":")
		one := map[string]any{"name": name, "value": value}
		if kind != "" {
			one["type"] = kind
		}
		params = append(params, one)
	}
	if params != nil {
		body["params"] = params
	}
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	var r runItem
	if err := c.call(ctx, http.MethodPost, "/runs", body, &r); err != nil {
		return err
	}
	r, err := c.finished(ctx, r)
	if err != nil {
		return err
	}
	fmt.Fprintf(told, "%s\n", r.URL)
	if r.State != "succeeded" {
		return runFailed(r)
	}
	answer, err := c.open(ctx, http.MethodGet, "/api/v1/runs/"+r.ID+"/result."+url.PathEscape(q.format), nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(out, answer.Body)
	return err
}

// finished waits until a run has ended. A wait that is given up cancels it.
func (c *officeClient) finished(ctx context.Context, r runItem) (runItem, error) {
	for r.State == "queued" || r.State == "running" {
		answer, err := c.open(ctx, http.MethodGet, "/api/v1/runs/"+r.ID, nil, http.Header{"Prefer": {"wait=30"}})
		if err != nil {
			if ctx.Err() != nil {
				end := context.WithoutCancel(ctx)
				return r, errors.Join(context.Cause(ctx), c.call(end, http.MethodPost, "/runs/"+r.ID+"/cancel", map[string]any{"reason": "the command line was interrupted"}, nil))
			}
			return r, err
		}
		err = json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&r)
		_ = answer.Body.Close()
		if err != nil {
			return r, fmt.Errorf("read the run: %w", err)
		}
	}
	return r, nil
}

func runFailed(r runItem) error {
	if r.Error == nil {
		return fmt.Errorf("the run was %s", r.State)
	}
	msg := r.Error.Message
	if r.Error.SQLState != "" {
		msg += " (" + r.Error.SQLState + ")"
	}
	if r.Error.Hint != "" {
		msg += "\n" + r.Error.Hint
	}
	return errors.New(msg)
}

func newRunsCommand() *cobra.Command {
	f := &officeFlags{}
	var state string
	list := officeCommand(f, "list", "List runs, the newest first", cobra.NoArgs, func(cmd *cobra.Command, c *officeClient, _ []string) error {
		path := "/runs?limit=50"
		if state != "" {
			path += "&state=" + url.QueryEscape(state)
		}
		var page struct{ Items []runItem }
		if err := c.call(cmd.Context(), http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		return table(cmd.OutOrStdout(), "RUN\tWHO\tSTATE\tWHEN\tTIME\tTITLE", func(row func(...any)) {
			for _, r := range page.Items {
				row(r.ID, r.Submitter.Login, r.State, r.Times.Submitted.Local().Format(time.DateTime), time.Duration(r.ElapsedMS)*time.Millisecond, r.Title)
			}
		})
	})
	list.Flags().StringVar(&state, "state", "", "queued, running, succeeded, failed or canceled")
	var reason string
	cancel := officeCommand(f, "cancel RUN", "Cancel a run", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		return c.call(cmd.Context(), http.MethodPost, "/runs/"+url.PathEscape(args[0])+"/cancel", map[string]any{"reason": reason}, nil)
	})
	cancel.Flags().StringVar(&reason, "reason", "", "why, for whoever submitted it")
	show := officeCommand(f, "show RUN", "Show one run", cobra.ExactArgs(1), func(cmd *cobra.Command, c *officeClient, args []string) error {
		var r json.RawMessage
		if err := c.call(cmd.Context(), http.MethodGet, "/runs/"+url.PathEscape(args[0]), nil, &r); err != nil {
			return err
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	})
	return group("runs", "See and cancel runs of the office", f, list, show, cancel)
}
