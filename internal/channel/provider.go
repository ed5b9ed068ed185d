// Package channel is the contract between the ledger and whoever delivers a
// message: one attempt per call, and an honest answer about what happened to
// it. Providers live in packages below this one; the conformance suite they
// pass is channeltest. Level 2: imports lifecycle only.
package channel

import (
	"context"

	"touchstone/internal/lifecycle"
)

// Provider delivers messages on one channel. It is safe for concurrent use.
type Provider interface {
	// Send makes at most one attempt to hand m to the provider and never
	// repeats it. A nil error means accepted. Every other outcome is an *Error
	// whose Class says whether the message may have gone out; m.TouchID
	// travels with the message so that webhooks name the touch.
	Send(ctx context.Context, m lifecycle.Message) (Receipt, error)
	// Lookup asks the provider whether it has a touch. A provider without such
	// an interface answers Unknown, and the ledger waits for webhooks.
	Lookup(ctx context.Context, id lifecycle.TouchID) (Receipt, Presence, error)
}

// Receipt is what an accepting provider gives back.
type Receipt struct {
	ProviderID string // the provider's message id; empty when it named none
}

// Presence is the answer to "did you get this touch?".
type Presence string

// Presences. NotFound is an assurance: the provider never got the touch.
const (
	Found    Presence = "found"
	NotFound Presence = "not_found"
	Unknown  Presence = "unknown"
)

// Eraser is a provider that can be asked to erase what it keeps about an address.
type Eraser interface {
	// Erase asks once and returns the provider's name for the job. Errors are
	// *Error, as with Send; repeating it is harmless.
	Erase(ctx context.Context, address string) (job string, err error)
}
