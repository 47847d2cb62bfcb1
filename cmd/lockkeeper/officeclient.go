package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// officeClient is the command line as a client of the API: on the server's own
// machine through its socket, as the operator; from elsewhere with a token.
type officeClient struct {
	http  *http.Client
	base  string // without a slash at the end
	token string
}

// officeFlags say which office is meant.
type officeFlags struct{ state, config, server, tokenFile string }

func (f *officeFlags) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.state, "state", "", "state directory of a server on this machine")
	flags.StringVar(&f.config, "config", "", "its configuration `file`, which names the state directory")
	flags.StringVar(&f.server, "server", "", "`URL` of the page of a server elsewhere (default $LOCKKEEPER_URL)")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with a token for it (default $LOCKKEEPER_TOKEN)")
}

// client finds the office.
func (f *officeFlags) client() (*officeClient, error) {
	server := f.server
	if server == "" && f.state == "" && f.config == "" {
		server = os.Getenv("LOCKKEEPER_URL")
	}
	if server != "" {
		return f.remote(server)
	}
	socket, err := f.socket()
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &officeClient{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://localhost"}, nil
}

func (f *officeFlags) remote(server string) (*officeClient, error) {
	c, err := stranger(server)
	if err != nil {
		return nil, err
	}
	token := os.Getenv("LOCKKEEPER_TOKEN")
	if f.tokenFile != "" {
		secret, err := readSecret(f.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		token = secret.Reveal()
	}
	if token == "" {
		return nil, usageError{errors.New("a server elsewhere wants a token: make one on its page under Connect, and give --token-file or LOCKKEEPER_TOKEN")}
	}
	c.token = token
	return c, nil
}

// stranger is a client of a server elsewhere, with no token yet.
func stranger(server string) (*officeClient, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && !isLoopbackHost(u.Hostname()) {
		return nil, usageError{fmt.Errorf("--server %q: want https://host, a token would travel in the clear otherwise", server)}
	}
	return &officeClient{http: &http.Client{}, base: strings.TrimRight(server, "/")}, nil
}

// socket is the way in of a server on this machine.
func (f *officeFlags) socket() (string, error) {
	cfg, err := locate(f.state, f.config)
	if err != nil {
		return "", err
	}
	socket := localSocket((&stateDir{path: cfg.State}).office())
	if _, err := os.Stat(socket); err != nil {
		return "", fmt.Errorf("no office runs on the state directory %s: start lockkeeper serve with --web-listen, or give --state or --server", cfg.State)
	}
	return filepath.Abs(socket)
}

// problem is the API's word for what went wrong.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Message string `json:"message"`
	} `json:"errors"`
}

// Error returns the detail, and what is wrong with which part.
func (p problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		if strings.Contains(text, e.Message) { // it is the first, which the detail names
			continue
		}
		text += fmt.Sprintf("\n  %s: %s", e.Pointer, e.Message)
	}
	return text
}

// maxAnswer bounds what the command line keeps of an answer in memory.
const maxAnswer = 64 << 20

// open sends a request and returns its answer, which the caller closes.
func (c *officeClient) open(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body)) //nolint:gosec // G704: the user says which server
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(req) //nolint:gosec // G704: see above
	if err != nil {
		return nil, fmt.Errorf("ask the office: %w", err)
	}
	if answer.StatusCode < http.StatusBadRequest {
		return answer, nil
	}
	defer answer.Body.Close()
	p := problem{Title: answer.Status}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
	case strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain"): // of an office that stands by
		p.Detail = strings.TrimSpace(string(raw))
	default:
		_ = json.Unmarshal(raw, &p)
	}
	return nil, p
}

// call sends in as JSON and reads the answer into out; both may be nil.
func (c *officeClient) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := c.open(ctx, method, "/api/v1"+path, body, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out)
}

// items reads all pages of a list.
func items[T any](ctx context.Context, c *officeClient, path string) ([]T, error) {
	var all []T
	cursor := ""
	for {
		var page struct {
			Items []T     `json:"items"`
			Next  *string `json:"next"`
		}
		ask := path
		if cursor != "" {
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			ask += sep + "cursor=" + url.QueryEscape(cursor)
		}
		if err := c.call(ctx, http.MethodGet, ask, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil || *page.Next == "" {
			return all, nil
		}
		cursor = *page.Next
	}
}
