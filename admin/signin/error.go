package signin

import "fmt"

// Kind is what went wrong, as far as the person in front of the page may know.
type Kind string

// The kinds of Error.
const (
	KindRestart     Kind = "restart"     // cookie lost, state wrong, too slow, used twice, code refused
	KindDenied      Kind = "denied"      // the person or the provider said no
	KindToken       Kind = "token"       // a token that cannot be trusted
	KindGroup       Kind = "group"       // known, but not in a required group
	KindClaims      Kind = "claims"      // trusted, but names nobody we could know
	KindRevoked     Kind = "revoked"     // the provider no longer refreshes this login
	KindUnavailable Kind = "unavailable" // the provider cannot be asked; says nothing about the person
	KindHeader      Kind = "header"      // trusted headers missing, doubled or unproved
	KindPassword    Kind = "password"    // a password that must not be chosen or cannot be right
	KindBusy        Kind = "busy"        // too many ask at once
	KindLink        Kind = "link"        // a one-use link that is wrong or too old
)

// Error is why somebody was not let in. Text is for him, Error for the log;
// neither holds a token, a code or a secret.
type Error struct {
	Kind Kind
	Err  error
	text string // in place of the kind's text
}

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Error returns the reason in full, for the log.
func (e *Error) Error() string { return fmt.Sprintf("sign in: %s: %v", e.Kind, e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Text returns what a stranger may read; it says what to do next and nothing
// of what we know.
func (e *Error) Text() string {
	if e.text != "" {
		return e.text
	}
	switch e.Kind {
	case KindRestart:
		return "This sign-in is no longer valid. Please start again."
	case KindDenied:
		return "Your identity provider did not let you sign in. Start again, or ask whoever runs it."
	case KindToken:
		return "The answer of your identity provider could not be trusted. Please ask an administrator to look at the log."
	case KindGroup:
		return "You are signed in at your identity provider, but your account is not open for Lockkeeper. Ask an administrator to add you to the group."
	case KindClaims:
		return "Your identity provider did not say who you are in a way Lockkeeper understands. Please ask an administrator to look at the log."
	case KindRevoked:
		return "Your sign-in has ended at your identity provider. Please sign in again."
	case KindUnavailable:
		return "Your identity provider cannot be reached. Please try again in a minute."
	case KindHeader:
		return "The proxy in front of Lockkeeper did not say who you are. Please ask an administrator to look at the log."
	case KindPassword:
		return "This password cannot be used."
	case KindBusy:
		return "Too many people are signing in at once. Please try again in a moment."
	case KindLink:
		return "This link is no longer valid. Ask an administrator for a new one."
	default:
		return "You could not be signed in."
	}
}
