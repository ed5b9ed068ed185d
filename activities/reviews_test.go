package activities_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/copywriter"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// reviewed is the review activities with one creative by a model in review.
func reviewed(t *testing.T) (*fixture, *activities.Reviews, *lifecycle.ReviewItem) {
	t.Helper()
	f := newFixture(t, oneTouch)
	c := &f.store.creatives[0]
	c.Source, c.Author, c.Status = lifecycle.FromModel, "gpt", lifecycle.CreativeInReview
	f.prepare(noon)
	reviews := &activities.Reviews{
		Reviews: f.store, Creatives: f.store, Runs: f.store, Renderer: copywriter.NewRenderer(), Links: links{}, Brand: f.Brand, Policy: f.Policy,
		Starter: f.starter, Now: func() time.Time { return noon.Add(time.Hour) },
	}
	return f, reviews, f.store.reviews[0]
}

func TestBriefShowsWhatAReviewerNeeds(t *testing.T) {
	t.Parallel()
	f, reviews, item := reviewed(t)
	brief, err := reviews.Brief(t.Context(), activities.ReviewID{ID: item.ID})
	if err != nil {
		t.Fatal(err)
	}
	creative := f.store.creatives[0]
	for _, want := range []string{"winback", "email", "gpt", "approve_copy", "reject_copy", "edit_copy", item.Content[:12], `{"by":"your name"`, f.Brand.Name, "Send a Signal"} {
		if !strings.Contains(brief.Markdown, want) {
			t.Errorf("the brief lacks %q:\n%s", want, brief.Markdown)
		}
	}
	for _, token := range []string{"{namespace}", "{workflowId}", "{runId}", "{{"} {
		if strings.Contains(brief.Markdown, token) {
			t.Errorf("the Temporal UI would replace %s, or the copy is not rendered", token)
		}
	}
	if len(brief.Markdown) > 6000 {
		t.Errorf("the brief has %d bytes: proxies refuse that in an address", len(brief.Markdown))
	}
	equal(t, "content", brief.Content, creative.ContentHash())
	equal(t, "by a person", brief.Person, false)
	equal(t, "status", brief.Status, lifecycle.ReviewAwaiting)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		change  func(*activities.DecideInput, *lifecycle.ReviewItem)
		done    bool
		refused string
	}{
		{"approve", nil, true, ""},
		{"reject", func(in *activities.DecideInput, _ *lifecycle.ReviewItem) { in.Status = lifecycle.ReviewRejected }, true, ""},
		{"by the author", func(in *activities.DecideInput, _ *lifecycle.ReviewItem) { in.By = "gpt" }, false, "cannot approve"},
		{"other content", func(in *activities.DecideInput, _ *lifecycle.ReviewItem) { in.Content = "stale" }, false, "has changed"},
		{"decided otherwise before", func(_ *activities.DecideInput, item *lifecycle.ReviewItem) {
			item.Status, item.DecidedBy = lifecycle.ReviewRejected, "tom"
		}, true, "already"},
		{"our own earlier attempt", func(_ *activities.DecideInput, item *lifecycle.ReviewItem) {
			item.Status, item.DecidedBy = lifecycle.ReviewApproved, "jane"
		}, true, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, reviews, item := reviewed(t)
			in := activities.DecideInput{ID: item.ID, Status: lifecycle.ReviewApproved, By: "jane", Content: item.Content, At: noon}
			if c.change != nil {
				c.change(&in, item)
			}
			decided, err := reviews.Decide(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "done", decided.Done, c.done)
			if c.refused == "" && decided.Refused != "" || !strings.Contains(decided.Refused, c.refused) {
				t.Errorf("refused: got %q, want %q", decided.Refused, c.refused)
			}
		})
	}
}

func TestDecideOnNothingFails(t *testing.T) {
	t.Parallel()
	_, reviews, _ := reviewed(t)
	_, err := reviews.Decide(t.Context(), activities.DecideInput{ID: "nobody"})
	equal(t, "code", activities.ErrorCode(err), lifecycle.NotFound)
	equal(t, "retryable", retryable(err), false)
}

