package postgres_test

import (
	"reflect"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestSavePlansKeepsWhatIsFurther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.enter(b.customers(1)[0], "winback", "a")
	planned := touch(run, "1")
	b.plan(planned)
	again := planned
	again.ID, again.State, again.NotBefore, again.Reason, again.OfferID = lifecycle.TouchID(id()), lifecycle.TouchDeferred, noon.Add(day), "quiet hours", "ten"
	b.plan(again)
	b.plan(again) // repeated: no further history
	got, err := b.TouchByKey(t.Context(), planned.Key)
	b.must(err)
	if got.ID != planned.ID || got.State != lifecycle.TouchDeferred || !got.NotBefore.Equal(noon.Add(day)) || got.OfferID != "ten" {
		t.Fatalf("%+v", got)
	}
	if n := query[int](b, "select count(*) from touch_history"); n != 2 {
		t.Errorf("%d entries of history", n)
	}
	b.reserve(planned, noon)
	b.plan(as(planned, lifecycle.TouchPlanned)) // a late plan does not undo a reservation
	if s := b.state(planned); s != lifecycle.TouchSending {
		t.Fatalf("planned over sending: %s", s)
	}
	b.settle(planned, lifecycle.TouchAccepted, noon)
	for _, state := range []lifecycle.TouchState{lifecycle.TouchPlanned, lifecycle.TouchBlocked, lifecycle.TouchDeferred} {
		b.plan(as(planned, state))
		if s := b.state(planned); s != lifecycle.TouchAccepted {
			t.Fatalf("%s over accepted: %s", state, s)
		}
	}
	err = b.SavePlans(t.Context(), []ledger.Plan{{Touch: as(planned, lifecycle.TouchSending), At: noon}}, nil)
	wantCode(t, err, lifecycle.Invalid)
	b.verified()
}

func as(t lifecycle.Touch, state lifecycle.TouchState) lifecycle.Touch {
	t.State, t.Reason = state, "again"
	return t
}

// Either everything of a batch is stored or nothing.
func TestSavePlansIsOneTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.enter(b.customers(1)[0], "winback", "a")
	plans := []ledger.Plan{{Touch: touch(run, "1"), At: noon}, {Progress: ledger.Progress{RunID: lifecycle.RunID(id()), Step: "x"}}}
	record := ledger.Record{At: noon, Kind: "touch.planned", Actor: "engine", RunID: run.ID, Body: []byte(`{"a":"é"}`)}
	wantCode(t, b.SavePlans(t.Context(), plans, []ledger.Record{record}), lifecycle.NotFound)
	if n := query[int](b, "select (select count(*) from touches) + (select count(*) from touch_history) + (select count(*) from decision_log)"); n != 0 {
		t.Fatalf("%d rows are left of a failed batch", n)
	}
	plans[1].Progress.RunID = run.ID
	b.must(b.SavePlans(t.Context(), plans, []ledger.Record{record}))
	b.verified()
	if n := query[int](b, "select count(*) from decision_log where body = $1", string(record.Body)); n != 1 {
		t.Errorf("the record is there %d times", n)
	}
}

func TestMoveRunsKeepsZeroFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.enter(b.customers(1)[0], "winback", "a")
	move := func(p ledger.Progress) ledger.Run {
		t.Helper()
		p.RunID = run.ID
		b.must(b.MoveRuns(t.Context(), []ledger.Progress{p}, nil))
		got, err := b.Run(t.Context(), run.ID)
		b.must(err)
		return got
	}
	got := move(ledger.Progress{Held: true, Step: "wait", StepStartedAt: noon, DueAt: noon.Add(day), Position: 2})
	want := run
	want.Held, want.Step, want.StepStartedAt, want.DueAt, want.Position = true, "wait", noon, noon.Add(day), 2
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
	if held, err := b.HeldRuns(t.Context(), "winback", 10, ""); err != nil || len(held) != 1 {
		t.Errorf("held: %v %v", held, err)
	}
	want.Held, want.DueAt = false, time.Time{} // the fields that are always written
	if got = move(ledger.Progress{}); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
	ended := move(ledger.Progress{Status: ledger.RunEnded, EndedAt: noon.Add(day), EndReason: "goal"})
	if got = move(ledger.Progress{Status: ledger.RunRunning, Step: "back", DueAt: noon, EndReason: "other"}); !reflect.DeepEqual(got, ended) {
		t.Fatalf("an ended run moved: %+v", got)
	}
	if active, err := b.ActiveRuns(t.Context(), run.CustomerID); err != nil || len(active) != 0 {
		t.Errorf("active: %v %v", active, err)
	}
	wantCode(t, b.MoveRuns(t.Context(), []ledger.Progress{{RunID: run.ID}, {RunID: run.ID}}, nil), lifecycle.Invalid)
}

