package postgres_test

import (
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func creative(text, author string, source lifecycle.CreativeSource) lifecycle.Creative {
	return lifecycle.Creative{Slot: "hello", Channel: lifecycle.Email, Parts: lifecycle.Parts{Subject: "Hi", Text: text}, Source: source,
		Author: author, Status: lifecycle.CreativeInReview, CreatedAt: noon, Cost: lifecycle.Money{Amount: 3, Currency: "USD"}}
}

// review stores a creative and opens its review.
func (b bench) review(c lifecycle.Creative, workflow string, waiters ...ledger.Waiter) (lifecycle.Creative, lifecycle.ReviewItem) {
	b.t.Helper()
	stored, err := b.SaveCreatives(b.t.Context(), []lifecycle.Creative{c})
	b.must(err)
	item, created, err := b.OpenReview(b.t.Context(), lifecycle.ReviewItem{Kind: lifecycle.ReviewCreative, CreativeID: stored[0].ID,
		Content: stored[0].ContentHash(), Author: c.Author, OpenedAt: noon, DueAt: noon.Add(5 * time.Minute),
		Reasons: []lifecycle.Finding{{Rule: "spam", Outcome: lifecycle.Review}}}, workflow, waiters)
	b.must(err)
	if !created || item.Waiting != len(waiters) || item.Status != lifecycle.ReviewAwaiting || item.Reasons[0].Rule != "spam" {
		b.t.Fatalf("%+v created %v", item, created)
	}
	return stored[0], item
}

func TestCreativesAreStoredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := creative("one", "ann", lifecycle.FromPerson), creative("two", "model", lifecycle.FromModel)
	first, err := b.SaveCreatives(t.Context(), []lifecycle.Creative{one, two, one})
	b.must(err)
	if len(first) != 3 || first[0].ID != first[2].ID || first[0].ID == first[1].ID || first[1].Parts != two.Parts {
		t.Fatalf("%+v", first)
	}
	b.must(b.SetCreativeStatus(t.Context(), first[0].ID, lifecycle.CreativeApproved, "bob"))
	again, err := b.SaveCreatives(t.Context(), []lifecycle.Creative{two, one})
	b.must(err)
	want := first[0]
	want.Status, want.ApprovedBy = lifecycle.CreativeApproved, "bob"
	if again[0] != first[1] || again[1] != want {
		t.Errorf("%+v\nwant %+v", again, want)
	}
	if got, err := b.Creative(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for _, slots := range [][]string{nil, {"hello", "other"}} {
		if list, err := b.Creatives(t.Context(), slots); err != nil || len(list) != 2 {
			t.Errorf("%v: %+v %v", slots, list, err)
		}
	}
	wantCode(t, b.SetCreativeStatus(t.Context(), lifecycle.CreativeID(id()), lifecycle.CreativeApproved, "bob"), lifecycle.NotFound)
	wantCode(t, b.SetCreativeStatus(t.Context(), want.ID, "lovely", "bob"), lifecycle.Invalid)
}

func TestDecideReview(t *testing.T) {
	t.Parallel()
	b := setup(t)
	copied, item := b.review(creative("text", "ann", lifecycle.FromPerson), "w1", ledger.Waiter{RunID: lifecycle.RunID(id())})
	decide := func(status lifecycle.ReviewStatus, by, content string) error {
		return b.DecideReview(t.Context(), item.ID, status, by, "fine", content, noon)
	}
	wantCode(t, decide(lifecycle.ReviewApproved, "ann", item.Content), lifecycle.Forbidden)
	wantCode(t, decide(lifecycle.ReviewApproved, "", item.Content), lifecycle.Invalid)
	wantCode(t, decide(lifecycle.ReviewApproved, "bob", "another hash"), lifecycle.Conflict)
	wantCode(t, decide(lifecycle.ReviewAwaiting, "bob", item.Content), lifecycle.Invalid)
	b.must(b.EscalateReview(t.Context(), item.ID, noon.Add(time.Minute)))
	b.must(decide(lifecycle.ReviewApproved, "bob", item.Content))
	b.must(decide(lifecycle.ReviewApproved, "bob", item.Content)) // the activity ran again
	wantCode(t, decide(lifecycle.ReviewRejected, "bob", item.Content), lifecycle.Conflict)
	wantCode(t, decide(lifecycle.ReviewApproved, "eve", item.Content), lifecycle.Conflict)
	wantCode(t, b.DecideReview(t.Context(), lifecycle.ReviewID(id()), lifecycle.ReviewApproved, "bob", "", "", noon), lifecycle.NotFound)
	if c, err := b.Creative(t.Context(), copied.ID); err != nil || c.Status != lifecycle.CreativeApproved || c.ApprovedBy != "bob" {
		t.Errorf("%+v %v", c, err)
	}
	if n := query[int](b, "select count(*) from decision_log where kind = 'review.decided' and actor = 'bob'"); n != 1 {
		t.Errorf("%d records of the decision", n)
	}
	late, created, err := b.OpenReview(t.Context(), item, "w1", []ledger.Waiter{{RunID: lifecycle.RunID(id())}})
	if err != nil || created || late.Status != lifecycle.ReviewApproved || late.Waiting != 1 || !late.EscalatedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("a decided review: %+v %v %v", late, created, err)
	}
	if waiting, err := b.Reviews(t.Context(), lifecycle.ReviewAwaiting, 10); err != nil || len(waiting) != 0 {
		t.Errorf("%+v %v", waiting, err)
	}
	if name, err := b.ReviewWorkflow(t.Context(), item.ID); err != nil || name != "w1" {
		t.Errorf("%q %v", name, err)
	}
	b.verified()
}

