package admin

import "net/netip"

// Kind is what sort of principal somebody is.
type Kind string

// The kinds. Jobs and workspaces act for their owners.
const (
	KindPerson    Kind = "person"
	KindService   Kind = "service"
	KindJob       Kind = "job"
	KindWorkspace Kind = "workspace"
)

// Role is what somebody may do at a target. A higher one includes the lower.
type Role string

// The roles.
const (
	RoleNone     Role = ""
	RoleMember   Role = "member"   // run, save, share
	RoleOperator Role = "operator" // and see and end what others run
	RoleAdmin    Role = "admin"    // and decide who may do what
)

// AtLeast reports whether r includes o.
func (r Role) AtLeast(o Role) bool { return r.rank() >= o.rank() }

func (r Role) rank() int {
	switch r {
	case RoleMember:
		return 1
	case RoleOperator:
		return 2
	case RoleAdmin:
		return 3
	default:
		return 0
	}
}

// AllTargets as the target of a grant means every one.
const AllTargets = "*"

// Caller is who asks, with all that their rights follow from. It is a value,
// made once for each request by whoever checked the proof, and immutable.
type Caller struct {
	Kind  Kind
	ID    string // p_…, s_…
	Login string // as the policy and the door know them
	Name  string
	Email string
	Teams []string // names
	Roles map[string]Role
	Via   string // web, api

	Scopes  Scopes         // what this proof allows; a page session has all
	Token   string         // id of the token used, empty for a page session
	Session string         // id of the page session used, empty for a token
	Targets []string       // a token bound to targets; empty: all
	Queries map[string]int // a token bound to saved queries: id → version; nil: not bound
	Actor   *Caller        // the service that acts on behalf of this person, nil: nobody
	Addr    netip.Addr     // where from; invalid for a unix socket
}

// Role returns what the caller may do at a target.
func (c *Caller) Role(target string) Role {
	role := c.Roles[AllTargets]
	if r := c.Roles[target]; r.AtLeast(role) {
		role = r
	}
	return role
}

// IsAdmin reports whether the caller decides about people: an admin of all targets.
func (c *Caller) IsAdmin() bool { return c.Roles[AllTargets] == RoleAdmin }

// Principals returns the ids whose revocation ends what the caller does: the
// caller's, the proof's, and the same of the actor.
func (c *Caller) Principals() []string {
	ids := []string{c.ID}
	for _, id := range []string{c.Token, c.Session} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	if c.Actor != nil {
		ids = append(ids, c.Actor.Principals()...)
	}
	return ids
}

// Need returns an error unless the proof in use allows the scope.
func (c *Caller) Need(s Scope) error {
	if c.Scopes.Has(s) {
		return nil
	}
	e := Errorf(Forbidden, "scope-missing", "This token lacks the scope %q. Make one that has it, or ask its owner.", s)
	e.Extra = map[string]any{"scope": string(s)}
	return e
}