func TestSituations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(3)
	_, _, err := b.SaveJourney(t.Context(), "cart", []byte("yaml"), "h", []string{"Order Completed", "Cart Viewed"}, "Cart Viewed", "ann", noon)
	b.must(err)
	entryEvent := lifecycle.EventID(id())
	run, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "cart", Version: 1, CustomerID: customers[0], EntryKey: "k", EventID: entryEvent, At: noon})
	b.must(err)
	event := func(name string, at time.Time) lifecycle.Event {
		return lifecycle.Event{ID: lifecycle.EventID(id()), CustomerID: customers[0], Name: name, At: at, ReceivedAt: at, Source: "shop", Properties: map[string]any{"n": 1.0}}
	}
	entry := event("Cart Viewed", noon)
	entry.ID = entryEvent
	heard := event("Order Completed", noon.Add(time.Hour))
	_, err = b.InsertEvents(t.Context(), []lifecycle.Event{entry, heard, event("Order Completed", noon.Add(-time.Hour)), event("Page Viewed", noon.Add(time.Hour))}, nil)
	b.must(err)
	b.must(b.SetConsent(t.Context(), customers[0], lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon.Add(-day), Source: "checkout", Wording: "yes"}))
	b.must(b.Suppress(t.Context(), lifecycle.SMS, " +15550000000", "complaint", "test", noon))
	current, old := touch(run, "mail"), touch(run, "old")
	old.PlannedAt = noon.Add(-40 * day)
	b.plan(current, old)
	b.send(old, noon.Add(-40*day))
	sent := b.planned(customers[0], "other")
	b.send(sent, noon.Add(-day))
	b.must(b.MoveRuns(t.Context(), []ledger.Progress{{RunID: run.ID, Step: "mail"}}, nil))
	second := b.enter(customers[1], "cart", "z")

	got, err := b.Situations(t.Context(), []lifecycle.RunID{second.ID, run.ID}, noon)
	b.must(err)
	if got[0].Run.ID != second.ID || got[0].Touch != nil || len(got[0].Events)+len(got[0].Recent)+len(got[0].Suppressed) != 0 || got[0].Converted {
		t.Errorf("second: %+v", got[0])
	}
	s := got[1]
	profile, err := b.Profile(t.Context(), customers[0])
	b.must(err)
	if !reflect.DeepEqual(s.Profile, profile) || profile.Customer.Attributes["vip"] != true || profile.Touches.Count != 2 ||
		profile.Consents[lifecycle.Email].Wording != "yes" {
		t.Errorf("profile: %+v\nwant %+v", s.Profile, profile)
	}
	if len(s.Events) != 1 || !reflect.DeepEqual(s.Events[0], lifecycle.Event{ID: heard.ID, CustomerID: heard.CustomerID, Name: heard.Name,
		At: heard.At, ReceivedAt: heard.ReceivedAt, Source: "shop", Properties: heard.Properties}) {
		t.Errorf("events: %+v", s.Events)
	}
	if len(s.Recent) != 1 || s.Recent[0].ID != sent.ID || s.Recent[0].State != lifecycle.TouchAccepted || !s.Recent[0].At.Equal(noon.Add(-day)) {
		t.Errorf("recent: %+v", s.Recent)
	}
	if len(s.Suppressed) != 1 || s.Suppressed[0].Channel != lifecycle.SMS {
		t.Errorf("suppressed: %+v", s.Suppressed)
	}
	stored, err := b.Touch(t.Context(), current.ID)
	b.must(err)
	if s.Touch == nil || !reflect.DeepEqual(*s.Touch, stored) {
		t.Errorf("touch: %+v\nwant %+v", s.Touch, stored)
	}
	order := func(key string, at time.Time, total int64) {
		t.Helper()
		_, err := b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: key, CustomerID: customers[0], At: at, Total: lifecycle.Money{Amount: total, Currency: "USD"}}}})
		b.must(err)
	}
	converted := func() bool {
		t.Helper()
		got, err := b.Situations(t.Context(), []lifecycle.RunID{run.ID}, noon)
		b.must(err)
		return got[0].Converted
	}
	order("o1", noon.Add(-41*day), 5) // before the run's last sent touch
	order("o2", noon, -5)             // a refund
	if converted() {
		t.Error("converted by an order before the last touch or a refund")
	}
	order("o3", noon.Add(-39*day), 5)
	if !converted() {
		t.Error("not converted by an order after the last touch")
	}
	_, err = b.Situations(t.Context(), []lifecycle.RunID{run.ID, lifecycle.RunID(id())}, noon)
	wantCode(t, err, lifecycle.NotFound)
}
