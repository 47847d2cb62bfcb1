package admin

import "time"

// Team is a group of people that holds grants and services.
type Team struct {
	ID      string
	Name    string
	Created time.Time
}

// Source says who decides about a membership.
type Source string

// The sources. One who is in a team by both stays until both let go.
const (
	SourceLocal    Source = "local"    // an admin
	SourceIdentity Source = "identity" // the identity provider's groups, at each sign-in
)

// Membership is one person in one team.
type Membership struct {
	TeamID      string
	PrincipalID string
	Source      Source
}

// Grant gives a principal or a team a role at a target, and may name as whom
// they log in to the warehouse. It is never changed, only made and removed.
type Grant struct {
	ID          string
	PrincipalID string // or TeamID
	TeamID      string
	Target      string // or AllTargets
	Role        Role

	WarehouseLogin  string // empty: as the configuration says
	WarehouseSecret []byte // its password, sealed by the Vault

	Created time.Time
	By      string // login of who made it
}

// Subject returns whom the grant is for.
func (g *Grant) Subject() string {
	if g.TeamID != "" {
		return g.TeamID
	}
	return g.PrincipalID
}

// Identity joins somebody of an identity provider to a person of ours.
type Identity struct {
	Issuer      string
	Subject     string
	PrincipalID string
}
