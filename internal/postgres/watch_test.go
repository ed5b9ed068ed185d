package postgres_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/internal/watch"
)

// consented is a customer who agreed to e-mail long ago.
func (b bench) consented(n int) []lifecycle.CustomerID {
	b.t.Helper()
	ids := b.customers(n)
	for _, c := range ids {
		b.must(b.SetConsent(b.t.Context(), c, lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon.Add(-90 * day)}))
	}
	return ids
}

// breaches inspects the day around noon, as if everything had been learnt when
// it happened.
func (b bench) breaches() []watch.Violation {
	b.t.Helper()
	b.exec("update opt_outs set learnt_at = at")
	found, _, err := b.Breaches(b.t.Context(), watch.Inspection{Since: noon.Add(-day), Now: noon.Add(day), Exempt: []lifecycle.Channel{lifecycle.Web}, Grace: 10 * time.Second})
	b.must(err)
	return found
}

func TestHonestSendsAreNoViolations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.consented(3)
	limit := ledger.CapWindow{Cap: "weekly", Channel: lifecycle.Email, Since: noon.Add(-7 * day), Limit: 2}
	for _, c := range customers {
		b.send(b.planned(c, "1"), noon, limit)
		b.send(b.planned(c, "2"), noon.Add(time.Minute), limit)
	}
	// Withdrawn, suppressed and put under another cap afterwards; sent again after a refusal.
	b.must(b.SetConsent(t.Context(), customers[0], lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn, At: noon.Add(2 * time.Minute)}))
	b.must(b.Suppress(t.Context(), lifecycle.Email, "c000001@example.com", "complaint", "test", noon.Add(2*time.Minute)))
	again := b.planned(customers[2], "3")
	b.reserve(again, noon)
	b.must(b.Settle(t.Context(), []ledger.Settlement{{TouchID: again.ID, State: lifecycle.TouchDeferred, At: noon, NotBefore: noon.Add(time.Hour)}}, nil, nil))
	b.send(again, noon.Add(time.Hour))
	if found := b.breaches(); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestBreachesAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		rule   watch.Rule
		damage func(b bench, customer lifecycle.CustomerID, sent lifecycle.Touch)
	}{
		{"consent withdrawn before", watch.RuleConsent, func(b bench, customer lifecycle.CustomerID, _ lifecycle.Touch) {
			b.must(b.SetConsent(b.t.Context(), customer, lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn, At: noon.Add(-time.Hour)}))
		}},
		{"consent never given", watch.RuleConsent, func(b bench, customer lifecycle.CustomerID, _ lifecycle.Touch) {
			b.exec("delete from consents where customer_id = $1", string(customer))
		}},
		{"suppressed before", watch.RuleSuppressed, func(b bench, _ lifecycle.CustomerID, _ lifecycle.Touch) {
			b.must(b.Suppress(b.t.Context(), lifecycle.Email, "C000000@Example.com", "complaint", "test", noon.Add(-time.Hour)))
		}},
		{"held out", watch.RuleHoldout, func(b bench, _ lifecycle.CustomerID, sent lifecycle.Touch) {
			b.exec("update journey_runs set arm = 'holdout' where id = $1", string(sent.RunID))
		}},
		{"over the cap", watch.RuleCap, func(b bench, customer lifecycle.CustomerID, sent lifecycle.Touch) {
			second := b.planned(customer, "2")
			b.send(second, noon.Add(time.Minute))
			b.exec(`update touches set caps = jsonb_build_array(jsonb_build_object('cap', 'weekly', 'channel', 'email', 'since', $2::timestamptz, 'limit', 1)) where id = $1`,
				string(second.ID), noon.Add(-7*day))
		}},
		{"sent twice", watch.RuleSentTwice, func(b bench, _ lifecycle.CustomerID, sent lifecycle.Touch) {
			b.exec("insert into touch_history (touch_id, at, state) values ($1, $2, 'sending')", string(sent.ID), noon.Add(time.Minute))
			b.exec("update touches set attempts = 2 where id = $1", string(sent.ID))
		}},
		{"unapproved copy", watch.RuleUnapproved, func(b bench, _ lifecycle.CustomerID, sent lifecycle.Touch) {
			b.exec(`insert into creatives (id, slot, channel, parts, content_hash, source, status, created_at) values ($1, 's', 'email', '{}', 'h', 'model', 'in_review', $2)`, string(sent.ID), noon)
			b.exec("update touches set creative_id = id where id = $1", string(sent.ID))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			customer := b.consented(1)[0]
			sent := b.planned(customer, "1")
			b.send(sent, noon)
			if found := b.breaches(); len(found) > 0 {
				t.Fatalf("before: %+v", found)
			}
			c.damage(b, customer, sent)
			found := b.breaches()
			if len(found) != 1 || found[0].Rule != c.rule || found[0].Detail == "" || found[0].At.Before(noon) {
				t.Fatalf("%+v, want one of rule %s", found, c.rule)
			}
			fresh, err := b.SaveViolations(t.Context(), found)
			b.must(err)
			again, err := b.SaveViolations(t.Context(), found)
			b.must(err)
			if len(fresh) != 1 || len(again) != 0 {
				t.Errorf("saved %d, then %d", len(fresh), len(again))
			}
			if late, _, err := b.Breaches(t.Context(), watch.Inspection{Since: noon.Add(2 * time.Hour), Now: noon.Add(day)}); err != nil || len(late) > 0 {
				t.Errorf("touches before the instant are inspected: %v %v", late, err)
			}
		})
	}
}

