package postgres_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func TestCountsAndFunnel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.customers(3)
	runs := []ledger.Run{b.enter(people[0], "winback", "a"), b.enter(people[1], "winback", "a"), b.enter(people[2], "welcome", "a")}
	b.must(b.MoveRuns(t.Context(), []ledger.Progress{
		{RunID: runs[0].ID, Status: ledger.RunRunning, Step: "nudge", StepStartedAt: noon, Held: true},
		{RunID: runs[1].ID, Status: ledger.RunEnded, Step: "nudge", StepStartedAt: noon, ConvertedAt: noon, EndedAt: noon, EndReason: "goal: Order Completed"},
	}, nil))
	counts, err := b.JourneyCounts(t.Context())
	b.must(err)
	if want := (postgres.RunCounts{Name: "winback", Entered: 2, Running: 1, Ended: 1, Held: 1, Converted: 1}); len(counts) != 2 || counts[1] != want {
		t.Errorf("%+v", counts)
	}
	funnel, err := b.Funnel(t.Context(), "winback")
	b.must(err)
	if len(funnel) != 2 || funnel[0].Step != "nudge" || funnel[1].EndReason != "goal: Order Completed" || funnel[1].Converted != 1 {
		t.Errorf("%+v", funnel)
	}
	_, err = b.Enrol(t.Context(), ledger.Cohort{Campaign: "spring", Journey: "spring", Version: 1, EntryKey: "s", Ramp: 1, At: noon})
	b.must(err)
	if counts, err = b.CampaignCounts(t.Context()); err != nil || len(counts) != 1 || counts[0].Name != "spring" || counts[0].Pending != 3 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestFindReviewByItsEnding(t *testing.T) {
	t.Parallel()
	b := setup(t)
	creatives, err := b.SaveCreatives(t.Context(), []lifecycle.Creative{{Slot: "s", Channel: lifecycle.Email, Parts: lifecycle.Parts{Text: "hello"},
		Source: lifecycle.FromTemplate, Status: lifecycle.CreativeInReview, CreatedAt: noon}})
	b.must(err)
	open := func(id lifecycle.ReviewID, workflow string) {
		_, _, err := b.OpenReview(t.Context(), lifecycle.ReviewItem{ID: id, Kind: lifecycle.ReviewCreative, CreativeID: creatives[0].ID,
			Content: creatives[0].ContentHash(), OpenedAt: noon, DueAt: noon, Status: lifecycle.ReviewAwaiting}, workflow, nil)
		b.must(err)
	}
	open("01a20635-11a0-7734-9495-87b080eb7cbb", "w1")
	open("01a20635-11a0-7734-9495-87b180eb7cbb", "w2")
	for ref, want := range map[string]lifecycle.Code{
		"b080eb7cbb": "", "01a20635-11a0-7734-9495-87b180eb7cbb": "", "80eb7cbb": lifecycle.Conflict, "12345678": lifecycle.NotFound, "": lifecycle.NotFound, "%": lifecycle.NotFound,
	} {
		item, err := b.FindReview(t.Context(), ref)
		if lifecycle.CodeOf(err) != want || want == "" && !strings.HasSuffix(string(item.ID), ref) {
			t.Errorf("%q: %s, %v", ref, item.ID, err)
		}
	}
}

func TestPassagesDecisionsAndHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.customers(2)
	touch := b.planned(people[0], "nudge")
	b.send(touch, noon)
	b.must(b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "touch.planned", Actor: "agent/test", CustomerID: people[0], RunID: touch.RunID, TouchID: touch.ID, Body: []byte(`{}`)},
		{At: noon, Kind: "run.ended", Actor: "engine", CustomerID: people[0], RunID: touch.RunID, Body: []byte(`{}`)}}))
	touches, reviews, err := b.Passages(t.Context(), people[0])
	b.must(err)
	if len(touches) != 1 || touches[touch.ID] != touch.RunID || len(reviews) != 0 {
		t.Errorf("%v, %v", touches, reviews)
	}
	all, err := b.Decisions(t.Context(), people[0])
	b.must(err)
	about, err := b.DecisionsOfTouch(t.Context(), touch)
	b.must(err)
	if len(all) != 2 || len(about) != 1 || about[0].Kind != "touch.planned" || about[0].Seq == 0 {
		t.Errorf("%d, %+v", len(all), about)
	}
	states, reports, err := b.TouchHistory(t.Context(), touch.ID)
	b.must(err)
	if len(states) != 3 || states[len(states)-1].Title != "accepted" || len(reports) != 0 {
		t.Errorf("%+v, %+v", states, reports)
	}
	_, err = b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: people[1], MessageID: "m", Name: "Signed Up", At: noon, ReceivedAt: noon}}, func(string) bool { return false })
	b.must(err)
	events, customers, sample, err := b.EntryEvents(t.Context(), "Signed Up", noon.Add(-time.Hour), noon.Add(time.Hour), 10)
	if err != nil || events != 1 || customers != 1 || len(sample) != 1 || sample[0] != people[1] {
		t.Errorf("%d, %d, %v, %v", events, customers, sample, err)
	}
}
