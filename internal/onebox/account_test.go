package onebox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// sound proves what must hold at any moment, whatever just broke: the ledger
// and the decision log verify, the provider took nothing twice and nothing that
// the ledger does not own up to.
func (h *house) sound(t *testing.T) {
	t.Helper()
	ledgerReport, err := h.Store.VerifyLedger(t.Context())
	must(t, err)
	for _, p := range ledgerReport.Problems {
		t.Errorf("ledger: %s: touch %s: %s", p.Rule, p.TouchID, p.Detail)
	}
	if !ledgerReport.OK && len(ledgerReport.Problems) == 0 {
		t.Error("ledger: not OK, without a problem")
	}
	decisions, err := h.Store.VerifyDecisions(t.Context())
	must(t, err)
	if !decisions.OK {
		t.Errorf("decision log: broken at %d: %s", decisions.BrokenAt, decisions.Why)
	}
	if twice := h.Sandbox.Duplicates(); len(twice) > 0 {
		t.Errorf("the provider took %d touches twice: %v", len(twice), twice[:min(5, len(twice))])
	}
	h.agrees(t)
}

// agrees compares every touch of the ledger with what the provider saw. Sending
// may go on meanwhile, so the ledger is read before and after the provider:
// what it called accepted the provider has, what the provider has it owns up to.
func (h *house) agrees(t *testing.T) {
	t.Helper()
	before := h.touches(t, "")
	all := h.Sandbox.Stats().Touches
	taken := map[lifecycle.TouchID]int{}
	for _, x := range before {
		taken[x.id] = h.Sandbox.AcceptedTouch(string(x.id))
		certain := x.state.Sent() && x.state != lifecycle.TouchUnconfirmed && x.state != lifecycle.TouchSending
		if certain && taken[x.id] != 1 {
			t.Errorf("touch %s of %s is %s, the provider took it %d times", x.id, x.journey, x.state, taken[x.id])
		}
	}
	owned := 0
	for _, x := range h.touches(t, "") {
		if taken[x.id] > 0 && !x.state.Sent() {
			t.Errorf("touch %s of %s is %s (%s), the provider took it %d times", x.id, x.journey, x.state, x.reason, taken[x.id])
		}
		owned += min(h.Sandbox.AcceptedTouch(string(x.id)), 1)
	}
	if owned < all {
		t.Errorf("the provider has %d touches, the ledger knows %d of them", all, owned)
	}
}

// touched is a touch with its run.
type touched struct {
	id             lifecycle.TouchID
	journey, step  string
	customer       string // external id
	state          lifecycle.TouchState
	reason         string
	attempts       int
	entryKey       string
	status         ledger.RunStatus
	runReason      string
	notBefore, due *time.Time
}

// touches lists the touches of a journey, of all when it is empty.
func (h *house) touches(t *testing.T, journey string) []touched {
	t.Helper()
	rows, err := h.db.Query(t.Context(), `select t.id::text, t.journey, t.step, c.external_id, t.state, t.reason, t.attempts,
		coalesce(r.entry_key, ''), coalesce(r.status, ''), coalesce(r.end_reason, ''), t.not_before, r.due_at
		from touches t join customers c on c.id = t.customer_id left join journey_runs r on r.id = t.run_id
		where $1 in ('', t.journey) order by t.planned_at, t.id`, journey)
	must(t, err)
	defer rows.Close()
	var all []touched
	for rows.Next() {
		var x touched
		must(t, rows.Scan(&x.id, &x.journey, &x.step, &x.customer, &x.state, &x.reason, &x.attempts, &x.entryKey, &x.status, &x.runReason, &x.notBefore, &x.due))
		all = append(all, x)
	}
	must(t, rows.Err())
	return all
}

// states counts the touches of a journey by state.
func (h *house) states(t *testing.T, journey string) map[lifecycle.TouchState]int {
	t.Helper()
	count := map[lifecycle.TouchState]int{}
	for _, x := range h.touches(t, journey) {
		count[x.state]++
	}
	return count
}

// standing is a run that has not ended.
type standing struct {
	ledger.Run
	touch *lifecycle.Touch
}

// unended lists the runs of a journey that go on, with the touch they stand at.
func (h *house) unended(t *testing.T, journey string) ([]standing, error) {
	t.Helper()
	var all []standing
	var after lifecycle.RunID
	for {
		runs, err := h.Store.RunsInJourney(t.Context(), journey, []ledger.RunStatus{ledger.RunPending, ledger.RunRunning}, 500, after)
		if err != nil || len(runs) == 0 {
			return all, err
		}
		ids := make([]lifecycle.RunID, len(runs))
		for i, r := range runs {
			ids[i] = r.ID
		}
		situations, err := h.Store.Situations(t.Context(), ids, h.Clock.Now())
		if err != nil {
			return nil, err
		}
		for _, s := range situations {
			all = append(all, standing{s.Run, s.Touch})
		}
		after = ids[len(ids)-1]
	}
}

