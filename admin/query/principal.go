package query

import "github.com/lockkeeper/lockkeeper/policy"

// Principal is who a run goes through the door as.
type Principal struct {
	Subject  policy.Subject
	Actor    *policy.Subject
	Via      string
	RunID    string
	TokenID  string
	ReadOnly bool
	Urgency  string
	Tags     []policy.Tag
}
