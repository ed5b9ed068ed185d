package activities_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/copywriter"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

func campaignsOf(f *fixture, desk activities.Writer) *activities.Campaigns {
	templates := copywriter.NewTemplates(func() time.Time { return noon })
	if desk == nil {
		desk = templates
	}
	return &activities.Campaigns{
		Cohorts: f.store, Creatives: f.store, Reviews: f.store, Definitions: f.store, Brand: f.Brand, Writer: desk, Templates: templates,
		Starter: f.starter, GlobalHoldout: 0.05, ReviewSLA: 5 * time.Minute,
	}
}

func TestEnrolTranslatesTheCohort(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.store.enrolled = ledger.Enrolled{Treated: 90, Holdout: 10}
	in := activities.EnrolInput{Campaign: "spring", Journey: "winback", Version: 1, Segment: "orders.count >= 2", EntryKey: "spring", Ramp: 0.1, Holdout: 0.1, Now: noon}
	enrolled, err := campaignsOf(f, nil).Enrol(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "enrolled", enrolled, f.store.enrolled)
	cohort := f.store.cohorts[0]
	equal(t, "campaign", cohort.Campaign, "spring")
	equal(t, "ramp", cohort.Ramp, 0.1)
	equal(t, "global holdout", cohort.Global, 0.05)
	equal(t, "not since", cohort.NotSince, noon.Add(-30*day))
	equal(t, "re-entry", cohort.Always || cohort.NoReentry, false)
	if cohort.Where == "" || strings.Contains(cohort.Where, ";") {
		t.Errorf("where: %q", cohort.Where)
	}
	equal(t, "record", f.store.records[0].Kind, "campaign.enrolled")

	f.store.enrolled = ledger.Enrolled{}
	if _, err := campaignsOf(f, nil).Enrol(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	equal(t, "records after a scan that found nobody", len(f.store.records), 1)
}

func TestEnrolRefusesABadSegment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	_, err := campaignsOf(f, nil).Enrol(t.Context(), activities.EnrolInput{Campaign: "spring", Journey: "winback", Version: 1, Segment: "orders.cuont > 2", Now: noon})
	equal(t, "code", activities.ErrorCode(err), lifecycle.Invalid)
	equal(t, "retryable", retryable(err), false)
	if err == nil || !strings.Contains(err.Error(), "campaign spring") {
		t.Errorf("the error does not say which campaign: %v", err)
	}
}

func TestPreflightWritesWhatIsMissingAndAsksForReview(t *testing.T) {
	t.Parallel()
	f := newFixture(t, strings.Replace(oneTouch, "offers: [none]", "offers: [none, ten-percent]", 1))
	f.store.creatives = nil
	campaigns := campaignsOf(f, byModel{})
	check := func() activities.PreflightResult {
		result, err := campaigns.Preflight(t.Context(), activities.PreflightInput{Journey: "winback", Version: 1, Campaign: "spring", By: "jane", Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	first := check()
	equal(t, "approved templates", first.Approved, 2)
	equal(t, "copy to review", first.Waiting, 2)
	equal(t, "ready", first.Ready(), false)
	equal(t, "reviews started", len(f.starter.reviews), 2)
	for _, c := range f.store.creatives {
		if c.Source == lifecycle.FromTemplate {
			equal(t, "template approved by", c.ApprovedBy, "jane")
		}
	}
	second := check()
	equal(t, "nothing new is written", len(f.store.creatives), 4)
	equal(t, "still to review", second.Waiting, 2)

	// One is approved, nobody looks at the other until its review expires.
	for i, item := range f.store.reviews {
		status := []lifecycle.ReviewStatus{lifecycle.ReviewApproved, lifecycle.ReviewExpired}[i]
		if err := f.store.DecideReview(t.Context(), item.ID, status, "tom", "", item.Content, noon); err != nil {
			t.Fatal(err)
		}
	}
	third := check()
	equal(t, "ready by copy and fallback", third.Ready(), true)
	equal(t, "approved", third.Approved, 3)
}

func TestPreflightNamesSlotsWithoutCopy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, strings.Replace(oneTouch, "fallback: template", "fallback: skip", 1))
	result, err := campaignsOf(f, nil).Preflight(t.Context(), activities.PreflightInput{Journey: "winback", Version: 1, By: "jane", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "missing", strings.Join(result.Missing, ","), "winback/nudge (step nudge)")
	equal(t, "ready", result.Ready(), false)
}

// byModel writes templates as if a model had.
type byModel struct{}

func (byModel) Write(ctx context.Context, b copywriter.Brief) ([]lifecycle.Creative, error) {
	written, err := copywriter.NewTemplates(func() time.Time { return noon }).Write(ctx, b)
	for i := range written {
		written[i].Source, written[i].Author = lifecycle.FromModel, "gpt"
		written[i].Parts.Subject = "From the model: " + written[i].Parts.Subject
	}
	return written, err
}

func TestSetStatus(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	if err := campaignsOf(f, nil).SetStatus(t.Context(), activities.StatusInput{Campaign: "spring", Status: "paused", Now: noon}); err != nil {
		t.Fatal(err)
	}
	equal(t, "statuses", strings.Join(f.store.statuses, ","), "spring paused")
}

func TestErasureEndsRunningJourneys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.planned()
	pending := f.enter("c-1", "run-2", "winback")
	pending.Status, pending.Campaign = ledger.RunPending, "spring"
	erasure := &activities.Erasure{Customers: f.store, Runs: f.store, Starter: f.starter}
	erased, err := erasure.Erase(t.Context(), activities.EraseInput{CustomerID: "c-1", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "runs", erased.Runs, 2)
	equal(t, "woken", strings.Join(f.starter.woken, ","), "run-1 "+activities.SignalExit)
	equal(t, "campaigns", strings.Join(f.starter.campaigns, ","), "spring")
	f.wantEnd(f.prepare(noon.Add(time.Minute)), "erased")
	f.wantTouch("nudge", lifecycle.TouchSkipped, "erased")
}

func TestUpkeepRound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	f.store.touches[f.planned().TouchID].State = lifecycle.TouchSending
	upkeep := &activities.Upkeep{Ledger: f.store, Evidence: f.store, Partitions: f.store, Figures: f.store, Currency: "USD", Window: 7 * day}
	result, err := upkeep.Round(t.Context(), activities.UpkeepInput{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "unconfirmed", result.Unconfirmed, 1)
	f.wantTouch("nudge", lifecycle.TouchUnconfirmed, "")
	equal(t, "evidence window", f.store.refreshed, 7*day)
	equal(t, "hours", result.Hours, 3)
	equal(t, "sums", f.store.rolled, measure.Rollup{Now: noon, Attribution: 7 * day, Currency: "USD"})
	var asked []measure.KPIQuery
	for _, days := range []time.Duration{7, 28, 84, 364} {
		asked = append(asked, measure.KPIQuery{From: noon.Add(-days * day), To: noon})
	}
	equal(t, "overviews", slices.Equal(f.store.read, asked), true)
	equal(t, "partitions ahead", f.store.partitions[1].After(noon.Add(60*day)), true)
}