// waits says whether a run that goes on waits with a reason that time or a
// person will end: a deferred touch, a review, a wait, a pause.
func (s standing) waits() bool {
	switch {
	case s.Held:
		return true
	case s.touch == nil:
		return s.Step != "" && s.Status == ledger.RunRunning // a wait step; its workflow knows the end
	case s.touch.State == lifecycle.TouchInReview:
		return s.touch.Reason != ""
	case s.touch.State == lifecycle.TouchDeferred:
		return s.touch.Reason != "" && !s.touch.NotBefore.IsZero()
	}
	return false
}

func (s standing) String() string {
	text := fmt.Sprintf("run %s %s durable=%v at %q due %s", s.ID, s.Status, s.Durable, s.Step, s.DueAt.Format(time.TimeOnly))
	if s.touch != nil {
		text += fmt.Sprintf(", touch %s %s (%s) not before %s", s.touch.ID, s.touch.State, s.touch.Reason, s.touch.NotBefore.Format(time.TimeOnly))
	}
	return text
}

// ended waits until n runs of a journey have ended and none goes on.
func (h *house) ended(t *testing.T, journey string, n int, limit time.Duration) {
	t.Helper()
	var left []standing
	var count int
	eventually(t, limit, func() string {
		var lines []string
		for _, s := range left[:min(5, len(left))] {
			lines = append(lines, s.String())
		}
		return fmt.Sprintf("%d of %d runs of %s have ended, %d go on:\n%s", count, n, journey, len(left), strings.Join(lines, "\n"))
	}, func() (bool, error) {
		var err error
		if left, err = h.unended(t, journey); err != nil || len(left) > 0 {
			return false, err
		}
		err = h.db.QueryRow(t.Context(), "select count(*) from journey_runs where journey = $1 and status = 'ended'", journey).Scan(&count)
		return count == n, err
	})
	for _, x := range h.touches(t, journey) {
		if x.runReason == "" {
			t.Errorf("the run of touch %s ended without a reason", x.id)
		}
	}
}

// accounted waits until every one of the n runs of a journey has ended or waits
// with a reason that lasts for more than three quarters of a minute of real time.
func (h *house) accounted(t *testing.T, journey string, n int, limit time.Duration) {
	t.Helper()
	var unsettled []standing
	total := 0
	eventually(t, limit, func() string {
		return fmt.Sprintf("%d runs of %s, want %d, these are neither ended nor wait with a reason: %v", total, journey, n, unsettled)
	}, func() (bool, error) {
		open, err := h.unended(t, journey)
		if err != nil {
			return false, err
		}
		unsettled = nil
		for _, s := range open {
			soon := s.touch != nil && s.touch.State == lifecycle.TouchDeferred && s.touch.NotBefore.Sub(h.Clock.Now()) < time.Hour*3/4
			if !s.waits() || soon {
				unsettled = append(unsettled, s)
			}
		}
		err = h.db.QueryRow(t.Context(), "select count(*) from journey_runs where journey = $1", journey).Scan(&total)
		return total == n && len(unsettled) == 0, err
	})
}

// reported waits until the provider has reported on every touch of a journey
// that it took.
func (h *house) reported(t *testing.T, journey string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string { return fmt.Sprintf("reports on %s: %v", journey, h.states(t, journey)) }, func() (bool, error) {
		for _, x := range h.touches(t, journey) {
			if n := h.Sandbox.AcceptedTouch(string(x.id)); n > 0 && x.state != lifecycle.TouchDelivered && x.state != lifecycle.TouchBounced {
				return false, nil
			}
		}
		return true, nil
	})
}

// state asks a journey workflow where its customer stands.
func (h *house) state(t *testing.T, run ledger.Run) (workflows.JourneyState, error) {
	t.Helper()
	var state workflows.JourneyState
	value, err := h.Temporal.QueryWorkflow(t.Context(), workflows.JourneyID(run), "", workflows.QueryState)
	if err != nil {
		return state, err
	}
	return state, value.Get(&state)
}

// campaignDone waits until a campaign is over and compares how many it says it
// enrolled.
func (h *house) campaignDone(t *testing.T, name string, enrolled int) {
	t.Helper()
	var state workflows.CampaignState
	eventually(t, 30*time.Second, func() string { return fmt.Sprintf("the end of campaign %s: %+v", name, state) }, func() (bool, error) {
		var err error
		state, err = h.plane.CampaignProgress(t.Context(), name)
		return state.Status == workflows.StatusDone, err
	})
	if state.Enrolled.Treated != enrolled || state.Pending != 0 {
		t.Errorf("campaign %s is done, enrolled %d of %d, %d to come", name, state.Enrolled.Treated, enrolled, state.Pending)
	}
}
