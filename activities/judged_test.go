package activities_test

import (
	"strings"
	"testing"

	"touchstone/internal/lifecycle"
)

// Customers with the same words share a judgement; a customer whose own words
// break a rule, or copy that changes, is judged for itself.
func TestSameWordsAreJudgedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, oneTouch)
	ids := f.cohort(6)
	rude := f.store.profiles["p-003"]
	rude.Customer.FirstName = "Save 50% today"
	f.store.profiles["p-003"] = rude
	f.page(noon, 500)
	for i, id := range ids {
		want := lifecycle.TouchAccepted
		if i == 3 {
			want = lifecycle.TouchBlocked
		}
		touch := f.store.step(id, "nudge")
		equal(t, "touch of "+string(id), touch.State, want)
		if i == 3 && !strings.Contains(touch.Reason, "claims") {
			t.Errorf("it was blocked for %s", touch.Reason)
		}
	}
	for i, m := range f.provider.messages {
		if want := (links{}).Unsubscribe(lifecycle.CustomerID(strings.TrimSuffix(m.To, "@mail.example")), lifecycle.Email); !strings.Contains(m.Text, want) || strings.Count(m.HTML, "/u/") != strings.Count(f.provider.messages[0].HTML, "/u/") {
			t.Errorf("message %d to %s does not have its own link %s", i, m.To, want)
		}
	}
	f.store.creatives[0].Parts.Text += " Free shipping for everybody!"
	f.customer("late")
	run := f.enter("late", "run-late", "winback")
	run.Campaign, run.Status, run.DueAt = "spring", "pending", noon
	f.page(noon, 500)
	if touch := f.store.step("run-late", "nudge"); touch.State == lifecycle.TouchAccepted {
		t.Errorf("changed copy went out on the judgement of the old: %+v", touch)
	}
}
