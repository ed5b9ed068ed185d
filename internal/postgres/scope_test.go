package postgres_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// stage puts a stage of a rollout over winback into force.
func (b bench) stage(number int, scope ledger.Scope) {
	b.t.Helper()
	if number == 1 {
		_, err := b.StartRollout(b.t.Context(), scope.Programme, []byte("x"), scope.Governs, "jane", record("rollout.started", scope.Programme))
		b.must(err)
	}
	scope.Version, scope.At = 1, noon
	b.must(b.ChangeRollout(b.t.Context(), ledger.RolloutChange{Programme: scope.Programme, Version: 1, Number: number, Status: "running",
		Phase: scope.Phase, Stage: scope.Stage, Since: noon, Scope: &scope, Record: record("rollout.entered", scope.Programme)}))
}

func record(kind, subject string) ledger.Record {
	return ledger.Record{At: noon, Kind: kind, Actor: "jane", Subject: subject, Body: []byte(`{"why":"test"}`)}
}

func pilot(share float64) ledger.Scope {
	return ledger.Scope{Programme: "pilot", Phase: "one", Stage: fmt.Sprint(share), Governs: []string{"winback", "welcome"}, Journeys: []string{"winback"},
		Share: share}
}

// Entries by event and by cohort go through the same draw, which is the one of
// the programme and nothing else, and other journeys do not notice.
func TestScopeAdmits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(200)
	scope := pilot(0.3)
	scope.Cohort = "attributes.vip"
	b.stage(1, scope)
	inside := func(i int, share float64) bool { return i%2 == 0 && bucket("rollout/pilot", customers[i]) < share }
	enter := func(i int, journey, key string) bool {
		_, entered, err := b.Enter(t.Context(), ledger.Entry{Journey: journey, Version: 1, CustomerID: customers[i], EntryKey: key, At: noon, Always: true})
		b.must(err)
		return entered
	}
	admitted := 0
	for i := range customers {
		if got := enter(i, "winback", "a"); got != inside(i, 0.3) {
			t.Errorf("customer %d (bucket %.3f) entered: %v", i, bucket("rollout/pilot", customers[i]), got)
		} else if got {
			admitted++
		}
		if enter(i, "welcome", "a") {
			t.Errorf("customer %d entered a journey that is not part of the stage", i)
		}
		if !enter(i, "cart", "a") {
			t.Errorf("customer %d did not enter a journey that nothing governs", i)
		}
	}
	if admitted < 15 || admitted > 50 {
		t.Errorf("%d of 100 in the cohort were admitted at 30%%", admitted)
	}
	n, err := b.CountScope(t.Context(), scope, noon)
	b.must(err)
	if n != admitted {
		t.Errorf("%d are counted, %d were admitted", n, admitted)
	}
	cohort := ledger.Cohort{Campaign: "spring", Journey: "winback", Version: 1, Where: "c.external_id > $1::text", Args: []any{"c000049"},
		EntryKey: "spring", Ramp: 1, At: noon, Always: true}
	first, err := b.Enrol(t.Context(), cohort)
	b.must(err)
	want := 0
	for i := 50; i < 200; i++ {
		if inside(i, 0.3) {
			want++
		}
	}
	if first.Treated != want {
		t.Errorf("%d were enrolled, want %d", first.Treated, want)
	}
	// The stage grows: whoever was in stays in, others come.
	scope.Share, scope.Cohort = 0.6, ""
	b.stage(2, scope)
	again, err := b.Enrol(t.Context(), cohort)
	b.must(err)
	larger := 0
	for i := 50; i < 200; i++ {
		if bucket("rollout/pilot", customers[i]) < 0.6 {
			larger++
		}
	}
	if got := query[int](b, "select count(*) from journey_runs where campaign = 'spring'"); got != larger || again.Treated < larger-want {
		t.Errorf("%d are enrolled in the larger stage, want %d", got, larger)
	}
	// A run that exists is found even when its customer is outside by now.
	scope.Share = 0
	b.stage(3, scope)
	run, entered, err := b.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: customers[firstInside(customers, 0.3)], EntryKey: "a", At: noon, Always: true})
	if err != nil || entered || run.EntryKey != "a" {
		t.Errorf("a repeated entry: %+v %v %v", run, entered, err)
	}
	report, err := b.VerifyDecisions(t.Context())
	if err != nil || !report.OK {
		t.Errorf("the decision log: %+v %v", report, err)
	}
}

