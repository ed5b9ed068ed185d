package onebox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/ingest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// TestCampaignWithHoldoutAndRamp imports customers and orders from files and
// sends a campaign to those who ever ordered: first to a part, then to all, and
// never to the holdout.
func TestCampaignWithHoldoutAndRamp(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	const people, buyers = 240, 160
	name := unique("spring")
	ids := h.customers(t, name, "ada", people)
	var file strings.Builder
	file.WriteString("order_id,external_id,at,total,currency,items,first_item\n")
	for i, id := range ids[:buyers] {
		fmt.Fprintf(&file, "%s-o%d,%s,%s,59.90,USD,1,Linen sheet\n", name, i, id, h.Clock.Now().AddDate(0, 0, -10-i).Format(time.RFC3339))
	}
	h.importFile(t, "orders", file.String(), ingest.Mapping{}, buyers)
	h.store(t, name, strings.Replace(broadcast, `"{name}"`, `"{name}" && orders.count >= 1`, 1))

	// The part of the cohort is sent to and the campaign is over before anybody
	// enlarges it.
	h.campaign(t, control.Campaign{Name: name, Journey: name, Ramp: 0.3, Holdout: 0.25})
	first := h.arms(t, name, func(n map[ledger.Arm]int) bool { return n[ledger.Treated] > 0 })
	h.ended(t, name, first[ledger.Treated]+first[ledger.Holdout], 40*time.Second)
	if n := first[ledger.Treated] + first[ledger.Holdout]; n < buyers/6 || n > buyers/2 {
		t.Errorf("a ramp of 0.3 took %d of %d", n, buyers)
	}
	if _, err := h.plane.RampCampaign(t.Context(), name, 0.2, "maria"); err == nil {
		t.Error("a ramp shrank")
	}
	_, err := h.plane.RampCampaign(t.Context(), name, 1, "maria")
	must(t, err)
	h.arms(t, name, func(n map[ledger.Arm]int) bool { return n[ledger.Treated]+n[ledger.Holdout] == buyers })
	h.ended(t, name, buyers, 40*time.Second)
	h.reported(t, name)

	all := h.arms(t, name, func(map[ledger.Arm]int) bool { return true })
	if all[ledger.Holdout] < buyers/8 || all[ledger.Holdout] > buyers*3/8 || all[ledger.GlobalHoldout] != 0 {
		t.Errorf("arms: %v", all)
	}
	if states := h.states(t, name); states[lifecycle.TouchDelivered] != all[ledger.Treated] || len(states) != 1 {
		t.Errorf("%d treated, touches %v", all[ledger.Treated], states)
	}
	row, err := h.Store.Campaign(t.Context(), name)
	must(t, err)
	if row.Ramp != 1 {
		t.Errorf("the campaign is stored with ramp %v", row.Ramp)
	}
}

// arms counts the runs of a journey by arm once enough are there.
func (h *house) arms(t *testing.T, journey string, enough func(map[ledger.Arm]int) bool) map[ledger.Arm]int {
	t.Helper()
	var count map[ledger.Arm]int
	eventually(t, 40*time.Second, func() string { return fmt.Sprintf("the runs of %s: %v", journey, count) }, func() (bool, error) {
		count = map[ledger.Arm]int{}
		rows, err := h.db.Query(t.Context(), "select arm, count(*) from journey_runs where journey = $1 group by 1", journey)
		if err != nil {
			return false, err
		}
		defer rows.Close()
		for rows.Next() {
			var arm ledger.Arm
			var n int
			if err := rows.Scan(&arm, &n); err != nil {
				return false, err
			}
			count[arm] = n
		}
		return enough(count), rows.Err()
	})
	return count
}

// TestCampaignIsHaltedFromTheTemporalUI sends the signals halt and resume as
// the UI does, without data.
func TestCampaignIsHaltedFromTheTemporalUI(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	name := unique("halted")
	h.customers(t, name, "ada", 90)
	h.store(t, name, broadcast)
	h.campaign(t, control.Campaign{Name: name, Journey: name, PerMinute: 30}) // the next page is a minute away
	progress := func(what string, ok func(workflows.CampaignState) bool) workflows.CampaignState {
		t.Helper()
		var state workflows.CampaignState
		eventually(t, 30*time.Second, func() string { return fmt.Sprintf("%s: %+v", what, state) }, func() (bool, error) {
			var err error
			state, err = h.plane.CampaignProgress(t.Context(), name)
			return err == nil && ok(state), err
		})
		return state
	}
	progress("the first page", func(s workflows.CampaignState) bool { return s.Sent == 30 && s.Pending == 60 })
	h.signal(t, workflows.CampaignID(name), workflows.SignalHalt, nil)
	progress("halted", func(s workflows.CampaignState) bool { return s.Status == workflows.StatusHalted })
	eventually(t, 10*time.Second, say("the status halted in the store"), func() (bool, error) {
		row, err := h.Store.Campaign(t.Context(), name)
		return row.Status == workflows.StatusHalted, err
	})
	h.signal(t, workflows.CampaignID(name), workflows.SignalResume, nil)
	progress("the second page", func(s workflows.CampaignState) bool { return s.Sent == 60 && s.Pending == 30 })
	if n := len(h.touches(t, name)); n != 60 {
		t.Errorf("%d touches after two pages of 30", n)
	}
	h.signal(t, workflows.CampaignID(name), workflows.SignalHalt, nil)
	progress("halted for good", func(s workflows.CampaignState) bool { return s.Status == workflows.StatusHalted })
}
