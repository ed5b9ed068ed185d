package copywriter

import (
	"errors"
	"time"

	"touchstone/internal/lifecycle"
)

// FailureKind says why no usable copy came from the model.
type FailureKind string

// Failure kinds.
const (
	ModelDown          FailureKind = "down"          // no answer, or a server error
	ModelSlow          FailureKind = "slow"          // time-out
	ModelThrottled     FailureKind = "throttled"     // too many requests; RetryAfter says when again
	ModelQuota         FailureKind = "quota"         // the account has no credit left: a person must act
	ModelMisconfigured FailureKind = "misconfigured" // key, model name or parameters refused
	ModelRefused       FailureKind = "refused"       // the model declined to write this
	ModelFiltered      FailureKind = "filtered"      // the provider's content filter stopped it
	ModelTruncated     FailureKind = "truncated"     // the answer hit the token limit
	ModelMalformed     FailureKind = "malformed"     // the answer is not the copy that was ordered
	OverBudget         FailureKind = "over_budget"   // today's copy budget is spent
	Objected           FailureKind = "objected"      // the guardrails object to what it wrote
)

// Failure is why the model gave no usable copy.
type Failure struct {
	Kind       FailureKind
	RetryAfter time.Duration // with ModelThrottled: the provider's own waiting time, 0 = none named
	Status     int           // HTTP status, 0 when no answer arrived
	Detail     string
	Err        error
}

func (f *Failure) Error() string {
	s := "copy from the model: " + string(f.Kind)
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

func (f *Failure) Unwrap() error { return f.Err }

// As lets lifecycle.CodeOf read the failure.
func (f *Failure) As(target any) bool {
	t, ok := target.(**lifecycle.Error)
	if !ok {
		return false
	}
	code := lifecycle.Invalid
	switch f.Kind {
	case ModelDown, ModelSlow:
		code = lifecycle.Unavailable
	case ModelThrottled, ModelQuota, OverBudget:
		code = lifecycle.RateLimited
	case ModelMisconfigured:
		code = lifecycle.Forbidden
	}
	*t = &lifecycle.Error{Code: code, Message: f.Error(), Err: f.Err}
	return true
}

// FailureOf returns the failure in err's chain, or nil.
func FailureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}
