package channel

import (
	"errors"
	"fmt"
	"time"

	"touchstone/internal/lifecycle"
)

// Class says what a failed send means for the touch.
type Class string

const (
	// Refused: the provider did not take this message and never will.
	Refused Class = "refused"
	// Transient: the provider definitely did not take it; a later attempt may
	// succeed.
	Transient Class = "transient"
	// Unconfirmed: the provider may have taken it. Never send it again.
	Unconfirmed Class = "unconfirmed"
	// Misconfigured: no message can be sent until a person fixes credentials,
	// sender or address of the provider. This one was not taken.
	Misconfigured Class = "misconfigured"
)

// Error is a send that was not confirmed as accepted.
type Error struct {
	Class Class
	// RetryAfter is the provider's own waiting time, in real time. Zero means
	// it named none and the caller's back-off applies. Only with Transient.
	RetryAfter time.Duration
	Status     int    // HTTP status, 0 when no answer arrived
	Detail     string // the provider's words, shortened, without personal data
	Err        error  // cause, may be nil
}

func (e *Error) Error() string {
	s := "provider " + map[Class]string{
		Refused:       "refused the message",
		Transient:     "did not take the message, try later",
		Unconfirmed:   "may have taken the message, do not repeat it",
		Misconfigured: "is misconfigured, check credentials, sender and address",
	}[e.Class]
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Code is the domain code of the class.
func (e *Error) Code() lifecycle.Code {
	switch {
	case e.Class == Refused:
		return lifecycle.Invalid
	case e.Class == Transient && e.RetryAfter > 0:
		return lifecycle.RateLimited
	case e.Class == Transient:
		return lifecycle.Unavailable
	case e.Class == Misconfigured:
		return lifecycle.Forbidden
	}
	return lifecycle.Unconfirmed
}

// As lets lifecycle.CodeOf and errors.As read the error as a classified
// lifecycle.Error.
func (e *Error) As(target any) bool {
	t, ok := target.(**lifecycle.Error)
	if ok {
		*t = &lifecycle.Error{Code: e.Code(), Message: e.Error(), Err: e.Err}
	}
	return ok
}

// ClassOf returns the class of a failed send. An error no provider classified
// is Unconfirmed: what is not known to be unsent counts as sent.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Unconfirmed
}
