package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// off says that nobody wants an office.
func (w *webConfig) off() bool { return w.Listen == "" || w.Listen == "off" }

func (w *webConfig) validate() error {
	if w.off() {
		return nil
	}
	address, err := parseListen(w.Listen)
	if err == nil && address.network != "tcp" {
		err = errors.New("only host:port, or off")
	}
	errs := []error{under("listen", err), under("external_url", w.validateURL(address)), under("oidc", w.OIDC.validate()), under("header", w.Header.validate()), under("workloads", w.validateWorkloads())}
	if (w.Cert == "") != (w.Key == "") {
		errs = append(errs, errors.New("cert and key belong together; one of them is missing"))
	} else if w.Cert != "" {
		_, err := tls.LoadX509KeyPair(w.Cert, w.Key)
		errs = append(errs, under("cert", err))
	}
	return errors.Join(errs...)
}

// validateURL: where other machines may come, cookies and links must know the
// name people use, and only over TLS.
func (w *webConfig) validateURL(address listenAddress) error {
	if w.ExternalURL == "" {
		if address.loopback() {
			return nil
		}
		return errors.New("needed when other machines reach the page; say https://lockkeeper.example")
	}
	u, err := url.Parse(w.ExternalURL)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case !address.loopback() && isThisMachine(u.Hostname()):
		return errors.New("a name of this machine only, while other machines reach the page: whoever sends it as Host would pass; say the name people use, as in https://lockkeeper.example")
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("wants scheme, host and perhaps a path: https://lockkeeper.example/prefix")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("scheme %q is neither https nor http", u.Scheme)
	case !isLoopbackHost(u.Hostname()):
		return errors.New("http is for loopback only: cookies would travel in the clear; use https, here or in a proxy in front")
	}
	return nil
}

// loopback reports whether only this machine reaches the address.
func (a listenAddress) loopback() bool {
	host, _, err := net.SplitHostPort(a.address)
	return a.network == "unix" || err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// isThisMachine reports whether a name means, on every machine, that machine.
func isThisMachine(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	addr, err := netip.ParseAddr(host)
	return isLoopbackHost(host) || strings.HasSuffix(host, ".localhost") || err == nil && (addr.Unmap().IsLoopback() || addr.IsUnspecified())
}

func (o *oidcConfig) validate() error {
	if o.Issuer == "" {
		return nil
	}
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "":
		return errors.New("issuer: not a URL")
	case u.Scheme != "https" && !isLoopbackHost(u.Hostname()):
		return errors.New("issuer: only https")
	case o.ClientID == "":
		return errors.New("client_id is needed beside issuer")
	case time.Duration(o.Recheck) < admin.ShortestRecheck:
		return fmt.Errorf("recheck: at least %s", admin.ShortestRecheck)
	}
	return nil
}

func (h *headerConfig) validate() error {
	if h.Listen == "" {
		return nil
	}
	address, err := h.address()
	if err != nil {
		return under("listen", err)
	}
	if h.Login == "" {
		return errors.New("login: the name of the header is needed")
	}
	if address.network == "tcp" && h.SecretFile == "" {
		return errors.New("secret_file: needed for an address, or listen on unix:DIR: whoever reaches it could be anybody")
	}
	return nil
}

// address is a socket by its path, or host:port.
func (h *headerConfig) address() (listenAddress, error) {
	path, unix := strings.CutPrefix(h.Listen, "unix:")
	switch {
	case !unix:
		return parseListen(h.Listen)
	case !filepath.IsAbs(path):
		return listenAddress{}, fmt.Errorf("%q: give the socket's whole path, as in unix:/run/lockkeeper/web.sock", h.Listen)
	}
	return listenAddress{"unix", path}, nil
}

func (o *officeConfig) validate() error {
	var errs []error
	for key, value := range map[string]int64{
		"result_size": int64(o.ResultSize), "result_size_per_person": int64(o.PersonSize), "keep_rows": int64(o.KeepRows),
		"max_rows": o.MaxRows, "max_bytes": int64(o.MaxBytes), "run_timeout": int64(o.RunTimeout), "max_runs": int64(o.MaxRuns),
	} {
		if value <= 0 {
			errs = append(errs, fmt.Errorf("%s: must be more than nothing", key))
		}
	}
	return errors.Join(append(errs, under("store", o.Store.validate()), o.validateResults())...)
}
