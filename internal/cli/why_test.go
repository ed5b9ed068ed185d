package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// march is the business instant at which the customer below is written to.
var march = time.Date(2026, 3, 10, 14, 0, 0, 0, time.UTC)

// sent gives customer w-1 a run with one delivered touch and one blocked one.
func (tm terminal) sent() (s *postgres.Store, delivered lifecycle.Touch) {
	tm.t.Helper()
	ctx := tm.t.Context()
	tm.bringIn("w", 1, 120)
	s = tm.store()
	must := func(err error) {
		tm.t.Helper()
		if err != nil {
			tm.t.Fatal(err)
		}
	}
	customer, err := s.FindCustomer(ctx, "w-1")
	must(err)
	run, entered, err := s.Enter(ctx, ledger.Entry{Journey: "winback", Version: 1, CustomerID: customer.ID, EntryKey: "k", At: march, Always: true})
	if must(err); !entered {
		tm.t.Fatal("not entered")
	}
	decision := lifecycle.Decision{
		Agent: "winback", Version: "1", Reasons: []string{"smallest offer that pays"}, Evidence: "3/90 touched",
		Chosen: lifecycle.Valuation{Candidate: lifecycle.Candidate{Channel: lifecycle.Email, Slot: "winback/nudge", OfferID: "ten-percent"}, Lift: 0.0076, OrderValue: 1804, ExpectedValue: 12.7},
	}
	block := lifecycle.Verdict{Outcome: lifecycle.Block, Findings: []lifecycle.Finding{{Rule: "consent-age", Outcome: lifecycle.Block, Value: "800d", Limit: "720d", Reason: "the consent is too old"}}}
	plan := func(step string, state lifecycle.TouchState, verdict lifecycle.Verdict, reason string) lifecycle.Touch {
		tm.t.Helper()
		touch := lifecycle.Touch{
			Key: "winback/" + string(customer.ID) + "/k/" + step, RunID: run.ID, CustomerID: customer.ID, Journey: "winback", Version: 1, Step: step,
			Agent: "winback", Channel: lifecycle.Email, Class: lifecycle.Marketing, Slot: "winback/" + step, Content: "abc", State: state, Reason: reason, PlannedAt: march,
		}
		touch.ID = lifecycle.TouchID("0f5e2a7c-6b1d-5c3e-9a55-00000000000" + count(len(step)))
		body, err := json.Marshal(map[string]any{"decision": decision, "verdict": verdict, "reason": reason})
		must(err)
		must(s.SavePlans(ctx, []ledger.Plan{{Touch: touch, Decision: decision, Verdict: verdict, Group: "lapsed", At: march}},
			[]ledger.Record{{At: march, Kind: "touch." + string(state), Actor: "agent/winback", CustomerID: customer.ID, RunID: run.ID, TouchID: touch.ID, Subject: "winback/" + step, Body: body}}))
		return touch
	}
	delivered = plan("nudge", lifecycle.TouchPlanned, lifecycle.Verdict{Outcome: lifecycle.Allow}, "")
	plan("last", lifecycle.TouchBlocked, block, "consent-age: the consent is too old")
	_, err = s.Reserve(ctx, []ledger.Reservation{{Touch: delivered, At: march}})
	must(err)
	must(s.Settle(ctx, []ledger.Settlement{{TouchID: delivered.ID, State: lifecycle.TouchAccepted, At: march, ProviderID: "sg-1"}}, nil, nil))
	_, err = s.ApplyOutcomes(ctx, []ledger.Outcome{{Key: "o1", TouchID: delivered.ID, Kind: ledger.OutcomeDelivered, At: march.Add(time.Hour), Detail: "250 OK"}})
	must(err)
	return s, delivered
}

