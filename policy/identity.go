package policy

import (
	"slices"
	"strings"
)

// identity is a Subject seen through the identities of a ruleset. It is
// immutable.
type identity struct {
	subject     *Subject
	teams       []string
	tool        string
	user        string // folded, as are the following
	authUser    string
	foldedTeams []string
	foldedTool  string
	commentTags bool
	sessionTags bool
}

// The sources an identity may come from.
const (
	FromGroups      = "jwt.groups"
	FromCertOU      = "cert.ou"
	FromRoleMap     = "role_map"
	FromCertCN      = "cert.cn"
	FromApplication = "application_name"
	FromCommenter   = "sqlcommenter"
	FromComment     = "query_comment"
	FromSession     = "SET lockkeeper.tags"
)

func newIdentity(s *Subject, from *Identities) *identity {
	id := &identity{
		subject:     s,
		teams:       teamsOf(s, from),
		tool:        toolOf(s, from),
		user:        strings.ToLower(s.User),
		authUser:    strings.ToLower(s.AuthUser),
		commentTags: hasAny(from.TagsFrom, FromCommenter, FromComment),
		sessionTags: hasAny(from.TagsFrom, FromSession),
	}
	id.foldedTool = strings.ToLower(id.tool)
	for _, t := range id.teams {
		id.foldedTeams = append(id.foldedTeams, strings.ToLower(t))
	}
	return id
}

func hasAny(list []string, words ...string) bool {
	for _, have := range list {
		if slices.Contains(words, have) {
			return true
		}
	}
	return false
}

// teamsOf takes the first source that yields anything: the list goes from
// what cannot be spoofed to what can.
func teamsOf(s *Subject, from *Identities) []string {
	for _, source := range from.TeamFrom {
		var teams []string
		switch source {
		case FromGroups:
			teams = s.Groups
		case FromCertOU:
			teams = s.CertOU
		case FromRoleMap:
			if t := from.RoleMap[strings.ToLower(s.User)]; t != "" {
				teams = []string{t}
			}
		}
		if len(teams) > 0 {
			return teams
		}
	}
	return nil
}

func toolOf(s *Subject, from *Identities) string {
	for _, source := range from.ToolFrom {
		tool := ""
		switch source {
		case FromCertCN:
			tool = s.CertCN
		case FromApplication:
			tool = s.ApplicationName
		}
		if tool != "" {
			return tool
		}
	}
	return ""
}

func (id *identity) team() string {
	if len(id.teams) == 0 {
		return ""
	}
	return id.teams[0]
}

// value returns what a name of the policy stands for in a class path or a
// quota's key; folded where names match without case.
func (id *identity) value(name string) string {
	switch name {
	case "user":
		return id.user
	case "auth_user":
		return id.authUser
	case "team":
		return strings.ToLower(id.team())
	case "tool":
		return id.foldedTool
	case "database":
		return id.subject.Database
	case "role":
		return id.subject.Role
	case "environment":
		return id.subject.Environment
	case "via":
		return id.subject.Via
	case "client_ip":
		if !id.subject.ClientIP.IsValid() {
			return ""
		}
		return id.subject.ClientIP.Unmap().String()
	}
	return ""
}
