package main

import (
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/backend"
)

// Config is lockkeeper.yaml, key for key, and after load everything the server
// is told from outside: flags win over keys, keys over environment, and what
// none of them says has its default here. docs/configuration.md describes each
// key; a test holds the two together.
type Config struct {
	Listen       list            `yaml:"listen"`
	TLS          tlsConfig       `yaml:"tls"`
	Auth         authConfig      `yaml:"auth"`
	Users        usersConfig     `yaml:"users"`
	Console      consoleConfig   `yaml:"console"`
	Warehouse    warehouseConfig `yaml:"warehouse"`
	Operator     operatorConfig  `yaml:"operator"`
	State        string          `yaml:"state"`
	Policy       string          `yaml:"policy"`
	Audit        auditConfig     `yaml:"audit"`
	Net          netConfig       `yaml:"net"`
	Admin        adminConfig     `yaml:"admin"`
	Web          webConfig       `yaml:"web"`
	Office       officeConfig    `yaml:"office"`
	Environment  string          `yaml:"environment"`
	DrainTimeout duration        `yaml:"drain_timeout"`
}

// tlsConfig is TLS towards clients.
type tlsConfig struct {
	Mode       string `yaml:"mode"` // off, allow, require
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ClientCA   string `yaml:"client_ca"`
	MinVersion string `yaml:"min_version"` // 1.2, 1.3
}

// authConfig says how clients prove who they are: one method, or rules of
// which the first match counts.
type authConfig struct {
	Rules         []authRule `yaml:"rules"`
	InsecureTrust bool       `yaml:"insecure_trust"`
}

type authRule struct {
	From     list          `yaml:"from"` // any, loopback, unix, addresses, prefixes
	TLS      string        `yaml:"tls"`  // any, require, plain
	Database list          `yaml:"database"`
	User     list          `yaml:"user"`
	Method   string        `yaml:"method"`
	CertMap  []certMapping `yaml:"cert_map"`
}

// certMapping lets certificates with a matching name use a login.
type certMapping struct {
	Field string `yaml:"field"` // cn, dns, email, uri
	Match string `yaml:"match"`
	User  string `yaml:"user"`
}

// usersConfig is where logins come from, and as whom they go on to the warehouse.
type usersConfig struct {
	File   string        `yaml:"file"`
	Query  authQuery     `yaml:"query"`
	Logins []loginConfig `yaml:"logins"`
}

// authQuery asks a database for a login's verifier.
type authQuery struct {
	URL          conninfo `yaml:"url"`
	PasswordFile string   `yaml:"password_file"`
	SQL          string   `yaml:"sql"`
}

// loginConfig maps logins or groups to the warehouse login that serves them.
type loginConfig struct {
	Users        list   `yaml:"users"`
	Groups       list   `yaml:"groups"`
	As           string `yaml:"as"`
	PasswordFile string `yaml:"password_file"`
}

// consoleConfig is the console database and who may enter it over the network.
type consoleConfig struct {
	Database string `yaml:"database"`
	Users    list   `yaml:"users"`
}

// warehouseConfig is what stands behind the door.
type warehouseConfig struct {
	URL               conninfo `yaml:"url"`
	PasswordFile      string   `yaml:"password_file"`
	Dialect           string   `yaml:"dialect"` // auto, postgres, redshift
	ApplicationSuffix string   `yaml:"application_name_suffix"`
}

// operatorConfig is the least-privileged login that watches locks and ends sessions.
type operatorConfig struct {
	URL          conninfo `yaml:"url"`
	PasswordFile string   `yaml:"password_file"`
}

// auditConfig is how the record is written; what is recorded of a statement is
// the policy's business.
type auditConfig struct {
	Queue         int      `yaml:"queue"`
	MaxDelay      duration `yaml:"max_delay"`
	FlushInterval duration `yaml:"flush_interval"`
	SyncInterval  duration `yaml:"sync_interval"`
	GroupWindow   duration `yaml:"group_window"`
	SegmentSize   size     `yaml:"segment_size"`
	SegmentAge    duration `yaml:"segment_age"`
	RetainSize    size     `yaml:"retain_size"`
	RetainAge     duration `yaml:"retain_age"`
}

// netConfig bounds connections, waiting and memory.
type netConfig struct {
	MaxConnections     int      `yaml:"max_connections"`
	MaxPerUser         int      `yaml:"max_connections_per_user"`
	OperatorSlots      int      `yaml:"operator_slots"`
	MaxUnauthenticated int      `yaml:"max_unauthenticated_per_address"`
	LoginTimeout       duration `yaml:"login_timeout"`
	ConnectTimeout     duration `yaml:"connect_timeout"`
	WriteTimeout       duration `yaml:"write_timeout"`
	Keepalive          duration `yaml:"keepalive"`
	UserTimeout        duration `yaml:"user_timeout"`
	CheckInterval      duration `yaml:"client_check_interval"`
	CancelGrace        duration `yaml:"cancel_grace"`
	ProbeAfter         duration `yaml:"probe_after"`
	ProbeTimeout       duration `yaml:"probe_timeout"`
	MaxStatement       size     `yaml:"max_statement_bytes"`
	MaxParse           size     `yaml:"max_parse_bytes"`
	MaxHeld            size     `yaml:"max_held_bytes"`
	StatementCache     size     `yaml:"statement_cache_bytes"`
}

type adminConfig struct {
	Listen string `yaml:"listen"`
}

// webConfig is the page and the API for people: where they are served and how
// somebody signs in. Without listen there is no office.
type webConfig struct {
	Listen      string       `yaml:"listen"`
	ExternalURL string       `yaml:"external_url"` // as people type it
	Cert        string       `yaml:"cert"`
	Key         string       `yaml:"key"`
	Password    bool         `yaml:"password"` // sign-in with a password of the office
	OIDC        oidcConfig   `yaml:"oidc"`
	Header      headerConfig `yaml:"header"`
	Workloads   []workload   `yaml:"workloads"` // machines that come in without a secret of ours
}

