package admin

import (
	"errors"
	"fmt"
	"time"
)

// Code is the family of an error: what kind of answer it is.
type Code string

// The codes.
const (
	Invalid         Code = "invalid"         // the request makes no sense; asking again helps nothing
	Unauthenticated Code = "unauthenticated" // nobody proved who they are
	Forbidden       Code = "forbidden"       // the caller may know of it, and may not do it
	NotFound        Code = "not_found"       // it does not exist, or not for this caller
	Conflict        Code = "conflict"        // the world moved on, or is not ready
	Gone            Code = "gone"            // it was there and was deleted or has expired
	Precondition    Code = "precondition"    // the version named is not the newest, or none was named
	TooLarge        Code = "too_large"       // beyond a bound that the text names
	Unprocessable   Code = "unprocessable"   // well formed, and cannot be done so
	Quota           Code = "quota"           // a limit of this caller is used up
	Unavailable     Code = "unavailable"     // a part of the house is away; the same request may work later
	Internal        Code = "internal"        // our fault
)

// Error is an answer for whoever asked. Text is safe to show and says what to
// do next; Err is for the log and never shown.
type Error struct {
	Code Code
	Slug string // the exact kind, as the API's problems name it: "run-not-finished"
	Text string
	Err  error

	Fields     []FieldError   // parts of the request that are wrong
	Extra      map[string]any // further members of the problem, by the API's names
	RetryAfter time.Duration  // 0: says nothing
}

// FieldError is one part of a request that is wrong. Pointer is a JSON pointer
// into the body, or the name of a parameter.
type FieldError struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Error returns the text and, for the log, what lies behind it.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns what lies behind.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a code and a kind.
func Errorf(code Code, slug, format string, args ...any) *Error {
	return &Error{Code: code, Slug: slug, Text: fmt.Sprintf(format, args...)}
}

// Missing is the one answer for what does not exist and for what is not open
// to the caller: word by word the same.
func Missing() *Error {
	return &Error{Code: NotFound, Slug: "not-found", Text: "This doesn't exist or isn't open to you."}
}

// CodeOf returns the code of an error; what is none of ours is Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// invalid is the error of one part of a request that is wrong.
func invalid(pointer, format string, args ...any) *Error {
	e := Errorf(Invalid, "bad-request", format, args...)
	e.Fields = []FieldError{{Pointer: pointer, Message: e.Text}}
	return e
}

// orAbsent gives an ErrAbsent better words: a part of the request names what
// does not exist.
func orAbsent(err error, pointer, format string, args ...any) error {
	if errors.Is(err, ErrAbsent) {
		return invalid(pointer, format, args...)
	}
	return err
}
