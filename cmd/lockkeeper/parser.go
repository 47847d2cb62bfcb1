package main

import (
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
	"github.com/lockkeeper/lockkeeper/policy/sqlparse"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// parserPort gives the door its parser without telling it which: the only cgo
// of the house stays out of the proxy and its tests.
type parserPort struct{ *sqlparse.Parser }

func newParser(n netConfig) (parserPort, error) {
	parser, err := sqlparse.New(sqlparse.Config{MaxBytes: int(n.StatementCache), MaxParseBytes: int(n.MaxParse)})
	return parserPort{parser}, err
}

// Parse implements proxy.Parser.
func (p parserPort) Parse(sql []byte, env proxy.ParseEnv) *policy.Batch {
	e := sqlparse.Env{Encoding: env.Encoding}
	if env.Redshift {
		e.Dialect = sqllex.Redshift
	}
	switch env.StdStrings {
	case proxy.StdStringsOn:
		e.StdStrings = sqlparse.On
	case proxy.StdStringsOff:
		e.StdStrings = sqlparse.Off
	case proxy.StdStringsUnknown:
		e.StdStrings = sqlparse.Unknown
	}
	return p.Parser.Parse(sql, e)
}
