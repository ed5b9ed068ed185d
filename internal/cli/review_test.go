package cli_test

import (
	"testing"
	"time"

	"touchstone/internal/copywriter"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// TestReviewListMarksUrgency has one review overdue, one escalated, one in time
// with somebody waiting.
func TestReviewListMarksUrgency(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("r", 1, 120)
	s := tm.store()
	customer, err := s.FindCustomer(t.Context(), "r-1")
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := s.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: customer.ID, EntryKey: "k", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for slot, due := range map[string]time.Duration{"late": -time.Minute, "later": -time.Hour, "calm": time.Hour} {
		parts := lifecycle.Parts{Subject: "Hi {{ " + copywriter.FieldFirstName + " }} " + slot, Text: "A first line.\n\nAnother one."}
		creatives, err := s.SaveCreatives(t.Context(), []lifecycle.Creative{{Slot: slot, Channel: lifecycle.Email, Parts: parts, Source: lifecycle.FromModel,
			Author: "model m", Status: lifecycle.CreativeInReview, CreatedAt: time.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		var waiters []ledger.Waiter
		if slot == "calm" {
			waiters = []ledger.Waiter{{RunID: run.ID}}
		}
		item, _, err := s.OpenReview(t.Context(), lifecycle.ReviewItem{Kind: lifecycle.ReviewCreative, CreativeID: creatives[0].ID, Content: creatives[0].ContentHash(),
			Journey: "winback", Author: "model m", OpenedAt: time.Now().Add(-2 * time.Hour), DueAt: time.Now().Add(due), Status: lifecycle.ReviewAwaiting}, slot, waiters)
		if err != nil {
			t.Fatal(err)
		}
		if slot == "later" {
			if err := s.EscalateReview(t.Context(), item.ID, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := tm.run("review", "list").ok().narrow()
	r.line("late", "2h00m", "0", "OVERDUE").line("later", "0", "ESCALATED").line("calm", "1", "in 59m").line("2 are overdue")
	items := into[[]struct {
		ID, Slot           string
		Overdue, Escalated bool
		Waiting            int
	}](tm.run("review", "list", "--json"))
	if len(items) != 3 || items[0].Slot != "later" || !items[0].Escalated || !items[1].Overdue || items[2].Waiting != 1 {
		t.Errorf("%+v", items)
	}
	shown := tm.run("review", "show", items[0].ID).ok().narrow()
	shown.line("due", "OVERDUE since").line("| Subject:", "Hi Ada later").line("| A first line.").line("what the guardrails note")
	tm.run("creative", "show", ending(items[0].ID)).exits(1) // a review's id is not a creative's
	creatives := into[[]struct{ ID, Status string }](tm.run("creative", "list", "--json"))
	id := ending(creatives[0].ID)
	tm.run("creative", "show", id, "--source").ok().line("| Subject:", "{{ first_name }}")
	tm.run("creative", "retire", id, "--by", "").exits(2).complains("--by")
	tm.run("creative", "retire", id).ok().line("retired " + id)
	tm.run("creative", "retire", id).exits(1).complains("retired already")
	tm.run("creative", "list", "--status", "retired").ok().narrow().line(id, "retired")
	tm.run("audit", "export").ok().line("creative.retired", "jane")
}

func ending(id string) string { return id[len(id)-8:] }
