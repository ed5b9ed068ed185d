package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(2)[0]
	b.must(b.SetConsent(t.Context(), c, lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon.Add(-50 * day), Source: "checkout"}))
	_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: c, Name: "Cart Viewed", At: noon.Add(-time.Hour), ReceivedAt: noon, Source: "shop"}}, nil)
	b.must(err)
	sent := b.planned(c, "1")
	b.must(b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "touch.planned", Actor: "agent/winback", CustomerID: c, TouchID: sent.ID, Subject: "winback/1",
		Body: []byte(`{"reason":"due","decision":{"agent":"winback","version":"1","chosen":{"candidate":{"channel":"email","offer":"ten"},"expected_value":12.5},"reasons":["lapsed"],"evidence":"4 of 100"},` +
			`"verdict":{"outcome":"allow","findings":[{"rule":"spam","outcome":"allow","value":"1","limit":"5","reason":"fine"}]}}`)}}))
	b.send(sent, noon.Add(time.Hour))
	_, err = b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k", TouchID: sent.ID, Kind: ledger.OutcomeOpened, Machine: true, At: noon.Add(2 * time.Hour)},
		{Key: "s", TouchID: sent.ID, Kind: ledger.OutcomeComplained, Suppress: true, At: noon.Add(4 * time.Hour)}})
	b.must(err)
	_, err = b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: "o1", CustomerID: c, At: noon.Add(3 * time.Hour), Total: lifecycle.Money{Amount: 1250, Currency: "USD"}, Items: 2, FirstItem: "Mug"}, Coupon: "TEN"}})
	b.must(err)
	b.must(b.MoveRuns(t.Context(), []ledger.Progress{{RunID: sent.RunID, Status: ledger.RunEnded, ConvertedAt: noon.Add(3 * time.Hour), EndedAt: noon.Add(5 * time.Hour), EndReason: "goal"}}, nil))

	moments, err := b.Timeline(t.Context(), c)
	b.must(err)
	var told []string
	for _, m := range moments {
		told = append(told, m.Kind+": "+m.Title)
	}
	for _, want := range []string{"customer: signed up", "consent: email consent granted", "event: Cart Viewed", "run: entered winback v1", "decision: touch.planned winback/1",
		"touch: email winback/1 planned", "touch: email winback/1 sending", "touch: email winback/1 accepted", "outcome: opened by a machine",
		"touch: email winback/1 complained", "order: order of 12.50 USD", "run: reached the goal of winback v1", "suppression: email address suppressed: complained", "run: left winback v1"} {
		if !slices.Contains(told, want) {
			t.Errorf("%q is missing of\n%s", want, strings.Join(told, "\n"))
		}
	}
	if !slices.IsSortedFunc(moments, func(a, b ledger.Moment) int { return a.At.Compare(b.At) }) {
		t.Errorf("not in order:\n%s", strings.Join(told, "\n"))
	}
	i := slices.IndexFunc(moments, func(m ledger.Moment) bool { return m.Kind == "decision" })
	for _, want := range []string{"due", "winback 1 chose email  ten", "12.50", "lapsed", "evidence: 4 of 100", "spam says allow: fine (saw 1, limit 5)"} {
		if !strings.Contains(moments[i].Detail, want) {
			t.Errorf("%q does not explain %q", moments[i].Detail, want)
		}
	}
	_, err = b.Timeline(t.Context(), lifecycle.CustomerID(id()))
	wantCode(t, err, lifecycle.NotFound)
}

func TestJourneysAndSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		hash    string
		version int
		created bool
	}{{"h1", 1, true}, {"h1", 1, false}, {"h2", 2, true}, {"h1", 3, true}} {
		version, created, err := b.SaveJourney(t.Context(), "cart", []byte(c.hash), c.hash, []string{"A", "B"}, "A", "ann", noon)
		if err != nil || version != c.version || created != c.created {
			t.Errorf("save %d: version %d, created %v, %v", i, version, created, err)
		}
	}
	latest, err := b.Journey(t.Context(), "cart", 0)
	if err != nil || latest.Version != 3 || string(latest.Source) != "h1" || len(latest.Listens) != 2 || !latest.AppliedAt.Equal(noon) {
		t.Errorf("%+v %v", latest, err)
	}
	if second, err := b.Journey(t.Context(), "cart", 2); err != nil || second.Hash != "h2" {
		t.Errorf("%+v %v", second, err)
	}
	_, err = b.Journey(t.Context(), "other", 0)
	wantCode(t, err, lifecycle.NotFound)
	if all, err := b.Journeys(t.Context()); err != nil || len(all) != 1 || all[0].Version != 3 {
		t.Errorf("%+v %v", all, err)
	}

	var value map[string]int
	if found, err := b.Setting(t.Context(), "s", &value); err != nil || found {
		t.Error(found, err)
	}
	b.must(b.SaveSetting(t.Context(), "s", map[string]int{"a": 1}, "ann", noon))
	b.must(b.SaveSetting(t.Context(), "s", map[string]int{"a": 2}, "ann", noon))
	if found, err := b.Setting(t.Context(), "s", &value); err != nil || !found || value["a"] != 2 {
		t.Error(found, value, err)
	}
	var wrong int
	_, err = b.Setting(t.Context(), "s", &wrong)
	wantCode(t, err, lifecycle.Invalid)

	control := ledger.Control{Scope: ledger.ScopeJourney, Name: "cart", State: ledger.ControlPaused, Reason: "typo", By: "ann"}
	b.must(b.SetControl(t.Context(), control, noon))
	control.State, control.At = ledger.ControlRunning, noon.Add(day)
	b.must(b.SetControl(t.Context(), control, control.At))
	if all, err := b.Controls(t.Context()); err != nil || len(all) != 1 || all[0] != control {
		t.Errorf("%+v %v", all, err)
	}
	wantCode(t, b.SetControl(t.Context(), ledger.Control{Scope: "planet"}, noon), lifecycle.Invalid)
}

