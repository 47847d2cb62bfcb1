package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// loanLifetime is of what a rule lends, if it does not say.
const loanLifetime = 15 * time.Minute

// machines returns who vouches for machines, or nil if nobody does.
func (w *webConfig) machines() (*signin.Workload, error) {
	if len(w.Workloads) == 0 {
		return nil, nil //nolint:nilnil // nobody vouches, and that is right
	}
	var cfg signin.WorkloadConfig
	for i := range w.Workloads {
		is, err := w.Workloads[i].issuer(w.external())
		if err != nil {
			return nil, err
		}
		cfg.Issuers = append(cfg.Issuers, is)
	}
	return signin.NewWorkload(cfg)
}

func (w *workload) issuer(audience string) (signin.WorkloadIssuer, error) {
	is := signin.WorkloadIssuer{Issuer: w.Issuer, Audience: cmp.Or(w.Audience, audience)}
	for _, r := range w.Rules {
		is.Rules = append(is.Rules, signin.WorkloadRule{Require: r.Require, Token: r.Token, Lifetime: cmp.Or(time.Duration(r.Lifetime), loanLifetime)})
	}
	if w.CA == "" {
		return is, nil
	}
	pem, err := os.ReadFile(w.CA)
	if err != nil {
		return is, fmt.Errorf("ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return is, fmt.Errorf("ca: %s holds no certificate in PEM", w.CA)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // by the standard library's word
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	is.HTTPClient = &http.Client{Transport: transport}
	return is, nil
}

func (w *webConfig) validateWorkloads() error {
	var errs []error
	for i := range w.Workloads {
		for j, r := range w.Workloads[i].Rules {
			where := fmt.Sprintf("[%d].rules[%d]", i, j)
			if !admin.IsID(admin.PrefixToken, r.Token) {
				errs = append(errs, under(where+".token", errors.New("the id of a service's token, as lockkeeper token list --service shows it: k_…")))
			}
			if life := time.Duration(r.Lifetime); life != 0 && (life < time.Minute || life > admin.LongestLoan) {
				errs = append(errs, under(where+".lifetime", fmt.Errorf("from 1m to %s", admin.LongestLoan)))
			}
		}
	}
	_, err := w.machines()
	return errors.Join(append(errs, err)...)
}