// Each touch is inspected when it is settled, whoever was under way meanwhile.
func TestAnInspectionStartsFromTheHorizon(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.consented(3)
	inspect := func(horizon int64) ([]watch.Violation, int64) {
		found, next, err := b.Breaches(t.Context(), watch.Inspection{Since: noon.Add(-day), Horizon: horizon, Now: noon.Add(day)})
		b.must(err)
		return found, next
	}
	// Transactions of other databases hold the horizon back: what is inspected again
	// is found again, until they have ended.
	caughtUp := func() (horizon int64) {
		for range 200 {
			found, next := inspect(horizon)
			if horizon > 0 && len(found) == 0 {
				return next
			}
			horizon = next
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("the same touches are inspected again and again")
		return 0
	}
	b.exec("delete from consents")
	b.send(b.planned(customers[0], "1"), noon)
	under := b.planned(customers[1], "1")
	b.reserve(under, noon)
	if found, _ := inspect(0); len(found) != 1 {
		t.Fatalf("first %+v", found)
	}
	horizon := caughtUp()
	b.must(b.Settle(t.Context(), []ledger.Settlement{{TouchID: under.ID, State: lifecycle.TouchUnconfirmed, At: noon.Add(time.Minute)}}, nil, nil))
	faster := b.planned(customers[2], "1")
	b.reserve(faster, noon)
	if _, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "k", TouchID: faster.ID, Kind: ledger.OutcomeDelivered, At: noon.Add(time.Second)}}); err != nil {
		t.Fatal(err)
	}
	if found, _ := inspect(horizon); len(found) != 2 || found[0].TouchID == found[1].TouchID {
		t.Fatalf("second %+v", found)
	}
	caughtUp()
}

// A webhook may bring an unsubscribe hours late: what we sent before we knew of
// it is no violation, what we sent after is.
func TestViolationsAreJudgedOnWhatWeKnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.consented(1)[0]
	b.send(b.planned(customer, "1"), noon)
	b.must(b.SetConsent(t.Context(), customer, lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentWithdrawn, At: noon.Add(-3 * time.Hour)}))
	real := time.Now()
	for _, c := range []struct {
		learnt time.Duration // business time from noon
		want   int
	}{{-time.Hour, 1}, {-20 * time.Second, 1}, {-5 * time.Second, 0}, {time.Hour, 0}} {
		// A day of business time takes two seconds.
		scale := clock.Scale{Base: real, Origin: noon.Add(c.learnt), Factor: 43200}
		b.exec("update opt_outs set learnt_at = $1", real)
		found, _, err := b.Breaches(t.Context(), watch.Inspection{Since: noon.Add(-day), Now: noon, Scale: scale, Grace: 10 * time.Second})
		b.must(err)
		if len(found) != c.want {
			t.Errorf("learnt %s after the send: %+v", c.learnt, found)
		}
	}
	if n := query[int](b, "select count(*) from opt_outs"); n != 1 {
		t.Errorf("%d opt-outs", n)
	}
}