func TestCampaignsAndImports(t *testing.T) {
	t.Parallel()
	b := setup(t)
	campaign := ledger.CampaignRow{Name: "spring", Journey: "winback", Version: 2, Segment: "lapsed", Ramp: 0.5, Holdout: 0.1, PerMinute: 60,
		Every: 36 * time.Hour, Standing: true, Status: "preflight", CreatedAt: noon, CreatedBy: "ann"}
	for i := range 2 {
		if created, err := b.SaveCampaign(t.Context(), campaign); err != nil || created != (i == 0) {
			t.Errorf("save %d: %v %v", i, created, err)
		}
	}
	for i, status := range []string{"running", "paused", "running", "done"} {
		b.must(b.SetCampaignStatus(t.Context(), "spring", status, noon.Add(time.Duration(i)*time.Hour)))
	}
	b.must(b.SetCampaignRamp(t.Context(), "spring", 1))
	campaign.Status, campaign.Ramp, campaign.StartedAt, campaign.EndedAt = "done", 1, noon, noon.Add(3*time.Hour)
	if got, err := b.Campaign(t.Context(), "spring"); err != nil || got != campaign {
		t.Errorf("%+v %v", got, err)
	}
	if all, err := b.Campaigns(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v %v", all, err)
	}
	wantCode(t, b.SetCampaignStatus(t.Context(), "fall", "done", noon), lifecycle.NotFound)

	progress, err := b.Import(t.Context(), "h", "events")
	if err != nil || progress != (ledger.ImportProgress{SourceHash: "h", Kind: "events"}) {
		t.Errorf("%+v %v", progress, err)
	}
	progress.Lines, progress.Accepted, progress.Rejected, progress.UpdatedAt = 10, 9, 1, noon
	for _, done := range []bool{false, true} {
		progress.Done = done
		b.must(b.SaveImport(t.Context(), progress))
		if got, err := b.Import(t.Context(), "h", "events"); err != nil || got != progress {
			t.Errorf("%+v %v", got, err)
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(4)
	const window = 7 * day
	for i, c := range customers[:3] {
		sent := b.planned(c, "1")
		b.send(sent, noon)
		at := []time.Time{noon.Add(day), noon, noon.Add(window + time.Hour)}[i] // within, before, after
		_, err := b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: id(), CustomerID: c, At: at, Total: lifecycle.Money{Amount: 5, Currency: "USD"}}}})
		b.must(err)
	}
	held, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: customers[3], At: noon, Global: 0.999999, Holdout: 0.999999})
	b.must(err)
	if held.Arm == ledger.Treated {
		t.Fatal("not held out")
	}
	_, err = b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: id(), CustomerID: customers[3], At: noon.Add(day), Total: lifecycle.Money{Amount: 5, Currency: "USD"}}}})
	b.must(err)
	for _, c := range []struct {
		now  time.Time
		want []ledger.ResponseCell
	}{
		{noon.Add(window - time.Second), nil},
		{noon.Add(window), []ledger.ResponseCell{
			{Group: "active", Journey: "winback", Channel: lifecycle.Email, Touched: 3, TouchedConversions: 1},
			{Group: "prospect", Journey: "winback", Held: 1, HeldConversions: 1}}},
	} {
		b.must(b.RefreshEvidence(t.Context(), c.now, window))
		got, err := b.Evidence(t.Context())
		if err != nil || len(got) != len(c.want) || len(got) == 2 && (got[0] != c.want[0] || got[1] != c.want[1]) {
			t.Errorf("as of %s: %+v, want %+v: %v", c.now, got, c.want, err)
		}
	}
}
