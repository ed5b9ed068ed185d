package onebox_test

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
)

// TestFaultRaceForOneSlot sends two campaigns and an event-triggered journey to
// the same customers at the same moment: the daily cap has one slot each.
func TestFaultRaceForOneSlot(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	const people = 120
	cohort := unique("race")
	ids := h.customers(t, cohort, "ada", people)
	var rivals []string
	for i, slot := range []string{"suite/note", "suite/second", "suite/third"} {
		name := unique(cohort + "-rival")
		source := strings.ReplaceAll(broadcast, "suite/note", slot)
		if i == 2 {
			source = strings.ReplaceAll(triggered, "suite/note", slot)
		}
		source = strings.ReplaceAll(source, `cohort == "{name}"`, `cohort == "`+cohort+`"`)
		h.listen(t, name, source)
		rivals = append(rivals, name)
	}
	h.campaign(t, control.Campaign{Name: rivals[0], Journey: rivals[0]})
	h.campaign(t, control.Campaign{Name: rivals[1], Journey: rivals[1]})
	h.trackAll(t, ids, "Did "+rivals[2])
	for _, rival := range rivals {
		h.accounted(t, rival, people, 90*time.Second)
	}
	sent, waiting := map[string]int{}, 0
	for _, rival := range rivals {
		for _, x := range h.touches(t, rival) {
			switch {
			case x.state.Sent():
				sent[x.customer]++
			case x.state == lifecycle.TouchDeferred && strings.Contains(x.reason, "frequency-cap"):
				waiting++
			default:
				t.Errorf("touch %s of %s is %s: %s", x.id, rival, x.state, x.reason)
			}
		}
	}
	for _, id := range ids {
		if sent[id] != 1 {
			t.Errorf("customer %s got %d messages", id, sent[id])
		}
	}
	if waiting != 2*people {
		t.Errorf("%d touches wait for a slot, want %d", waiting, 2*people)
	}
	h.sound(t)
}
