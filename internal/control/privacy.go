package control

import (
	"context"
	"io"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Erase accepts the erasure of a customer, from when on nothing is sent to them, and
// waits until their data are emptied. When ctx ends before, the erasure goes on: ask
// for it again, or look at the request.
func (p *Plane) Erase(ctx context.Context, customer lifecycle.CustomerID, by, reason string) (ledger.PrivacyRequest, error) {
	if err := named(by); err != nil {
		return ledger.PrivacyRequest{}, err
	}
	request, err := p.Store.AcceptErasure(ctx, ledger.PrivacyRequest{CustomerID: customer, By: by, Reason: reason, RequestedAt: p.Clock.Now()})
	if err != nil {
		return request, err
	}
	if err := p.starter().StartErasure(ctx, request); err != nil {
		return request, lifecycle.Errorf(lifecycle.CodeOf(err), "the erasure is accepted and nothing is sent any more, but it could not be started; a worker starts it: %w", err)
	}
	for {
		if request, err = p.Store.PrivacyRequest(ctx, request.ID); err != nil || !request.DoneAt.IsZero() {
			return request, err
		}
		select {
		case <-ctx.Done():
			return request, lifecycle.Errorf(lifecycle.Unavailable, "the erasure is accepted and nothing is sent any more, but it is not done yet: look at request %s: %w", request.ID, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Export writes everything that is held about a customer as one JSON document, and
// records that it did.
func (p *Plane) Export(ctx context.Context, customer lifecycle.CustomerID, by, reason string, w io.Writer) (ledger.PrivacyRequest, error) {
	if err := named(by); err != nil {
		return ledger.PrivacyRequest{}, err
	}
	return p.Store.ExportCustomer(ctx, ledger.PrivacyRequest{CustomerID: customer, By: by, Reason: reason, RequestedAt: p.Clock.Now()}, w)
}
