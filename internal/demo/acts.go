package demo

import (
	"context"
	_ "embed"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/control"
	"touchstone/internal/ingest"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// springSale is the journey of the demo's campaign: one broadcast.
//
//go:embed spring-edit.yaml
var springSale []byte

const (
	campaignName  = "spring-edit"
	campaignStart = 3 // weeks after the start
	campaignRamp  = 4 // week in which the whole cohort follows
)

// importFile writes a file of the population's past and imports it through the
// same code as `touchstone import`.
func (d *demo) importFile(ctx context.Context, path string, kind ingest.Kind, write func(io.Writer) error, now clock.Clock) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	summary, err := ingest.Import(ctx, ingest.Options{
		Kind: kind, Path: path, Currency: d.Box.Brand.Currency, Clock: now, Store: d.box().Store, Bulk: d.box().Store,
	})
	if err != nil {
		return err
	}
	if summary.Rejected > 0 {
		return lifecycle.Errorf(lifecycle.Internal, "%d of the demo's own %s were refused: see %s", summary.Rejected, kind, summary.RejectsPath)
	}
	return nil
}

// apply applies the shipped journeys and the campaign's.
func (d *demo) apply(ctx context.Context) error {
	shipped := journey.Shipped()
	names := make([]string, 0, len(shipped))
	for name := range shipped {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		applied, err := d.plane.ApplyJourney(ctx, name+".yaml", shipped[name], marketer)
		if err != nil {
			return err
		}
		d.say("applied journey %s v%d", applied.Journey, applied.Version)
	}
	return nil
}

// launch starts the campaign in its week for a fifth of the cohort, and
// enlarges it to everybody a week later.
func (d *demo) launch(ctx context.Context) error {
	if err := d.wait(ctx, d.start.AddDate(0, 0, 7*(campaignStart-1))); err != nil {
		return nil // the season ended before
	}
	if _, err := d.plane.StoreJourney(ctx, campaignName+".yaml", springSale, marketer); err != nil {
		return err
	}
	if _, err := d.plane.StartCampaign(ctx, control.Campaign{Name: campaignName, Journey: campaignName, Ramp: 0.2, Holdout: -1, By: marketer}); err != nil {
		return err
	}
	if err := d.wait(ctx, d.start.AddDate(0, 0, 7*(campaignRamp-1))); err != nil {
		return nil
	}
	_, err := d.plane.RampCampaign(ctx, campaignName, 1, marketer)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return nil // already done: its cohort was empty
	}
	return err
}

// reviewer is the name under which the simulated reviewer decides.
const reviewer = "simulated reviewer"

// review decides what people leave alone. It rejects one piece of copy in
// twelve, by its hash, so that the fallback is seen at work.
func (d *demo) review(ctx context.Context) error {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		items, err := d.box().Store.Reviews(ctx, lifecycle.ReviewAwaiting, 50)
		if err != nil {
			return err
		}
		for _, item := range items {
			if time.Since(item.OpenedAt) < d.Patience {
				continue
			}
			decision := workflows.Decision{Verdict: "approve", By: reviewer, Hash: item.Content[:12]}
			if item.Kind == lifecycle.ReviewCreative && item.Content[0] == '7' {
				decision.Verdict, decision.Note = "reject", "not our voice"
			}
			switch err := d.plane.Decide(ctx, item, decision); lifecycle.CodeOf(err) {
			case "", lifecycle.NotFound, lifecycle.Forbidden: // decided by somebody else in the meantime
			default:
				return err
			}
		}
	}
}

// AwaitingReview is the address of the reviewers' list in the Temporal UI.
func AwaitingReview(ui, namespace string) string {
	query := "`ReviewState`=\"awaiting\" AND `ExecutionStatus`=\"Running\""
	return ui + "/namespaces/" + namespace + "/workflows?query=" + url.QueryEscape(query) + "&savedQuery=" + url.QueryEscape("Awaiting review")
}