func TestEditReplacesTheCopyUnderReview(t *testing.T) {
	t.Parallel()
	f, reviews, item := reviewed(t)
	before := f.store.creatives[0]
	decided, err := reviews.Edit(t.Context(), activities.EditInput{ID: item.ID, By: "tom", Parts: lifecycle.Parts{Subject: "A calmer subject"}})
	if err != nil || !decided.Done || decided.Refused != "" {
		t.Fatalf("got %+v, %v", decided, err)
	}
	edited := f.store.creatives[len(f.store.creatives)-1]
	equal(t, "subject", edited.Parts.Subject, "A calmer subject")
	equal(t, "text is kept", edited.Parts.Text, before.Parts.Text)
	equal(t, "author", edited.Author, "tom")
	equal(t, "source", edited.Source, lifecycle.FromPerson)
	equal(t, "status", edited.Status, lifecycle.CreativeInReview)
	equal(t, "review is of the new copy", item.Content, edited.ContentHash())

	brief, err := reviews.Brief(t.Context(), activities.ReviewID{ID: item.ID})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by a person", brief.Person, true)
	self, err := reviews.Decide(t.Context(), activities.DecideInput{ID: item.ID, Status: lifecycle.ReviewApproved, By: "tom", Content: item.Content, At: noon})
	if err != nil || self.Done || !strings.Contains(self.Refused, "cannot approve") {
		t.Errorf("self-approval: got %+v, %v", self, err)
	}
}

func TestEditIsRefused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		in   activities.EditInput
		why  string
	}{
		{"without a name", activities.EditInput{Parts: lifecycle.Parts{Subject: "x"}}, "needs your name"},
		{"without a part", activities.EditInput{By: "tom"}, "at least one part"},
		{"with an invented offer", activities.EditInput{By: "tom", Parts: lifecycle.Parts{Subject: "90% off everything"}}, "cannot be sent"},
		{"with a foreign link", activities.EditInput{By: "tom", Parts: lifecycle.Parts{Text: "Look at https://evil.example/x {{ unsubscribe_url }} {{ brand.address }}"}}, "cannot be sent"},
		{"with an unknown field", activities.EditInput{By: "tom", Parts: lifecycle.Parts{Subject: "Hello {{ password }}"}}, "cannot be sent"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, reviews, item := reviewed(t)
			c.in.ID = item.ID
			decided, err := reviews.Edit(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if decided.Done || !strings.Contains(decided.Refused, c.why) {
				t.Errorf("got %+v, want a refusal with %q", decided, c.why)
			}
			equal(t, "creatives", len(f.store.creatives), 1)
		})
	}
}

func TestEscalate(t *testing.T) {
	t.Parallel()
	_, reviews, item := reviewed(t)
	if err := reviews.Escalate(t.Context(), activities.ReviewID{ID: item.ID}); err != nil {
		t.Fatal(err)
	}
	equal(t, "escalated", item.EscalatedAt.IsZero(), false)
}

func TestReleaseWakesWhoWaited(t *testing.T) {
	t.Parallel()
	for _, status := range []lifecycle.ReviewStatus{lifecycle.ReviewApproved, lifecycle.ReviewRejected, lifecycle.ReviewExpired} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			f, reviews, item := reviewed(t)
			for i := range 700 {
				id := lifecycle.RunID(fmt.Sprintf("waiting-%03d", i))
				f.enter("c-1", id, "winback")
				f.store.waiters[item.ID] = append(f.store.waiters[item.ID], ledger.Waiter{RunID: id})
			}
			ended := f.store.runs["waiting-000"]
			ended.Status = ledger.RunEnded
			if err := f.store.DecideReview(t.Context(), item.ID, status, "jane", "", item.Content, noon); err != nil {
				t.Fatal(err)
			}
			in, total := activities.ReleaseInput{ID: item.ID}, 0
			for pages := 0; ; pages++ {
				released, err := reviews.Release(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				total += released.Count
				if in.After = released.After; in.After == "" {
					break
				}
				if pages > 3 {
					t.Fatal("the release does not end")
				}
			}
			equal(t, "released", total, 701)
			equal(t, "woken, without the one that has ended", len(f.starter.woken), 700)
			equal(t, "signal", f.starter.woken[0], "run-1 "+activities.SignalReviewDecided)
			// Nobody waits for copy that was not approved any longer.
			want := map[lifecycle.ReviewStatus]lifecycle.CreativeStatus{
				lifecycle.ReviewApproved: lifecycle.CreativeApproved, lifecycle.ReviewRejected: lifecycle.CreativeRejected, lifecycle.ReviewExpired: lifecycle.CreativeRetired,
			}[status]
			equal(t, "creative", f.store.creatives[0].Status, want)
		})
	}
}
