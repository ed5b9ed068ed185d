package postgres_test

import (
	"slices"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func pastTouch(customer lifecycle.CustomerID, entry, step string, at time.Time) postgres.BulkTouch {
	return postgres.BulkTouch{Arm: ledger.Treated, Entry: entry, At: at, Touch: lifecycle.Touch{CustomerID: customer, Journey: "spring", Step: step,
		Agent: "shop", Channel: lifecycle.Email, Class: lifecycle.Marketing, State: lifecycle.TouchDelivered, Cost: lifecycle.Money{Amount: 2, Currency: "USD"}}}
}

func TestBulkTouches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customers := b.customers(3)
	two := pastTouch(customers[0], "a", "2", noon.Add(-20*day))
	two.Opened, two.Clicked = noon.Add(-19*day), noon.Add(-18*day)
	complained := pastTouch(customers[1], "a", "1", noon.Add(-25*day))
	complained.Touch.State = lifecycle.TouchComplained
	held := postgres.BulkTouch{Arm: ledger.Holdout, Entry: "a", At: noon.Add(-25 * day), Touch: lifecycle.Touch{CustomerID: customers[2], Journey: "spring"}}
	batch := postgres.BulkBatch{Touches: []postgres.BulkTouch{two, pastTouch(customers[0], "a", "1", noon.Add(-25*day)), complained, held, held}}
	got, err := b.WriteBatch(t.Context(), batch)
	b.must(err)
	if got.Touches != 4 || len(got.Refused) != 0 {
		t.Errorf("%+v", got)
	}
	again, err := b.WriteBatch(t.Context(), batch)
	b.must(err)
	if again.Touches != 0 || len(again.Refused) != 0 {
		t.Errorf("again: %+v", again)
	}
	// Somebody held out of an entry was not written to in it.
	contradiction := pastTouch(customers[2], "a", "1", noon)
	got, err = b.WriteBatch(t.Context(), postgres.BulkBatch{Touches: []postgres.BulkTouch{pastTouch(customers[1], "b", "1", noon.Add(-day)), contradiction}})
	b.must(err)
	if got.Touches != 1 || !slices.Equal(got.Refused, []int{1}) {
		t.Errorf("a contradiction: %+v", got)
	}

	// Two touches are one run, which begins with the earlier one, whatever came first.
	if at := query[time.Time](b, "select entered_at from journey_runs where customer_id = $1", string(customers[0])); !at.Equal(noon.Add(-25 * day)) {
		t.Errorf("the run begins at %s", at)
	}
	if n := query[int](b, "select count(*) from touches where customer_id = $1 and state = 'delivered' and sent_at is not null", string(customers[0])); n != 2 {
		t.Errorf("%d touches are delivered", n)
	}
	if n := query[int](b, "select count(*) from touches where opened_at = $1 and clicked_at = $2", noon.Add(-19*day), noon.Add(-18*day)); n != 1 {
		t.Errorf("%d touches were opened and clicked", n)
	}
	if n := query[int](b, "select touches_count from customer_stats where customer_id = $1", string(customers[0])); n != 2 {
		t.Errorf("statistics count %d touches", n)
	}
	if w := query[float64](b, "select engagement_weight from customer_stats where customer_id = $1", string(customers[0])); w <= 1 {
		t.Errorf("an open and a click weigh %v", w)
	}
	if n := query[int](b, "select count(*) from touches where customer_id = $1", string(customers[2])); n != 0 {
		t.Errorf("%d touches of somebody held out", n)
	}
	report, err := b.VerifyLedger(t.Context())
	b.must(err)
	if !report.OK || report.Touches != 4 {
		t.Errorf("ledger: %+v", report)
	}
}
