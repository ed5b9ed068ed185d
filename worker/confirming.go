package worker

import (
	"context"
	"slices"

	"touchstone/internal/postgres"
)

// warnUnconfirmable warns when the brand asks for double opt-in and no journey asks
// the customers: their consents would stay pending for ever.
func (w *Worker) warnUnconfirmable(ctx context.Context) error {
	if len(w.options.Brand.DoubleOptIn) == 0 {
		return nil
	}
	events, err := w.options.Store.Listens(ctx)
	if err == nil && !slices.Contains(events, postgres.ConsentRequested) {
		w.options.Log.Warn("the brand file asks for double opt-in, but no journey is entered by " + postgres.ConsentRequested + ": run `touchstone journey apply double-opt-in`")
	}
	return err
}
