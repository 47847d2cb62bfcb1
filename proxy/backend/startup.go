package backend

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

const (
	checkParam   = "client_connection_check_interval"
	checkVersion = 140000 // first with checkParam
	maxName      = 63     // bytes of an application_name (NAMEDATALEN - 1)

	// ReadOnlyParam is the setting that makes the transactions of a session
	// read-only. PostgreSQL 14 and later report it.
	ReadOnlyParam = "default_transaction_read_only"
)

// awsParams are what the drivers of Redshift send and plain Postgres refuses.
var awsParams = [...]string{
	"client_protocol_version", "driver_version", "os_version", "plugin_name", "driver_discovery_version",
	"idp_type", "provider_name", "token_type", "identity_namespace", "idc_client_display_name",
}

// plan is which start-up parameters an attempt sends.
type plan struct {
	aws   bool // the AWS drivers' own, if the client sent them
	check bool // checkParam
	// readOnly: ReadOnlyParam, which is no guess where the server was seen
	readOnly bool
	sure     bool // nothing of it is a guess: a refusal is the client's business
}

// planFor decides by what is known of the server so far.
func (d *Dialer) planFor(params []pgwire.Param) plan {
	know := d.learnt()
	hasAWS := slices.ContainsFunc(params, func(p pgwire.Param) bool { return aws(p.Name) })
	p := plan{aws: know.redshift || !know.seen}
	p.check = d.cfg.CheckInterval > 0 && know.takesCheck() && !setsCheck(params)
	p.sure = !p.check && (know.seen || !hasAWS)
	return p
}

// safer is the plan after a refusal of parameters that were a guess.
func (d *Dialer) safer() plan { return plan{aws: d.learnt().redshift, sure: true} }

// startup returns the parameters that go up: the client's in its order, with
// the warehouse's user, without what is meant for us or no server knows.
func (d *Dialer) startup(login pgauth.Login, params []pgwire.Param, p plan) []pgwire.Param {
	out := make([]pgwire.Param, 0, len(params)+3)
	clientUser, database, named := "", false, false
	for _, q := range params {
		switch {
		case stripped(q.Name) || aws(q.Name) && !p.aws:
			continue
		case q.Name == "user":
			clientUser, q.Value = q.Value, login.User
		case q.Name == "database":
			database = true
		case q.Name == "application_name":
			named, q.Value = true, suffixed(q.Value, d.cfg.ApplicationSuffix)
		}
		out = append(out, q)
	}
	if clientUser == "" {
		out = append([]pgwire.Param{{Name: "user", Value: login.User}}, out...)
	} else if !database && clientUser != login.User {
		// Without a database the server takes the user's name: that of the client.
		out = append(out, pgwire.Param{Name: "database", Value: clientUser})
	}
	if s := strings.TrimSpace(d.cfg.ApplicationSuffix); !named && s != "" {
		out = append(out, pgwire.Param{Name: "application_name", Value: suffixed("", s)})
	}
	if p.check {
		ms := strconv.FormatInt(int64(d.cfg.CheckInterval/time.Millisecond), 10)
		out = append(out, pgwire.Param{Name: checkParam, Value: ms})
	}
	if p.readOnly {
		out = append(out, pgwire.Param{Name: ReadOnlyParam, Value: "on"}) // the last of a name counts
	}
	return out
}

// stripped reports parameters that no warehouse shall see: protocol options,
// because the door negotiates those itself and could not read a compressed
// stream, and our own.
func stripped(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "_pq_.") || strings.HasPrefix(name, "lockkeeper.")
}

func aws(name string) bool { return slices.Contains(awsParams[:], name) }

func setsCheck(params []pgwire.Param) bool {
	return slices.ContainsFunc(params, func(p pgwire.Param) bool {
		return strings.EqualFold(p.Name, checkParam) ||
			p.Name == "options" && strings.Contains(strings.ToLower(p.Value), checkParam)
	})
}

// suffixed cuts the name, not the suffix, to what the server keeps.
func suffixed(name, suffix string) string {
	if suffix == "" {
		return name
	}
	for len(name)+len(suffix) > maxName && name != "" {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name + suffix
}
