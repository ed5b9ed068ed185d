package worker_test

import (
	"context"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/brand"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/worker"
)

// entries remembers what a dispatcher enters.
type entries struct{ entered []ledger.Entry }

func (e *entries) Enter(_ context.Context, in ledger.Entry) (ledger.Run, bool, error) {
	e.entered = append(e.entered, in)
	return ledger.Run{Status: ledger.RunEnded, EntryKey: in.EntryKey}, true, nil
}
func (e *entries) ActiveRuns(context.Context, lifecycle.CustomerID) ([]ledger.Run, error) {
	return nil, nil
}
func (e *entries) Profile(context.Context, lifecycle.CustomerID) (lifecycle.Profile, error) {
	return lifecycle.Profile{}, nil
}
func (e *entries) Journey(context.Context, string, int) (ledger.JourneyRow, error) {
	return ledger.JourneyRow{}, nil
}
func (e *entries) Journeys(context.Context) ([]ledger.JourneyRow, error) {
	var rows []ledger.JourneyRow
	for _, name := range []string{"double-opt-in", "welcome"} {
		rows = append(rows, ledger.JourneyRow{Name: name, Version: 1, Source: journey.Shipped()[name]})
	}
	return rows, nil
}

type noStarter struct{ activities.Starter }

func (noStarter) Wake(context.Context, []ledger.Run, string, string) error { return nil }

// TestTheBrandsHoldoutIsAboutMarketing: who is held out of it still gets the link that
// confirms their consent.
func TestTheBrandsHoldoutIsAboutMarketing(t *testing.T) {
	t.Parallel()
	store := &entries{}
	d := &worker.Dispatcher{Store: store, Definitions: &worker.Definitions{Store: store}, Starter: noStarter{}, Brand: brand.Example(), GlobalHoldout: 0.05, Now: time.Now}
	for name, want := range map[string]float64{"Consent Requested": 0, "Signed Up": 0.05} {
		store.entered = nil
		if err := d.Dispatch(t.Context(), lifecycle.Event{ID: "e", CustomerID: "c", Name: name, At: time.Now(), Properties: map[string]any{"channel": "email"}}); err != nil {
			t.Fatal(err)
		}
		if len(store.entered) != 1 || store.entered[0].Global != want {
			t.Errorf("%s: entered %+v, want the brand's holdout to be %v", name, store.entered, want)
		}
	}
}
