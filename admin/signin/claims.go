package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// claims is the body of a token or of userinfo.
type claims map[string]json.RawMessage

// reading is where an identity stands among the claims.
type reading struct {
	login, groups string
	anyEmail      bool // also unverified
	mapping       Mapping
}

// lookup finds a claim by its name, else along a dotted path, in which a name
// may have dots itself (kubernetes.io.namespace).
func (c claims) lookup(name string) (json.RawMessage, bool) {
	if v, found := c[name]; found {
		return v, string(v) != "null"
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		var below claims
		inner, found := c[name[:i]]
		if !found || json.Unmarshal(inner, &below) != nil {
			continue
		}
		if v, found := below.lookup(name[i+1:]); found {
			return v, true
		}
	}
	return nil, false
}

func (c claims) has(name string) bool {
	_, found := c.lookup(name)
	return found
}

// text returns a claim that must be a string if it is there.
func (c claims) text(name string) (string, error) {
	v, found := c.lookup(name)
	if !found {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", fmt.Errorf("claim %s is not a string", name)
	}
	if s == "" {
		return "", nil
	}
	return s, cleanName("claim "+name, s)
}

// list returns a claim that is a string or an array of strings.
func (c claims) list(name string) ([]string, error) {
	v, found := c.lookup(name)
	if !found {
		return nil, nil
	}
	var one string
	if json.Unmarshal(v, &one) == nil {
		v = json.RawMessage("[" + string(v) + "]")
	}
	var many []string
	if err := json.Unmarshal(v, &many); err != nil {
		return nil, fmt.Errorf("claim %s is not a list of strings", name)
	}
	if err := tooMany(many); err != nil {
		return nil, err
	}
	// An odd group among many gives no right, and takes none.
	return slices.DeleteFunc(many, func(g string) bool { return cleanName("group", g) != nil }), nil
}

// thin tells whether something we want is not in the token, so that userinfo
// is worth asking.
func (r reading) thin(c claims) bool {
	return !c.has(r.login) || r.groups != "" && !c.has(r.groups) || !c.has(claimEmail)
}

// add fills the gaps from userinfo. An address and its mark belong together.
func (c claims) add(more claims) {
	_, ownEmail := c[claimEmail]
	for k, v := range more {
		if _, found := c[k]; !found && (k != "email_verified" || !ownEmail) {
			c[k] = v
		}
	}
}

// identity reads who the claims speak of into id, which knows Issuer and Subject.
func (r reading) identity(c claims, id *Identity) error {
	if err := r.fill(c, id); err != nil {
		return &Error{Kind: KindClaims, Err: err}
	}
	return r.mapping.apply(id)
}

func (r reading) fill(c claims, id *Identity) error {
	if err := cleanName("claim sub", id.Subject); err != nil {
		return err
	}
	id.EmailVerified = strings.Trim(string(c["email_verified"]), `"`) == "true" // some send it as a string
	for _, f := range []struct {
		claim string
		to    *string
	}{{r.login, &id.Login}, {claimEmail, &id.Email}, {"sid", &id.SID}} {
		s, err := c.text(f.claim)
		if err != nil {
			return err
		}
		*f.to = s
	}
	var name string
	if json.Unmarshal(c["name"], &name) == nil {
		id.Name = displayName(name)
	}
	if id.Login == "" {
		return fmt.Errorf("claim %s, the login, is missing: ask for the right scope or choose another login_claim", r.login)
	}
	if r.login == claimEmail && !id.EmailVerified && !r.anyEmail {
		return errors.New("the email is not marked as verified (email_verified): choose another login_claim, or trust_unverified_email if nobody can enter his own at the provider")
	}
	if r.groups == "" {
		return nil
	}
	groups, err := c.list(r.groups)
	if err != nil {
		return err
	}
	if !c.has(r.groups) && c.elsewhere(r.groups) {
		return fmt.Errorf("claim %s is too large for the token and left elsewhere: let the provider send only the groups that matter here", r.groups)
	}
	id.Groups = groups
	return nil
}

// elsewhere tells whether a claim is only pointed at (distributed claims, as
// sent by Entra ID to members of very many groups).
func (c claims) elsewhere(name string) bool {
	var names map[string]string
	return json.Unmarshal(c["_claim_names"], &names) == nil && names[name] != ""
}
