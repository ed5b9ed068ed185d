package postgres_test

import (
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// TestForecastIsWhatEnrolDoes forecasts a cohort, enrols it, and compares.
func TestForecastIsWhatEnrolDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.customers(300)
	b.must(b.SetConsent(t.Context(), people[0], lifecycle.Consent{Channel: lifecycle.Email, State: lifecycle.ConsentGranted, At: noon}))
	b.erase(people[1], noon)
	rapid.Check(t, func(r *rapid.T) {
		name := "j" + id()[24:]
		share := rapid.Float64Range(0, 0.9)
		c := ledger.Cohort{Campaign: name, Journey: name, Version: 1, Where: "c.external_id < $1", Args: []any{"c000250"}, EntryKey: "scan", At: noon,
			Ramp: 1 - share.Draw(r, "ramp"), Holdout: share.Draw(r, "holdout"), Global: share.Draw(r, "global") / 3,
			Always: rapid.Bool().Draw(r, "always"), NotSince: noon.Add(-day)}
		earlier := rapid.IntRange(2, 8).Draw(r, "earlier")
		for _, p := range people[2:earlier] {
			b.enter(p, name, "before")
		}
		forecast, err := b.Forecast(t.Context(), c)
		b.must(err)
		sample, err := b.SampleCohort(t.Context(), c, 1000)
		b.must(err)
		enrolled, err := b.Enrol(t.Context(), c)
		b.must(err)
		var sum struct{ customers, refused, held, treated, reachable, consenting int }
		for _, row := range forecast {
			sum.customers += row.Customers
			sum.refused += row.Refused
			sum.held += row.HeldOut
			sum.treated += row.Treated
			sum.reachable += row.Reachable
			sum.consenting += row.Consenting
			if row.Stage != lifecycle.Prospect || row.Zone != "Europe/Berlin" {
				r.Fatalf("%+v", row)
			}
		}
		if sum.treated != enrolled.Treated || sum.held != enrolled.Holdout+enrolled.GlobalHoldout || len(sample) != enrolled.Treated {
			r.Fatalf("forecast %+v, sample of %d, enrolled %+v", sum, len(sample), enrolled)
		}
		if sum.customers != sum.refused+sum.held+sum.treated || sum.reachable != sum.treated || sum.consenting > 1 || c.Always && sum.refused != 0 {
			r.Fatalf("%+v", sum)
		}
	})
}

func TestRehearseKeepsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.customers(5)
	b.erase(people[4], noon)
	b.must(b.Suppress(t.Context(), lifecycle.Email, "c000000@example.com", "bounce", "test", noon))
	situations, err := b.Rehearse(t.Context(), people, "winback", noon)
	b.must(err)
	if len(situations) != 4 {
		t.Fatalf("%d situations", len(situations))
	}
	for _, s := range situations {
		if s.Run.Journey != "winback" || s.Profile.Customer.FirstName != "Ada" || (len(s.Suppressed) == 1) != (s.Run.CustomerID == people[0]) {
			t.Errorf("%+v", s)
		}
	}
	if n := query[int](b, "select count(*) from journey_runs"); n != 0 {
		t.Errorf("%d runs were kept", n)
	}
}
