package policy

import (
	"slices"
	"time"
)

// eval answers one key. What is not known yet (a nil part of the scope) is
// unknown.
func (a *atom) eval(sc *scope) tri {
	switch a.key.side() {
	case sideConn:
		if sc.id == nil {
			return unknown
		}
		return a.evalConn(sc.id)
	case sideClass:
		if sc.class == nil {
			return unknown
		}
		return triOf(matchClass(a.globs, sc.class.folded))
	case sideFacts:
		if sc.st == nil {
			return unknown
		}
		return a.evalFacts(sc.st, sc.names)
	case sideMoment:
	}
	return a.evalMoment(sc)
}

func (a *atom) evalConn(id *identity) tri {
	s := id.subject
	switch a.key {
	case keyUser:
		return triOf(matchAny(a.globs, id.user))
	case keyAuthUser:
		return triOf(matchAny(a.globs, id.authUser))
	case keyTeam:
		for _, t := range id.foldedTeams {
			if matchAny(a.globs, t) {
				return yes
			}
		}
		return no
	case keyTool:
		return triOf(id.foldedTool != "" && matchAny(a.globs, id.foldedTool))
	case keyClientIP:
		if !s.ClientIP.IsValid() {
			return no
		}
		ip := s.ClientIP.Unmap()
		for _, n := range a.nets {
			if n.Contains(ip) {
				return yes
			}
		}
		return no
	case keyDatabase:
		return triOf(matchAny(a.globs, s.Database))
	case keyRole:
		return triOf(matchAny(a.globs, s.Role))
	case keyEnvironment:
		return triOf(matchAny(a.globs, s.Environment))
	case keyVia:
		return triOf(matchAny(a.globs, s.Via))
	default: // the other keys belong to other sides
		return unknown
	}
}

func (a *atom) evalFacts(st *Statement, n *names) tri {
	switch a.key {
	case keyVerb:
		if st.Verbs.Has(a.verbs) {
			return yes
		}
		// no text is the reading of a stored result
		return blur(a.verbs != VerbResultRead && (st.Unknown&UnknownVerbs != 0 || st.Verbs.Has(VerbUnknown)))
	case keyKind:
		if slices.Contains(a.kinds, st.Kind) {
			return yes
		}
		return blur(st.Unknown&UnknownVerbs != 0 || st.Kind == KindUnknown)
	case keyPgAudit:
		if matchAny(a.globs, st.PgAudit) {
			return yes
		}
		return blur(st.Unknown&UnknownVerbs != 0 || st.PgAudit == "")
	case keyFingerprint:
		if matchAny(a.globs, st.Fingerprint) {
			return yes
		}
		return blur(st.Fingerprint == "")
	case keyHasWhere:
		if st.Unknown&UnknownWhere != 0 {
			return unknown
		}
		return triOf(a.want == (st.Features&FeatWhere != 0))
	case keyHasLimit:
		if st.Unknown&UnknownLimit != 0 {
			return unknown
		}
		return triOf(a.want == (st.Features&FeatLimit != 0))
	case keyReads:
		return matchNames(a.names, n.reads, n.readsOpen)
	case keyWrites:
		return matchNames(a.names, n.writes, n.writesOpen)
	case keyFunction:
		return matchNames(a.names, n.functions, n.functionsOpen)
	default: // the other keys belong to other sides
		return unknown
	}
}

func blur(cannotExclude bool) tri {
	if cannotExclude {
		return unknown
	}
	return no
}

func (a *atom) evalMoment(sc *scope) tri {
	switch a.key {
	case keyTags:
		for i := range a.tags {
			if t := matchTag(sc, a.tags[i].key, a.tags[i].values); t != yes {
				return t
			}
		}
		return yes
	case keyUrgency:
		if sc.id != nil && sc.id.subject.Urgency != "" {
			return triOf(matchAny(a.globs, sc.id.subject.Urgency))
		}
		return matchTag(sc, "urgency", a.globs)
	case keyTxState:
		if sc.state == nil {
			return unknown
		}
		return triOf(slices.Contains(a.states, normalTx(sc.state.Tx)))
	case keySessionAge:
		if sc.state == nil || sc.state.Started.IsZero() {
			return unknown
		}
		age := sc.now.Sub(sc.state.Started)
		for _, b := range a.ages {
			if within(b, age) {
				return yes
			}
		}
		return no
	case keyTime:
		for i := range a.windows {
			if a.windows[i].Open(sc.now) {
				return yes
			}
		}
		return no
	default: // the other keys belong to other sides
		return unknown
	}
}

func within(b AgeBound, age time.Duration) bool {
	if b.Older {
		return age > b.Than
	}
	return age < b.Than
}

// normalTx takes the zero value for idle.
func normalTx(s TxState) TxState {
	if s == 0 {
		return TxIdle
	}
	return s
}

// matchTag looks among what the principal was given, which stands against all
// else, then in the comments of the text and in the session's tags, as far as
// the policy's identities trust them.
func matchTag(sc *scope, key string, values []glob) tri {
	if sc.id == nil {
		return unknown
	}
	for _, t := range sc.id.subject.Given {
		if t.Key == key {
			return triOf(matchAny(values, t.Value))
		}
	}
	if sc.id.commentTags {
		for _, t := range sc.tags {
			if t.Key == key && matchAny(values, t.Value) {
				return yes
			}
		}
	}
	if sc.id.sessionTags {
		for _, t := range sc.id.subject.Tags {
			if t.Key == key && matchAny(values, t.Value) {
				return yes
			}
		}
	}
	return no
}
