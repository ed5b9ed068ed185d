package cli_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func TestJourneyValidate(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	good := tm.file("winback.yaml", string(journey.Shipped()["winback"]))
	bad := tm.file("bad.yaml", strings.Replace(string(journey.Shipped()["winback"]), "channels: [email]", "channels: [emial]", 1))
	tm.run("journey", "validate", good, "welcome").ok().line("winback.yaml: ok", "4 touches").line("welcome.yaml: ok")
	line := 1 + strings.Count(string(journey.Shipped()["winback"][:strings.Index(string(journey.Shipped()["winback"]), "channels:")]), "\n")
	tm.run("journey", "validate", good, bad).exits(1).narrowExcept(tm.dir).line("bad.yaml:"+count(line)+":", "emial").line("1 mistake")
	r := tm.run("journey", "validate", bad, "--json").exits(1)
	r.code = 0
	results := into[[]struct {
		OK     bool
		Errors []struct {
			Line, Column int
			Message      string
		}
	}](r)
	if len(results) != 1 || results[0].OK || len(results[0].Errors) != 1 || results[0].Errors[0].Line != line || results[0].Errors[0].Column < 2 {
		t.Errorf("%+v", results)
	}
	tm.run("journey", "schema").ok().line("$schema")
}

func TestJourneySimulate(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	tm.run("journey", "simulate", "winback").ok().narrow().line("entered").line("touch", "nudge", "winback/nudge by email").line("ended", "no further step")
	moments := into[[]map[string]any](tm.run("journey", "simulate", "winback", "--json"))
	if len(moments) < 5 || moments[0]["kind"] != "entered" {
		t.Errorf("%v", moments)
	}
	scenario := tm.file("s.yaml", string(journey.ShippedScenarios()["winback"]))
	tm.run("journey", "simulate", tm.file("w.yaml", string(journey.Shipped()["winback"])), "--scenario", scenario).ok().line("touch", "nudge")
	broken := tm.file("broken.yaml", "start: soon\n")
	tm.run("journey", "simulate", "winback", "--scenario", broken).exits(2).complains("broken.yaml:1:")
}

// store puts a journey into the database without an engine.
func (tm terminal) apply(name string, source []byte) {
	tm.t.Helper()
	if _, _, err := tm.store().SaveJourney(tm.t.Context(), name, source, string(source[:20]), nil, "", "jane", time.Now()); err != nil {
		tm.t.Fatal(err)
	}
}

func TestJourneyListShowDiff(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("journey", "list").ok().line("no journey has been applied", "winback")
	tm.run("journey", "diff", "winback").ok().line("journey winback is new")
	source := journey.Shipped()["winback"]
	tm.apply("winback", source)
	tm.bringIn("c", 2, 120)
	s := tm.store()
	for i, step := range []string{"small-offer", "last-wait"} {
		customer, err := s.FindCustomer(t.Context(), "c-"+count(i+1))
		if err != nil {
			t.Fatal(err)
		}
		run, _, err := s.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: customer.ID, EntryKey: "k", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.MoveRuns(t.Context(), []ledger.Progress{{RunID: run.ID, Status: ledger.RunRunning, Step: step, StepStartedAt: time.Now()}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	tm.run("journey", "list").ok().narrow().line("winback", "v1", "segment", "2", "2", "0", "jane")
	tm.run("journey", "show", "winback").ok().narrow().line("v1", "jane", "2").line("treated", "small-offer", "running", "1")
	if got := tm.run("journey", "show", "winback", "--source").ok().stdout; got != string(source) {
		t.Errorf("the source changed: %q", got)
	}
	changed := tm.file("new.yaml", strings.Replace(string(source), "id: small-offer", "id: tiny-offer", 1))
	tm.run("journey", "diff", "winback").ok().line("as applied in v1")
	tm.run("journey", "diff", changed).ok().narrow().line("removed", "small-offer").line("added", "tiny-offer").line("step small-offer is gone", "1 customer")
	diff := into[struct {
		Version int
		Lost    []struct {
			Step string
			Runs int
		} `json:"lost_steps"`
	}](tm.run("journey", "diff", changed, "--json"))
	if diff.Version != 1 || len(diff.Lost) != 1 || diff.Lost[0].Step != "small-offer" || diff.Lost[0].Runs != 1 {
		t.Errorf("%+v", diff)
	}
}

func TestJourneyPlan(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("old", 60, 120)
	tm.bringIn("fresh", 5, 5)
	s := tm.store()
	// One withdrew, one may not enter again, one is suppressed.
	find := func(ref string) lifecycle.Customer {
		c, err := s.FindCustomer(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tm.run("consent", "set", "old-1", "--channel", "email", "--withdraw").ok().line("old-1: withdrawn")
	if _, _, err := s.Enter(t.Context(), ledger.Entry{Journey: "winback", Version: 1, CustomerID: find("old-2").ID, EntryKey: "k", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Suppress(t.Context(), lifecycle.Email, "old-3@example.com", "bounce", "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	all := strings.Replace(string(journey.Shipped()["winback"]), "holdout: 10%", "holdout: 0%", 1)
	all = strings.Replace(all, ` && consent.email == "granted"`, "", 1)
	always := strings.Replace(all, "days: [mon, tue, wed, thu, fri, sat]", "days: [mon, tue, wed, thu, fri, sat, sun]", 1)
	file := tm.file("winback.yaml", always)
	plan := into[struct {
		Customers, Refused, Treated, Reachable, Consenting, Rehearsed int
		HeldOut                                                       int `json:"held_out"`
		MaxTouches                                                    int `json:"max_touches_per_customer"`
		Sample                                                        []string
		Steps                                                         []struct {
			Step     string
			Outcomes map[string]int
		}
	}](tm.run("journey", "plan", file, "--json"))
	if plan.Customers != 60 || plan.Refused != 1 || plan.HeldOut+plan.Treated != 59 || plan.MaxTouches != 3 || len(plan.Steps) != 4 {
		t.Errorf("%+v", plan)
	}
	if plan.Reachable != plan.Treated || plan.Treated-plan.Consenting > 1 || plan.Rehearsed != plan.Treated {
		t.Errorf("%+v", plan)
	}
	for _, step := range plan.Steps {
		sum := 0
		for _, n := range step.Outcomes {
			sum += n
		}
		if sum != plan.Rehearsed {
			t.Errorf("step %s accounts for %d of %d: %v", step.Step, sum, plan.Rehearsed, step.Outcomes)
		}
		if plan.Treated == 59 && (step.Outcomes["blocked: suppression"] != 1 || step.Outcomes[`ends: exit: consent.email != "granted"`] != 1) {
			t.Errorf("step %s: %v", step.Step, step.Outcomes)
		}
	}
	tm.run("journey", "plan", file).ok().narrow().line("counted exactly").line("in the segment", "60").line("3 touches per customer at most").line("estimate").line("nudge")
	// Nothing was kept.
	if runs, err := s.RunsInJourney(t.Context(), "winback", []ledger.RunStatus{ledger.RunPending, ledger.RunRunning}, 10, ""); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	tm.run("journey", "plan", "welcome").ok().line("estimate", "the last 30d saw 0 such events")
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	tm.run("policy", "show").ok().narrow().line("policy 20").line("CAP", "CHANNEL")
	file := tm.file("policy.yaml", tm.run("policy", "show", "--source").ok().stdout)
	tm.run("policy", "check", file).ok().line("policy.yaml: ok")
	if view := into[map[string]any](tm.run("policy", "show", "--json")); view["version"] == "" {
		t.Errorf("%v", view)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	tm.run("policy", "check", file).exits(2).complains("no file")
}