func TestReplaceReviewed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old, item := b.review(creative("text", "model", lifecycle.FromModel), "w1")
	edited, err := b.SaveCreatives(t.Context(), []lifecycle.Creative{creative("better text", "ann", lifecycle.FromPerson)})
	b.must(err)
	b.must(b.ReplaceReviewed(t.Context(), item.ID, edited[0]))
	got, err := b.Review(t.Context(), item.ID)
	if err != nil || got.CreativeID != edited[0].ID || got.Content != edited[0].ContentHash() || got.Author != "ann" {
		t.Fatalf("%+v %v", got, err)
	}
	wantCode(t, b.DecideReview(t.Context(), item.ID, lifecycle.ReviewApproved, "ann", "", got.Content, noon), lifecycle.Forbidden)
	wantCode(t, b.DecideReview(t.Context(), item.ID, lifecycle.ReviewApproved, "bob", "", item.Content, noon), lifecycle.Conflict)
	b.must(b.ReplaceReviewed(t.Context(), item.ID, old)) // and back again
	if c, err := b.Creative(t.Context(), old.ID); err != nil || c.Status != lifecycle.CreativeInReview {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := b.Creative(t.Context(), edited[0].ID); err != nil || c.Status != lifecycle.CreativeRetired {
		t.Errorf("%+v %v", c, err)
	}
	b.must(b.DecideReview(t.Context(), item.ID, lifecycle.ReviewRejected, "bob", "", old.ContentHash(), noon))
	wantCode(t, b.ReplaceReviewed(t.Context(), item.ID, edited[0]), lifecycle.Conflict)
}

func TestReleaseWaiters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(3)
	_, err := b.Enrol(t.Context(), ledger.Cohort{Campaign: "c", Journey: "j", Version: 1, EntryKey: "k", Ramp: 1, At: noon})
	b.must(err)
	runs, err := b.DueRuns(t.Context(), "c", noon, 10)
	b.must(err)
	var waiters []ledger.Waiter
	var touches []lifecycle.Touch
	for _, run := range runs {
		next := touch(run, "1")
		next.State = lifecycle.TouchInReview
		touches = append(touches, next)
		waiters = append(waiters, ledger.Waiter{RunID: run.ID, TouchID: next.ID})
		b.must(b.SavePlans(t.Context(), []ledger.Plan{{Touch: next, At: noon, Progress: ledger.Progress{RunID: run.ID}}}, nil))
	}
	if due, pending, err := b.NextDue(t.Context(), "c"); err != nil || !due.IsZero() || pending != len(customers) {
		t.Fatalf("while waiting: due %s, %d pending, %v", due, pending, err)
	}
	stored, err := b.SaveCreatives(t.Context(), []lifecycle.Creative{creative("text", "model", lifecycle.FromModel)})
	b.must(err)
	item, _, err := b.OpenReview(t.Context(), lifecycle.ReviewItem{Kind: lifecycle.ReviewTouch, CreativeID: stored[0].ID, Content: "hash", OpenedAt: noon, DueAt: noon}, "w", waiters[:2])
	b.must(err)
	item, _, err = b.OpenReview(t.Context(), item, "w", waiters[1:])
	if err != nil || item.Waiting != 3 {
		t.Fatalf("%+v %v", item, err)
	}
	reviewed := func(want bool) {
		t.Helper()
		if got, err := b.TouchReviewed(t.Context(), touches[0].ID); err != nil || got != want {
			t.Errorf("reviewed: %v %v", got, err)
		}
	}
	reviewed(false)
	b.must(b.DecideReview(t.Context(), item.ID, lifecycle.ReviewApproved, "bob", "", "hash", noon))
	reviewed(true)
	page, err := b.Waiters(t.Context(), item.ID, 2, "")
	b.must(err)
	rest, err := b.Waiters(t.Context(), item.ID, 2, page[1].RunID)
	if err != nil || len(page) != 2 || len(rest) != 1 {
		t.Fatal(page, rest, err)
	}
	for range 2 {
		b.must(b.ReleaseWaiters(t.Context(), item.ID, page, true, noon.Add(time.Hour)))
		b.must(b.ReleaseWaiters(t.Context(), item.ID, rest, false, noon.Add(time.Hour)))
	}
	states := map[lifecycle.TouchState]int{}
	for _, next := range touches {
		states[b.state(next)]++
	}
	if states[lifecycle.TouchPlanned] != 2 || states[lifecycle.TouchRejected] != 1 {
		t.Errorf("%v", states)
	}
	if due, err := b.DueRuns(t.Context(), "c", noon.Add(time.Hour), 10); err != nil || len(due) != 3 {
		t.Errorf("%d are due: %v", len(due), err)
	}
	if n := query[int](b, "select count(*) from touch_history"); n != 6 {
		t.Errorf("%d entries of history", n)
	}
	b.verified()
}
