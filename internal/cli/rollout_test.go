package cli_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/internal/journey"
)

func TestRolloutPlan(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("plan", 20, 10)
	shipped := tm.run("rollout", "plan", "three-phases").ok().narrow()
	shipped.line("PHASE", "STAGE", "OF ALL", "GATES NEED", "GOES ON").line("foundation", "weeks-1-2", "5%", "100", "73", "14", "by itself")
	shipped.line("scale", "weeks-5-6", "40%", "20%", "28", "by itself").line("optimise", "everybody", "100%", "by a person")
	shipped.line("140 days at the earliest").line("stage everybody reaches 20 of today's customers, fewer than its sample of 20000")
	tm.run("rollout", "plan", "nope.yaml").exits(1).complains("no file nope.yaml", "three-phases")
	bad := tm.file("bad.yaml", "programme: x\nphases:\n  - phase: a\n    stages:\n      - {stage: b, share: 5, hold: 14d, sample: 10, gates: [x => 1]}\n")
	tm.run("rollout", "plan", bad).exits(2).complains("bad.yaml:5:27: share").complains("bad.yaml:5:", "is not a condition")
	stages := into[[]struct {
		Stage     string
		Customers int
		FromDay   float64 `json:"from_day"`
	}](tm.run("rollout", "plan", "three-phases", "--json"))
	if len(stages) != 7 || stages[6].Customers != 20 || stages[6].FromDay != 112 {
		t.Errorf("%+v", stages)
	}
	tm.run("rollout", "schema").ok().line(`"urn:touchstone:schema:rollout"`)
	tm.run("rollout", "list").ok().line("no rollout yet")
	tm.run("rollout", "status", "three-phases").exits(1).complains("no rollout three-phases")
}

const twoStages = `programme: letters
title: Letters
journeys: [zz-letter]
check: 1s
phases:
  - phase: pilot
    guardrails: [{keep: spam_complaint_rate < 10% at 95%, else: halt}]
    checklist: [{item: trained, title: The team is trained}]
    stages:
      - {stage: few, share: 10%, hold: 1s, sample: 40}
  - phase: full
    gates: [email_delivery_rate > 50% at 95%]
    stages:
      - {stage: all, share: 100%, hold: 1h, sample: 0}
`

type rolloutStatus struct {
	Status, Stage string
	Assessment    struct {
		Action     string
		Guardrails []struct{ Verdict string }
	}
	Timeline []struct{ Kind, Actor, Why string }
}

// TestRollout takes a programme from its start through a gate and a go/no-go on
// the real engines, and stops it. It does not run beside other tests: it halts.
func TestRollout(t *testing.T) {
	tm := onLive(t)
	box, err := live()
	if err != nil {
		t.Fatal(err)
	}
	source := strings.Replace(string(journey.Shipped()["winback"]), "journey: winback", "journey: zz-letter", 1)
	file := tm.file("letters.yaml", twoStages)
	tm.run("rollout", "start", file, "--by", "").exits(2).complains("--by")
	tm.run("rollout", "start", file).ok().line("rollout letters v1 started", "2 stages in 2 phases")
	tm.run("rollout", "start", file).ok().line("letters v1") // has not begun: the same start
	status := func() rolloutStatus {
		return into[rolloutStatus](tm.run("rollout", "status", "letters", "--json"))
	}
	if s := status(); s.Status != "preflight" {
		t.Errorf("without its journey the programme is %s", s.Status)
	}
	if _, _, err := box.Store.SaveJourney(t.Context(), "zz-letter", []byte(source), "hash", nil, "", "jane", time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first stage waits for data", func() bool {
		s := status()
		return s.Stage == "few" && s.Assessment.Action == "wait" && s.Assessment.Guardrails[0].Verdict == "no data"
	})
	tm.run("rollout", "start", file).exits(1).complains("letters is running already")
	shown := tm.run("rollout", "status", "letters").ok().narrow()
	shown.line("rollout letters v1: running").line("stage few, 1 of 2, phase pilot: 10% of customers").line("0 of 40 customers reached")
	shown.line("spam_complaint_rate < 10% at 95%", "no data", "no whole hour").line("[ ] The team is trained", "rollout tick letters trained").line("entered few", "by jane")
	tm.run("rollout", "approve", "letters").exits(1).complains("nothing waits for an approval")

	deliver(t, box.Config.DatabaseURL, 60)
	eventually(t, "the sample is met and a person is asked", func() bool { return status().Status == "awaiting" })
	tm.run("rollout", "status", "letters").ok().line("60 of 40 customers reached").line("go or no go?", "rollout approve letters")
	tm.run("rollout", "approve", "letters").exits(1).complains("1 checklist items are open")
	tm.run("rollout", "tick", "letters", "nothing").exits(1).complains("no item", "trained")
	tm.run("rollout", "tick", "letters", "trained", "--note", "two sessions").ok().line("ticked trained of rollout letters")
	eventually(t, "the tick counts", func() bool {
		return strings.Contains(tm.run("rollout", "status", "letters").ok().stdout, "[x] The team is trained: jane")
	})
	tm.run("rollout", "approve", "letters", "--by", "ann").ok().line("approved rollout letters: it is running, stage all")
	tm.run("rollout", "hold", "letters", "--note", "holidays").ok().line("it is held")
	tm.run("rollout", "resume", "letters").ok().line("it is running")
	tm.run("rollout", "halt", "letters", "--note", "wrong prices").ok().line("it is halted")
	tm.run("status").ok().line("journey zz-letter is halted", "wrong prices")
	tm.run("rollout", "resume", "letters", "--note", "mended").ok().line("it is running")
	tm.run("rollout", "lift", "letters").exits(1).complains("end it first")
	tm.run("rollout", "abort", "letters", "--note", "enough").ok().line("it is aborted")
	tm.run("rollout", "list").ok().narrow().line("letters v1", "aborted", "full", "all", "jane")
	tm.run("rollout", "lift", "letters").ok().line("reach everybody")
	var story []string
	for _, m := range status().Timeline {
		story = append(story, strings.TrimPrefix(m.Kind, "rollout.")+"/"+m.Actor)
	}
	want := "started/jane entered/jane awaiting/engine ticked/jane approved/ann entered/ann held/jane resumed/jane halted/jane resumed/jane aborted/jane lifted/jane"
	if got := strings.Join(story, " "); got != want {
		t.Errorf("timeline: %s\nwant %s", got, want)
	}
	tm.run("status").ok().line("nothing is paused or halted")
	tm.run("audit", "verify").ok().line("the decision log is whole")
}

// deliver puts delivered e-mails of zz-letter, to one customer each, into the
// ledger.
func deliver(t *testing.T, url string, n int) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer pool.Close() // nobody sent them: other tests look at the ledger
		if _, err := pool.Exec(context.Background(), "delete from touches where journey = 'zz-letter'"); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		id := uuid.Must(uuid.NewV7()).String()
		if _, err := pool.Exec(t.Context(), `insert into touches (id, key, run_id, customer_id, journey, version, step, channel, state, planned_at, reserved_at, sent_at, settled_at)
			values ($1, $2, $1, $1, 'zz-letter', 1, 'nudge', 'email', 'delivered', now(), now(), now(), now())`, id, fmt.Sprint("zz-letter/", i)); err != nil {
			t.Fatal(err)
		}
	}
}
