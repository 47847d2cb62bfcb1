package query

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/admin"
)

// targetFor finds a target by name and says whether the caller may use it. An
// empty name is the only target there is.
func targetFor(all []Target, c *admin.Caller, name string) (Target, error) {
	if name == "" {
		if len(all) != 1 {
			return Target{}, admin.Errorf(admin.Invalid, "bad-request", "Say which target: there are several.")
		}
		name = all[0].Name
	}
	i := slices.IndexFunc(all, func(t Target) bool { return t.Name == name })
	if i < 0 || !mayUse(c, name) {
		return Target{}, admin.Errorf(admin.Forbidden, "target-forbidden", "You have no access to the target %q, or it doesn't exist. Ask an admin for a grant.", clip(name, maxTag))
	}
	return all[i], nil
}

// mayUse reports whether a caller may use a target at all.
func mayUse(c *admin.Caller, target string) bool {
	if len(c.Targets) > 0 && !slices.Contains(c.Targets, target) {
		return false
	}
	return c.Role(target).AtLeast(admin.RoleMember)
}