// Agreeing again in between is consent.
func TestRegrantedConsentIsNoViolation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.consented(1)[0]
	for i, state := range []lifecycle.ConsentState{lifecycle.ConsentWithdrawn, lifecycle.ConsentGranted} {
		b.must(b.SetConsent(t.Context(), customer, lifecycle.Consent{Channel: lifecycle.Email, State: state, At: noon.Add(time.Duration(i-3) * time.Hour)}))
	}
	b.send(b.planned(customer, "1"), noon)
	if found := b.breaches(); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestBreakerCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var outcomes []ledger.Outcome
	for i, c := range b.consented(10) {
		touch := b.planned(c, "1")
		at := noon.Add(-time.Duration(i) * time.Hour)
		b.send(touch, at)
		kind := ledger.OutcomeDelivered
		switch i {
		case 0, 5:
			kind = ledger.OutcomeComplained
		case 1, 6:
			kind = ledger.OutcomeBounced
		case 2:
			kind = ledger.OutcomeBlocked
		}
		outcomes = append(outcomes, ledger.Outcome{Key: id(), TouchID: touch.ID, Kind: kind, At: at.Add(time.Minute)})
	}
	_, err := b.ApplyOutcomes(t.Context(), outcomes)
	b.must(err)
	got, err := b.Counts(t.Context(), lifecycle.Email, []time.Time{noon.Add(-3*time.Hour - time.Minute), noon.Add(-day)})
	b.must(err)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	got[0].Since, got[1].Since = time.Time{}, time.Time{}
	short := watch.Counts{Channel: lifecycle.Email, Sent: 4, Delivered: 2, Complained: 1, Bounced: 1}
	long := watch.Counts{Channel: lifecycle.Email, Sent: 10, Delivered: 7, Complained: 2, Bounced: 2}
	if got[0] != short || got[1] != long {
		t.Errorf("%+v\nwant %+v and %+v", got, short, long)
	}
	none, err := b.Counts(t.Context(), lifecycle.SMS, []time.Time{noon.Add(-day)})
	if err != nil || len(none) != 1 || none[0].Sent != 0 {
		t.Errorf("%+v %v", none, err)
	}
}

func TestSentWhen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range b.consented(3) {
		b.send(b.planned(c, "1"), noon.Add(30*time.Second))
	}
	sent, err := b.SentWhen(t.Context(), watch.Inspection{Since: noon}, []lifecycle.Channel{lifecycle.Email})
	b.must(err)
	if len(sent) != 1 || sent[0].Touches != 3 || sent[0].TimeZone != "Europe/Berlin" || !sent[0].Minute.Equal(noon) {
		t.Errorf("%+v", sent)
	}
	if other, err := b.SentWhen(t.Context(), watch.Inspection{Since: noon}, []lifecycle.Channel{lifecycle.SMS}); err != nil || len(other) > 0 {
		t.Errorf("%v %v", other, err)
	}
}