func TestWhy(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	_, touch := tm.sent()
	r := tm.run("why", "w-1").ok().narrow()
	r.line("customer w-1", "America/New_York").line("2 orders for 91.00 USD").line("consents: email granted")
	r.line("winback v1", "entered 2026-03-10 10:00") // New York's clock
	r.line("10:00", "winback/nudge: planned").line("the winback agent (1) chose email winback/nudge with offer ten-percent")
	r.line("0.1270 USD").line("- smallest offer that pays").line("evidence: 3/90 touched")
	r.line("email winback/nudge sending, accepted").line("11:00", "delivered", "250 OK")
	r.line("winback/last: blocked").line("consent-age says block: the consent is too old (saw 800d, limit 720d)")
	r.line("outside journeys").line("order of 40.50 USD")
	tm.run("why", "w-1@example.com").ok().line("customer w-1")
	told := into[struct {
		External string `json:"external_id"`
		Runs     []struct {
			Journey string
			Moments []struct {
				Kind     string
				Decision *struct {
					Kind string
					Body map[string]any
				}
			}
		}
		Outside []map[string]any
	}](tm.run("why", "w-1", "--json"))
	decisions := 0
	for _, m := range told.Runs[0].Moments {
		if m.Decision != nil && m.Decision.Body["decision"] != nil {
			decisions++
		}
	}
	if told.External != "w-1" || len(told.Runs) != 1 || decisions != 2 || len(told.Outside) < 4 {
		t.Errorf("%+v", told)
	}
	tm.run("ledger", "show", touch.Key).ok().narrow().line("touch "+string(touch.ID)+": delivered").line("provider", "sg-1").line("sending").line("delivered: 250 OK")
	shown := into[map[string]any](tm.run("ledger", "show", string(touch.ID), "--json"))
	if states, ok := shown["states"].([]any); !ok || len(states) != 4 {
		t.Errorf("%v", shown["states"])
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	_, touch := tm.sent()
	tm.run("ledger", "verify").ok().line("the ledger is sound", "2 touches").line("delivered", "1")
	tm.run("audit", "verify").ok().line("the decision log is whole", "2 entries")
	if report := into[ledger.LedgerReport](tm.run("ledger", "verify", "--json")); !report.OK || report.Touches != 2 {
		t.Errorf("%+v", report)
	}
	out := tm.dir + "/log.jsonl"
	tm.run("audit", "export", "--out", out).ok().complains("exported 2 entries")
	text, err := os.ReadFile(out)
	if err != nil || strings.Count(string(text), "\n") != 2 || !json.Valid([]byte(strings.Split(string(text), "\n")[0])) {
		t.Errorf("%v\n%s", err, text)
	}
	if r := tm.run("audit", "export", "--since", "2026-03-11"); r.ok().stdout != "" {
		t.Errorf("entries before --since: %s", r.stdout)
	}
	// Somebody tampers behind the program's back.
	conn, err := pgx.Connect(t.Context(), tm.env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"set session_replication_role = replica", // triggers off
		"update decision_log set body = replace(body, 'smallest', 'largest') where seq = 2",
		"update touches set state = 'planned' where id = '" + string(touch.ID) + "'",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	tm.run("ledger", "verify").exits(1).line("NOT sound", "1 problem").line("history-complete", string(touch.ID))
	tm.run("audit", "verify").exits(1).line("NOT whole", "entry 2")
	r := tm.run("audit", "verify", "--json").exits(1)
	r.code = 0
	if report := into[ledger.VerifyReport](r); report.OK || report.BrokenAt != 2 {
		t.Errorf("%+v", report)
	}
}

func TestStatusWithoutAnything(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("status").ok().narrow().line("nothing is paused").line("none waits").line("no journey yet").line("no campaign yet")
	for _, args := range [][]string{{"journey", "list"}, {"campaign", "list"}, {"review", "list"}, {"creative", "list"}} {
		if got := into[[]any](tm.run(append(args, "--json")...)); len(got) != 0 {
			t.Errorf("%v: %v", args, got)
		}
	}
	tm.run("review", "list").ok().line("nothing waits for a person")
}