// workload is an issuer that vouches for machines: a CI system, a cluster.
type workload struct {
	Issuer   string         `yaml:"issuer"`
	Audience string         `yaml:"audience"` // none: external_url
	CA       string         `yaml:"ca"`       // of the issuer's certificate; none: those of this machine
	Rules    []workloadRule `yaml:"rules"`
}

// workloadRule says which of its machines are lent which token.
type workloadRule struct {
	Require  map[string]string `yaml:"require"` // claim: value
	Token    string            `yaml:"token"`   // id of a service's token
	Lifetime duration          `yaml:"lifetime"`
}

// oidcConfig is sign-in through an identity provider.
type oidcConfig struct {
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"client_id"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Name             string   `yaml:"name"`   // on the button
	Scopes           list     `yaml:"scopes"` // none: openid, email, profile, and offline_access where the provider lists it
	Prompt           string   `yaml:"prompt"` // empty: consent with offline_access; off: none
	LoginClaim       string   `yaml:"login_claim"`
	GroupsClaim      string   `yaml:"groups_claim"`
	RequiredGroups   list     `yaml:"required_groups"`
	Recheck          duration `yaml:"recheck"` // how often the provider is asked about who came in by it
}

// headerConfig is sign-in by a proxy in front that knows the person already.
type headerConfig struct {
	Listen     string `yaml:"listen"`      // unix:DIR or an address; nobody else is believed
	SecretFile string `yaml:"secret_file"` // needed for an address
	Login      string `yaml:"login"`
	Email      string `yaml:"email"`
	Name       string `yaml:"name"`
	Groups     string `yaml:"groups"`
}

// officeConfig is what the office keeps, where, and for how long.
type officeConfig struct {
	Store             conninfo `yaml:"store"` // Postgres; none: SQLite in the state directory
	StorePasswordFile string   `yaml:"store_password_file"`
	KeyFile           string   `yaml:"key_file"`
	Results           string   `yaml:"results"` // folder, or s3://bucket/prefix; none: in the state directory
	S3                s3Config `yaml:"s3"`
	ResultSize        size     `yaml:"result_size"` // of all results together
	PersonSize        size     `yaml:"result_size_per_person"`
	KeepRows          duration `yaml:"keep_rows"`
	MaxRows           int64    `yaml:"max_rows"`  // of one result
	MaxBytes          size     `yaml:"max_bytes"` // of one result
	RunTimeout        duration `yaml:"run_timeout"`
	MaxRuns           int      `yaml:"max_runs"` // at once
}

// s3Config is how the bucket of results is reached.
type s3Config struct {
	Endpoint      string `yaml:"endpoint"` // none: Amazon's of the region
	Region        string `yaml:"region"`   // none: AWS_REGION
	PathStyle     bool   `yaml:"path_style"`
	AccessKey     string `yaml:"access_key"` // none: what this machine has
	SecretKeyFile string `yaml:"secret_key_file"`
}

// defaultConfig is what a server without a file and flags would be.
func defaultConfig() Config {
	return Config{
		Listen:    list{"127.0.0.1:6432"},
		TLS:       tlsConfig{MinVersion: "1.2"},
		Auth:      authConfig{Rules: []authRule{{Method: "passthrough"}}},
		Console:   consoleConfig{Database: "lockkeeper"},
		Warehouse: warehouseConfig{Dialect: "auto"},
		Audit: auditConfig{
			Queue:         4096,
			MaxDelay:      duration(time.Second),
			FlushInterval: duration(20 * time.Millisecond),
			SyncInterval:  duration(100 * time.Millisecond),
			GroupWindow:   duration(time.Millisecond),
			SegmentSize:   64 << 20,
			SegmentAge:    duration(24 * time.Hour),
		},
		Net: netConfig{
			MaxConnections:     10_000,
			OperatorSlots:      3,
			MaxUnauthenticated: 512,
			LoginTimeout:       duration(10 * time.Second),
			ConnectTimeout:     duration(backend.DefaultConnectTimeout),
			WriteTimeout:       duration(5 * time.Second),
			Keepalive:          duration(backend.DefaultKeepAlive),
			UserTimeout:        duration(backend.DefaultUserTimeout),
			CheckInterval:      duration(backend.DefaultCheckInterval),
			CancelGrace:        duration(5 * time.Second),
			ProbeAfter:         duration(time.Second),
			ProbeTimeout:       duration(250 * time.Millisecond),
			MaxStatement:       16 << 20,
			MaxParse:           256 << 10,
			MaxHeld:            64 << 20,
			StatementCache:     64 << 20,
		},
		Admin: adminConfig{Listen: "127.0.0.1:6480"},
		Web: webConfig{
			Password: true,
			OIDC:     oidcConfig{Name: "Single sign-on", LoginClaim: "email", GroupsClaim: "groups", Recheck: duration(5 * time.Minute)},
			Header:   headerConfig{Login: "X-Forwarded-User", Email: "X-Forwarded-Email", Name: "X-Forwarded-Preferred-Username", Groups: "X-Forwarded-Groups"},
		},
		Office: officeConfig{
			ResultSize: 50 << 30,
			PersonSize: 10 << 30,
			KeepRows:   duration(90 * 24 * time.Hour),
			MaxRows:    10_000_000,
			MaxBytes:   4 << 30,
			RunTimeout: duration(time.Hour),
			MaxRuns:    64,
		},
		DrainTimeout: duration(30 * time.Second),
	}
}
