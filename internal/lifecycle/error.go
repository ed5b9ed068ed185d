package lifecycle

import (
	"errors"
	"fmt"
)

// Code classifies an error by what the caller can do about it.
type Code string

// The error codes. Adapters translate driver errors into these at their edge.
const (
	// Internal is everything nobody planned for.
	Internal Code = "internal"
	// Invalid input: fix it and call again.
	Invalid Code = "invalid"
	// NotFound: the named thing does not exist.
	NotFound Code = "not_found"
	// Conflict: the state does not allow it, or somebody else was first.
	Conflict Code = "conflict"
	// Forbidden: the caller may not do this (self-approval, missing role).
	Forbidden Code = "forbidden"
	// Unavailable: an engine or provider did not answer; trying again may help.
	Unavailable Code = "unavailable"
	// RateLimited: trying again helps after the time the provider named.
	RateLimited Code = "rate_limited"
	// Unconfirmed: a provider may or may not have acted; never repeat the call.
	Unconfirmed Code = "unconfirmed"
)

// Error is a classified error: a code for programs, a sentence for people.
type Error struct {
	Code    Code
	Message string // what happened and what to do next; lower case, no full stop; includes the cause
	Err     error  // cause for errors.Is and errors.As, may be nil
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with the given code. A %w verb keeps its cause.
func Errorf(code Code, format string, args ...any) error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// CodeOf returns the code of the first classified error in the chain, Internal
// for any other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
