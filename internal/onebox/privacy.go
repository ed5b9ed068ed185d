package onebox

import (
	"context"
	"io"

	"touchstone/internal/ledger"
	"touchstone/internal/postgres"
	"touchstone/worker"
)

// privacyDesk carries out what the shop's systems ask for at /v1/privacy.
type privacyDesk struct {
	*postgres.Store
	starter *worker.Starter
}

func (d privacyDesk) Export(ctx context.Context, r ledger.PrivacyRequest, w io.Writer) (ledger.PrivacyRequest, error) {
	return d.ExportCustomer(ctx, r, w)
}

// Erase accepts an erasure and starts its workflow. Should the engine not answer, a
// worker starts it later: it is accepted all the same.
func (d privacyDesk) Erase(ctx context.Context, r ledger.PrivacyRequest) (ledger.PrivacyRequest, error) {
	request, err := d.AcceptErasure(ctx, r)
	if err != nil || !request.DoneAt.IsZero() {
		return request, err
	}
	return request, d.starter.StartErasure(ctx, request)
}
