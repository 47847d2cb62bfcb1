package backend

import (
	"net"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Conn is a session of the warehouse, ready for its first query. Write and
// Close are the socket's; read only through Reader, which may have read ahead.
// Close does not give Reader's buffers back: its one user does, with
// Reader.Close.
type Conn struct {
	net.Conn
	Reader *pgwire.Reader

	User     string         // login it runs as
	Params   []pgwire.Param // ParameterStatus, in the server's order
	PID      uint32
	Key      []byte   // cancel key, of any length
	Status   byte     // of the first ReadyForQuery
	Notices  [][]byte // NoticeResponse messages of the login, heads included
	Redshift bool
	// VersionNum is server_version as a number: 150020 for 15.20, 80002 for
	// Redshift's 8.0.2; 0 if unreadable.
	VersionNum int
	TLS        bool
	ReadOnly   bool // it began with ReadOnlyParam
	// NoticesHangup: the server looks while it runs whether we are still there.
	NoticesHangup bool

	dialer *Dialer
}

// Param returns the value of a ParameterStatus the server sent at login.
func (c *Conn) Param(name string) (string, bool) {
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func (c *Conn) setParam(name, value string) {
	for i := range c.Params {
		if c.Params[i].Name == name {
			c.Params[i].Value = value
			return
		}
	}
	c.Params = append(c.Params, pgwire.Param{Name: name, Value: value})
}

// versionNum reads "15.20 (Debian 15.20-1)", "17devel" and "8.0.2" as
// server_version_num would have it.
func versionNum(version string) int {
	version, _, _ = strings.Cut(version, " ")
	var parts [3]int
	for i, f := range strings.SplitN(version, ".", 3) {
		digits := strings.IndexFunc(f, func(r rune) bool { return r < '0' || r > '9' })
		if digits < 0 {
			digits = len(f)
		}
		n, err := strconv.Atoi(f[:digits])
		if err != nil || n > 9999 {
			break
		}
		parts[i] = n
	}
	if parts[0] >= 10 {
		return parts[0]*10000 + parts[1]
	}
	return parts[0]*10000 + parts[1]*100 + parts[2]
}
