package proxytest

// Start starts a server for a program that is not a test, such as the bench,
// which calls Stop at its end. Settings are lines for postgresql.conf.
func Start(settings ...string) (*Postgres, error) { return start(settings...) }
