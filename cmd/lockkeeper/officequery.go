package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
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
	write, cut   bool
	maxRows      int64
	wait         time.Duration
}

// queryFormats are those of results.
var queryFormats = []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"} //nolint:gochecknoglobals // a constant

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
read from standard input.

A result that passes its limit of rows fails, so that no part is taken for the
whole; --cut takes what fits and says so. An interrupt cancels the run.`,
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
	cmd.Flags().StringVar(&q.format, "format", "csv", strings.Join(queryFormats, ", "))
	cmd.Flags().StringArrayVarP(&q.params, "param", "p", nil, "`name[:type]=value` (repeats)")
	cmd.Flags().BoolVar(&q.write, "write", false, "the statement may write")
	cmd.Flags().Int64Var(&q.maxRows, "max-rows", 0, "`rows` to take at most (default the office's)")
	cmd.Flags().BoolVar(&q.cut, "cut", false, "take what fits the limits, and say that there was more")
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

// request is the run that the flags ask for.
func (q *queryFlags) request(sql string) (map[string]any, error) {
	body := map[string]any{"sql": sql, "urgency": "batch", "on_limit": "fail"}
	if q.cut {
		body["on_limit"] = "truncate"
	}
	if q.maxRows > 0 {
		body["limits"] = map[string]any{"max_rows": q.maxRows}
	}
	if q.write {
		body["access"] = "read_write"
	}
	var params []map[string]any
	for _, p := range q.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--param %q: want name=value or name:type=value", p)}
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
	return body, nil
}

// run submits, waits, and streams the result. A part is never taken for the
// whole: a result that passes its limit is an error unless --cut says otherwise.
func (q *queryFlags) run(ctx context.Context, c *officeClient, sql string, out, told io.Writer) error {
	if !slices.Contains(queryFormats, q.format) {
		return usageError{fmt.Errorf("--format %q: want one of %s", q.format, strings.Join(queryFormats, ", "))}
	}
	body, err := q.request(sql)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	r, err := c.submit(ctx, body)
	if err != nil {
		return err
	}
	if r, err = c.finished(ctx, r); err != nil {
		return err
	}
	fmt.Fprintf(told, "%s%s\n", c.page(ctx), r.URL)
	if r.State != "succeeded" {
		return runFailed(r)
	}
	answer, err := c.open(ctx, http.MethodGet, "/api/v1/runs/"+r.ID+"/result."+url.PathEscape(q.format), nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(out, answer.Body); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	by := answer.Header.Get("Lockkeeper-Truncated")
	switch {
	case by == "":
		return nil
	case q.cut:
		fmt.Fprintf(told, "cut by %s: there were more rows\n", by)
		return nil
	}
	return fmt.Errorf("the rows were cut by %s: raise --max-rows, or say --cut to take a part", by) // a write goes to its end
}

// submit starts a run and does not wait for it, so that its id is known before
// anything can go wrong. What is interrupted even so is found by its key again,
// and ended.
func (c *officeClient) submit(ctx context.Context, body map[string]any) (r runItem, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return r, err
	}
	header := http.Header{"Prefer": {"respond-async"}, "Idempotency-Key": {rand.Text()}}
	if err = c.send(ctx, raw, header, &r); err == nil || ctx.Err() == nil {
		return r, err
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptedWait)
	defer cancel()
	if again := c.send(end, raw, header, &r); again != nil {
		return r, errors.Join(context.Cause(ctx), again)
	}
	return r, c.abandon(ctx, r)
}

func (c *officeClient) send(ctx context.Context, body []byte, header http.Header, r *runItem) error {
	answer, err := c.open(ctx, http.MethodPost, "/api/v1/runs", body, header)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(r); err != nil {
		return fmt.Errorf("read the run: %w", err)
	}
	return nil
}

// interruptedWait is for how long an interrupted command line cleans up.
const interruptedWait = 10 * time.Second

// abandon cancels a run that nobody waits for any more.
func (c *officeClient) abandon(ctx context.Context, r runItem) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptedWait)
	defer cancel()
	err := c.call(end, http.MethodPost, "/runs/"+r.ID+"/cancel", map[string]any{"reason": "the command line was interrupted"}, nil)
	return errors.Join(fmt.Errorf("%w: the run %s was canceled", context.Cause(ctx), r.ID), err)
}

// page is where people reach the office, without a slash at the end.
func (c *officeClient) page(ctx context.Context) string {
	var s struct {
		ExternalURL string `json:"external_url"`
	}
	if err := c.call(ctx, http.MethodGet, "/session", nil, &s); err != nil || s.ExternalURL == "" {
		return c.base
	}
	return strings.TrimRight(s.ExternalURL, "/")
}

// finished waits until a run has ended. A wait that is given up cancels it.
func (c *officeClient) finished(ctx context.Context, r runItem) (runItem, error) {
	for r.State == "queued" || r.State == "running" {
		answer, err := c.open(ctx, http.MethodGet, "/api/v1/runs/"+r.ID, nil, http.Header{"Prefer": {"wait=30"}})
		if err != nil {
			if ctx.Err() != nil {
				return r, c.abandon(ctx, r)
			}
			return r, err
		}
		err = json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&r)
		_ = answer.Body.Close()
		if err != nil && ctx.Err() != nil {
			return r, c.abandon(ctx, r)
		}
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
