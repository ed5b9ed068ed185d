package postgres_test

import (
	"slices"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// The verifier must find what it is there to find.
func TestVerifyLedgerFindsViolations(t *testing.T) {
	t.Parallel()
	const history = "insert into touch_history (touch_id, at, state) select id, reserved_at + interval '1 hour', $2 from touches where id = $1"
	for _, c := range []struct {
		name   string
		rule   string
		damage func(b bench, sent, other lifecycle.Touch)
	}{
		{"sent twice", "sent-once", func(b bench, sent, _ lifecycle.Touch) { b.exec(history, string(sent.ID), "sending") }},
		{"a key twice", "key-once", func(b bench, sent, other lifecycle.Touch) {
			b.exec("alter table touches drop constraint touches_key_key")
			b.exec("update touches set key = $1", sent.Key)
		}},
		{"over the cap", "caps-kept", func(b bench, _, other lifecycle.Touch) {
			b.exec(`update touches set state = 'sending', reserved_at = $2, sending_at = $2, caps = jsonb_build_array(jsonb_build_object(
				'cap', 'weekly', 'channel', 'email', 'since', $3::timestamptz, 'limit', 1)) where id = $1`, string(other.ID), noon.Add(time.Hour), noon.Add(-7*day))
			b.exec("insert into touch_history (touch_id, at, state) values ($1, $2, 'sending')", string(other.ID), noon.Add(time.Hour))
		}},
		{"accepted out of nowhere", "reserved-first", func(b bench, _, other lifecycle.Touch) {
			b.exec("update touches set state = 'accepted', reserved_at = $2 where id = $1", string(other.ID), noon)
		}},
		{"an illegal move", "legal-moves", func(b bench, sent, _ lifecycle.Touch) { b.exec(history, string(sent.ID), "planned") }},
		{"a state without history", "history-complete", func(b bench, _, other lifecycle.Touch) {
			b.exec("update touches set state = 'blocked' where id = $1", string(other.ID))
		}},
		{"a touch that is gone", "no-touch-lost", func(b bench, sent, _ lifecycle.Touch) {
			b.exec("delete from touches where id = $1", string(sent.ID))
		}},
		{"a run that is gone", "run-known", func(b bench, sent, _ lifecycle.Touch) {
			b.exec("delete from journey_runs where id = $1", string(sent.RunID))
		}},
		{"an open touch of an ended run", "accounted-for", func(b bench, _, other lifecycle.Touch) {
			b.exec("update journey_runs set status = 'ended' where id = $1", string(other.RunID))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			customer := b.customers(1)[0]
			sent, other := b.planned(customer, "1"), b.planned(customer, "2")
			b.send(sent, noon, ledger.CapWindow{Cap: "weekly", Channel: lifecycle.Email, Since: noon.Add(-7 * day), Limit: 1})
			report, err := b.VerifyLedger(t.Context())
			b.must(err)
			if !report.OK || report.Touches != 2 || report.Caps != 1 || report.ByState[lifecycle.TouchAccepted] != 1 {
				t.Fatalf("before the damage: %+v", report)
			}
			c.damage(b, sent, other)
			report, err = b.VerifyLedger(t.Context())
			b.must(err)
			if report.OK || !slices.ContainsFunc(report.Problems, func(p ledger.Problem) bool { return p.Rule == c.rule && p.Detail != "" }) {
				t.Errorf("%+v, want a problem with %s", report.Problems, c.rule)
			}
		})
	}
}

// A provider that definitely refused may be asked again; slots given back and
// taken by others are no violation.
func TestVerifyLedgerAcceptsHonestHistories(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.customers(1)[0]
	one, two := b.planned(customer, "1"), b.planned(customer, "2")
	limit := ledger.CapWindow{Cap: "weekly", Since: noon.Add(-7 * day), Limit: 1}
	b.reserve(one, noon, limit)
	b.must(b.Settle(t.Context(), []ledger.Settlement{{TouchID: one.ID, State: lifecycle.TouchDeferred, At: noon, NotBefore: noon.Add(time.Hour), Reason: "rate limit"}}, nil, nil))
	b.send(two, noon.Add(time.Minute), limit) // takes the slot that was given back
	if r := b.reserve(one, noon.Add(time.Hour), limit); r.Result != ledger.CapFull {
		t.Fatalf("%+v", r)
	}
	limit.Since = noon.Add(2 * time.Hour)
	b.send(one, noon.Add(8*day), limit)
	got, err := b.Touch(t.Context(), one.ID)
	if err != nil || got.Attempts != 2 {
		t.Errorf("%+v %v", got, err)
	}
	b.verified()
}