func firstInside(customers []lifecycle.CustomerID, share float64) int {
	for i, c := range customers {
		if i%2 == 0 && bucket("rollout/pilot", c) < share {
			return i
		}
	}
	return -1
}

// Stepping back holds whoever is outside the smaller stage where they are, and
// growing lets exactly those go on: nobody is lost, nobody is released early.
func TestScopeHoldsAndReleases(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(120)
	b.stage(1, pilot(0.8))
	_, err := b.Enrol(t.Context(), ledger.Cohort{Campaign: "spring", Journey: "winback", Version: 1, EntryKey: "s", Ramp: 1, At: noon, Always: true})
	b.must(err)
	var durable []ledger.Run
	for i, c := range customers[:40] {
		if run, entered, err := b.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: c, EntryKey: fmt.Sprint("d", i), At: noon, Always: true}); err != nil {
			t.Fatal(err)
		} else if entered {
			durable = append(durable, run)
		}
	}
	within := func(share float64) (n int) {
		for _, c := range customers {
			if bucket("rollout/pilot", c) < share {
				n++
			}
		}
		return n
	}
	due := func() int {
		runs, err := b.DueRuns(t.Context(), "spring", noon, 1000)
		b.must(err)
		return len(runs)
	}
	if due() != within(0.8) {
		t.Fatalf("%d are due, want %d", due(), within(0.8))
	}
	back := pilot(0.2)
	b.stage(2, back)
	parked := 0
	for {
		n, err := b.ParkOutside(t.Context(), back, noon, 10)
		b.must(err)
		if parked += n; n < 10 {
			break
		}
	}
	if parked != within(0.8)-within(0.2) || due() != within(0.2) {
		t.Errorf("%d are held and %d due, want %d and %d", parked, due(), within(0.8)-within(0.2), within(0.2))
	}
	if again, err := b.ParkOutside(t.Context(), back, noon, 1000); err != nil || again != 0 {
		t.Errorf("holding again held %d, %v", again, err)
	}
	ids := make([]lifecycle.RunID, len(durable))
	for i, r := range durable {
		ids[i] = r.ID
	}
	a, err := b.Admission(t.Context(), ids, noon)
	b.must(err)
	for _, r := range durable {
		sms := lifecycle.Touch{RunID: r.ID, Journey: "winback", Channel: lifecycle.SMS}
		if out := bucket("rollout/pilot", r.CustomerID) >= 0.2; (a.Stops(sms) != "") != out {
			t.Errorf("a touch of a customer in bucket %.3f: %q", bucket("rollout/pilot", r.CustomerID), a.Stops(sms))
		}
	}
	grown := pilot(0.5)
	b.stage(3, grown)
	var released []ledger.Run
	var after lifecycle.RunID
	for {
		page, err := b.ReleaseInside(t.Context(), grown, noon, true, 7, after)
		b.must(err)
		if released = append(released, page...); len(page) < 7 {
			break
		}
		after = page[len(page)-1].ID
	}
	if len(released) != within(0.5)-within(0.2) || due() != within(0.5) {
		t.Errorf("%d were released and %d are due, want %d and %d", len(released), due(), within(0.5)-within(0.2), within(0.5))
	}
}

func TestAdmissionKnowsChannelsAndAgents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	none, err := b.Admission(t.Context(), nil, noon)
	b.must(err)
	touch := lifecycle.Touch{Journey: "winback", Channel: lifecycle.SMS, Agent: "winback"}
	if none.Stops(touch) != "" || none.ReviewsAll("winback") {
		t.Error("without a rollout nothing is held back")
	}
	scope := pilot(1)
	scope.Channels, scope.Agents, scope.ReviewAll = []lifecycle.Channel{lifecycle.Email}, []string{"campaign"}, true
	b.stage(1, scope)
	a, err := b.Admission(t.Context(), nil, noon)
	b.must(err)
	for want, touch := range map[string]lifecycle.Touch{
		"rollout pilot, stage 1: channel sms is not part of it":     touch,
		"rollout pilot, stage 1: agent winback is not part of it":   {Journey: "winback", Channel: lifecycle.Email, Agent: "winback"},
		"rollout pilot, stage 1: journey welcome is not part of it": {Journey: "welcome", Channel: lifecycle.Email, Agent: "campaign"},
		"": {Journey: "winback", Channel: lifecycle.Email, Agent: "campaign"},
	} {
		if got := a.Stops(touch); got != want {
			t.Errorf("%+v: %q, want %q", touch, got, want)
		}
	}
	if a.Stops(lifecycle.Touch{Journey: "cart", Channel: lifecycle.SMS}) != "" || !a.ReviewsAll("winback") || a.ReviewsAll("cart") {
		t.Error("a journey that nothing governs is held back")
	}
}

func TestRolloutChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.stage(1, pilot(0.1))
	_, err := b.StartRollout(ctx, "pilot", []byte("y"), nil, "jane", record("rollout.started", "pilot"))
	wantCode(t, err, lifecycle.Conflict)
	_, err = b.StartRollout(ctx, "other", []byte("y"), []string{"cart", "winback"}, "jane", record("rollout.started", "other"))
	wantCode(t, err, lifecycle.Conflict)
	if v, err := b.StartRollout(ctx, "other", []byte("y"), []string{"cart"}, "jane", record("rollout.started", "other")); err != nil || v != 1 {
		t.Errorf("a programme over other journeys: %d %v", v, err)
	}
	// Somebody's own stop stays when a halt is lifted.
	b.must(b.SetControl(ctx, ledger.Control{Scope: ledger.ScopeJourney, Name: "welcome", State: ledger.ControlPaused, By: "ann"}, noon))
	change := ledger.RolloutChange{Programme: "pilot", Version: 1, Number: 2, Status: "halted", Phase: "one", Stage: "0.1", Since: noon,
		Halt: "complaints", Governs: []string{"winback", "welcome"}, Record: record("rollout.halted", "pilot")}
	b.must(b.ChangeRollout(ctx, change))
	b.must(b.ChangeRollout(ctx, change)) // once is enough
	states := func() map[string]ledger.ControlState {
		controls, err := b.Controls(ctx)
		b.must(err)
		m := map[string]ledger.ControlState{}
		for _, c := range controls {
			m[c.Name] = c.State
		}
		return m
	}
	if s := states(); s["winback"] != ledger.ControlHalted || s["welcome"] != ledger.ControlPaused {
		t.Errorf("halted: %v", s)
	}
	change.Number, change.Status, change.Halt, change.Resume, change.Record = 3, "running", "", true, record("rollout.resumed", "pilot")
	change.Ticks = map[string]ledger.Tick{"one/trained": {By: "ann", At: noon}}
	b.must(b.ChangeRollout(ctx, change))
	if s := states(); s["winback"] != ledger.ControlRunning || s["welcome"] != ledger.ControlPaused {
		t.Errorf("resumed: %v", s)
	}
	text, err := json.Marshal(map[string]string{"stage": "0.1"})
	b.must(err)
	b.must(b.SaveAssessment(ctx, "pilot", 1, text))
	row, err := b.Rollout(ctx, "pilot", 0)
	b.must(err)
	if row.Changes != 3 || row.Status != "running" || row.Ticks["one/trained"].By != "ann" || !row.Since.Equal(noon) || len(row.Assessment) == 0 {
		t.Errorf("%+v", row)
	}
	timeline, err := b.RolloutTimeline(ctx, "pilot", noon)
	b.must(err)
	if len(timeline) != 4 || timeline[2].Kind != "rollout.halted" || timeline[2].Why != "test" {
		t.Errorf("%+v", timeline)
	}
	wantCode(t, b.LiftScope(ctx, "other", record("rollout.lifted", "other")), lifecycle.NotFound)
	b.must(b.LiftScope(ctx, "pilot", record("rollout.lifted", "pilot")))
	if scopes, err := b.Scopes(ctx); err != nil || len(scopes) != 0 {
		t.Errorf("%v %v", scopes, err)
	}
	if rows, err := b.Rollouts(ctx); err != nil || len(rows) != 2 {
		t.Errorf("%v %v", rows, err)
	}
}

// Two touches of one customer are one customer reached.
func TestRolloutSample(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(3)
	for i, c := range customers {
		run := b.enter(c, "winback", "a")
		for _, step := range []string{"one", "two"} {
			x := touch(run, step)
			b.plan(x)
			b.exec("update touches set state = 'delivered', sent_at = $2 where id = $1", string(x.ID), noon.Add(time.Duration(i)*day))
		}
	}
	for journey, want := range map[string]int{"": 2, "winback": 2, "welcome": 0} {
		var journeys []string
		if journey != "" {
			journeys = []string{journey}
		}
		n, err := b.RolloutSample(t.Context(), journeys, noon, noon.Add(2*day))
		b.must(err)
		if n != want {
			t.Errorf("journey %q: %d customers", journey, n)
		}
	}
}