// The hours add up to the rows, and a response stands in the hour it came in.
func TestHourlySeries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var outcomes []ledger.Outcome
	for i, c := range b.consented(12) {
		touch := b.planned(c, "1")
		at := noon.Add(time.Duration(i%3) * time.Hour)
		b.send(touch, at)
		outcomes = append(outcomes, ledger.Outcome{Key: id(), TouchID: touch.ID, Kind: ledger.OutcomeOpened, At: at.Add(time.Duration(i%5) * time.Hour)})
		if i%4 == 0 {
			outcomes = append(outcomes, ledger.Outcome{Key: id(), TouchID: touch.ID, Kind: ledger.OutcomeComplained, At: at.Add(90 * time.Minute)},
				ledger.Outcome{Key: id(), TouchID: touch.ID, Kind: ledger.OutcomeOpened, Machine: true, At: at})
		}
	}
	_, err := b.ApplyOutcomes(t.Context(), outcomes)
	b.must(err)
	b.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at)
		select 'o' || i, (select id from customers limit 1), $1::timestamptz + i * interval '20 minutes', 1000 + i, case when i = 5 then 'EUR' else 'USD' end, $1 from generate_series(0, 8) i`, noon)
	series, err := b.HourlySeries(t.Context(), noon.Add(-2*time.Hour), noon.Add(10*time.Hour), "USD")
	b.must(err)
	want := map[string][]float64{
		"sends":      {0, 0, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0},
		"orders":     {0, 0, 3, 2, 3, 0, 0, 0, 0, 0, 0, 0},
		"complaints": {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0},
		"clicks":     make([]float64, 12),
	}
	for _, s := range series {
		if len(s.Values) != 12 || s.Exposure != nil && len(s.Exposure) != 12 {
			t.Fatalf("%s has %d hours", s.Metric, len(s.Values))
		}
		if w, ok := want[s.Metric]; ok && !slices.Equal(s.Values, w) {
			t.Errorf("%s: %v, want %v", s.Metric, s.Values, w)
		}
		sum := 0.0
		for _, v := range s.Values {
			sum += v
		}
		if s.Metric == "opens" && sum != 12 {
			t.Errorf("%v opens by people in all, want 12", sum)
		}
		if s.Metric == "revenue" && math.Abs(sum-80.31) > 1e-9 {
			t.Errorf("revenue %v", sum)
		}
	}
	if len(series) != 8 {
		t.Errorf("%d series", len(series))
	}
}

func TestGauges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.consented(4)
	for _, c := range customers {
		b.send(b.planned(c, "1"), noon)
	}
	b.exec(`insert into orders (external_id, customer_id, at, total, currency, received_at) values ('a', $1, $2, 1250, 'USD', $2), ('b', $1, $3, 9900, 'USD', $3)`,
		string(customers[0]), noon.Add(time.Hour), noon.Add(20*day))
	b.must(b.SetControl(t.Context(), ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlHalted, Reason: "r", By: "watch"}, noon))
	k := clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: noon.Add(2 * time.Hour), Factor: 1}}
	in := postgres.GaugeQuery{Clock: k, Currency: "USD", Attribution: 7 * day, Channels: lifecycle.Channels}
	g, err := b.Gauges(t.Context(), in)
	b.must(err)
	if n := g.Touches[watch.TouchGauge{Channel: lifecycle.Email, State: lifecycle.TouchAccepted}]; n != 4 || !g.Halted || g.CheckedAgo >= 0 || len(g.Breaker) != 5 {
		t.Errorf("%+v", g)
	}
	b.must(b.SaveSetting(t.Context(), watch.SettingState, watch.State{CheckedAt: time.Now().Add(-time.Minute)}, "watch", noon))
	b.must(b.SaveHeartbeats(t.Context(), []watch.Heartbeat{{Component: watch.Gateway, Minute: time.Now(), Up: false}}))
	g, err = b.Gauges(t.Context(), in)
	b.must(err)
	if up, known := g.Up[watch.Gateway]; !known || up || g.CheckedAgo < time.Minute || g.CheckedAgo > 5*time.Minute {
		t.Errorf("%+v", g)
	}
	e, err := b.Earned(t.Context(), in)
	if err != nil || e.Touches != 4 || e.Revenue != (lifecycle.Money{Amount: 1250, Currency: "USD"}) {
		t.Errorf("%+v %v", e, err)
	}
}
