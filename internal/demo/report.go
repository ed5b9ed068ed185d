package demo

import (
	"context"
	"fmt"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/report"
)

// report proves the ledger and the decision log and sums the season up.
func (d *demo) report(ctx context.Context) (err error) {
	store := d.box().Store
	proof, err := store.VerifyLedger(ctx)
	if err != nil {
		return err
	}
	for _, id := range d.box().Sandbox.Duplicates() {
		proof.OK = false
		proof.Problems = append(proof.Problems, ledger.Problem{Rule: "provider saw it twice", TouchID: lifecycle.TouchID(id)})
	}
	audit, err := store.VerifyDecisions(ctx)
	if err != nil {
		return err
	}
	d.season.Report, err = report.Build(ctx, store, report.Options{
		From: d.opened, To: d.end, AttributionWindow: d.box().Config.AttributionWindow, Brand: d.Box.Brand.Name,
		Currency: d.Box.Brand.Currency, Scale: d.box().Clock.Scale, Simulated: true, Ledger: &proof, Audit: &audit,
	})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return d.season.Report.AddEvents(ctx, store)
}
