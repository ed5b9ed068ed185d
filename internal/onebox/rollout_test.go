package onebox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"touchstone/internal/experiment"
	"touchstone/internal/ledger"
	"touchstone/workflows"
)

const growing = `programme: {name}
journeys: [{name}]
check: 1m
phases:
  - phase: only
    go_no_go: false
    stages:
      - {stage: few, share: 60%, hold: 1m, sample: 30}
      - {stage: all, share: 100%, hold: 1000d, sample: 0}
`

// A programme on the real engines: a journey reaches the customers of its first
// stage only; when its hold time and sample are met, the others follow. Nobody is written to twice.
func TestRolloutReachesAStageFirst(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	const people = 80
	name := unique("stages")
	ids := h.customers(t, name, "ada", people)
	members := map[string]bool{}
	for _, id := range ids {
		if experiment.Bucket("rollout/"+name, string(h.customer(t, id))) < 0.6 {
			members[id] = true
		}
	}
	h.listen(t, name, triggered)
	source := []byte(strings.ReplaceAll(growing, "{name}", name))
	_, err := h.plane.StartRollout(t.Context(), name+".yaml", source, "maria")
	must(t, err)
	stage := func(want string) {
		t.Helper()
		var row ledger.RolloutRow
		eventually(t, 40*time.Second, func() string {
			return fmt.Sprintf("stage %s, it is %s in %s: %s", want, row.Status, row.Stage, row.Assessment)
		},
			func() (bool, error) {
				var err error
				row, err = h.Store.Rollout(t.Context(), name, 0)
				return row.Stage == want, err
			})
	}
	stage("few")
	time.Sleep(1100 * time.Millisecond) // a worker trusts what it knows of the stage for a second
	h.trackAll(t, ids, "Did "+name)
	h.ended(t, name, len(members), 40*time.Second)
	for _, id := range ids {
		if runs := h.runs(t, name, id); (len(runs) == 1) != members[id] {
			t.Errorf("%s, in the stage %v, has %d runs", id, members[id], len(runs))
		}
	}
	stage("all")
	time.Sleep(1100 * time.Millisecond)
	h.trackAll(t, ids, "Did "+name)
	h.ended(t, name, people, 40*time.Second)
	h.reported(t, name)
	must(t, h.plane.ActOnRollout(t.Context(), name, workflows.RolloutAct{Act: workflows.SignalAbort, By: "maria", Note: "over"}))
	must(t, h.plane.LiftRollout(t.Context(), name, "maria"))
	h.sound(t)
}

// On a scaled clock the report of the last week is written soon, and once.
func TestReportsAreScheduledOnAScaledClock(t *testing.T) {
	h := open(t)
	t.Parallel()
	handle := h.Temporal.ScheduleClient().GetHandle(t.Context(), workflows.ReportID("weekly"))
	var described *client.ScheduleDescription
	eventually(t, 40*time.Second, say("the report is scheduled"), func() (done bool, err error) {
		described, err = handle.Describe(t.Context())
		return err == nil, err
	})
	if every := described.Schedule.Spec.Intervals[0].Every; every != 7*24*time.Hour/2/factor {
		t.Errorf("it is looked every %s", every)
	}
	must(t, handle.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	var made time.Time
	eventually(t, 40*time.Second, say("the report is kept"), func() (bool, error) {
		kept, err := h.Store.SavedReports(t.Context(), 1)
		if len(kept) == 1 {
			made = kept[0].MadeAt
		}
		return len(kept) == 1, err
	})
	eventually(t, 40*time.Second, say("the schedule ran twice"), func() (bool, error) {
		if err := handle.Trigger(t.Context(), client.ScheduleTriggerOptions{Overlap: enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL}); err != nil {
			return false, err
		}
		described, err := handle.Describe(t.Context())
		return err == nil && described.Info.NumActions >= 2, err
	})
	kept, err := h.Store.SavedReports(t.Context(), 2)
	must(t, err)
	if len(kept) != 1 || !kept[0].MadeAt.Equal(made) {
		t.Errorf("kept %v, first made at %s", kept, made)
	}
}
