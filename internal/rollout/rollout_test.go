package rollout_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/rollout"
)

const day = 24 * time.Hour

// small is a programme of three stages in two phases.
const small = `programme: small
check: 6h
step_backs: 1
journeys: [winback, welcome]
phases:
  - phase: pilot
    coverage: 50%
    cohort: engagement.score > 0.7 && consent.email == "granted"
    journeys: [winback]
    channels: [email]
    review: every-touch
    gates: [email_delivery_rate > 95% at 95%]
    guardrails:
      - {keep: compliance_violations == 0, else: halt}
      - {keep: hard_bounce_rate < 3% at 95% over 2d, else: step back}
    checklist:
      - {item: delivery, title: Mail arrives, evidence: email_delivery_rate > 95%}
      - {item: trained, title: The team is trained}
    stages:
      - {stage: one, share: 10%, hold: 7d, sample: 100}
      - {stage: two, share: 40%, hold: 7d, sample: 100}
  - phase: full
    go_no_go: false
    stages:
      - {stage: all, share: 100%, hold: 7d, sample: 0}
`

func parse(t *testing.T, source string) *rollout.Programme {
	t.Helper()
	p, err := rollout.Parse("x.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParse(t *testing.T) {
	t.Parallel()
	p := parse(t, small)
	if len(p.Stages) != 3 || len(p.Phases) != 2 || p.Every != 6*time.Hour || p.StepBacks != 1 {
		t.Fatalf("%+v", p)
	}
	if got := p.Stages[1].Reach; got != 0.2 {
		t.Errorf("stage two reaches %v of all", got)
	}
	if !p.EndsPhase(1) || !p.NeedsPerson(1) || p.NeedsPerson(0) || p.NeedsPerson(2) {
		t.Error("a person decides at the end of the pilot only")
	}
	scope := p.Scope(3, 0, time.Time{})
	if scope.Share != 0.05 || !scope.ReviewAll || scope.Cohort == "" || len(scope.Channels) != 1 || scope.Version != 3 {
		t.Errorf("%+v", scope)
	}
	if p.Unlimited(1) || !p.Unlimited(2) {
		t.Error("only the last stage holds nobody back")
	}
}

func TestShipped(t *testing.T) {
	t.Parallel()
	p := parse(t, string(rollout.Shipped()))
	want := []float64{0.05, 0.2, 0.2, 0.35, 0.5, 0.7, 1}
	if len(p.Stages) != len(want) {
		t.Fatalf("%d stages", len(p.Stages))
	}
	for i, s := range p.Stages {
		if diff := s.Reach - want[i]; diff > 1e-9 || diff < -1e-9 {
			t.Errorf("stage %s reaches %v, want %v", s.Name, s.Reach, want[i])
		}
		if halts := s.Guardrails[0]; halts.Source != "compliance_violations == 0" || halts.Else != rollout.Halt {
			t.Errorf("stage %s: any violation halts, not %+v", s.Name, halts)
		}
	}
	if !p.Unlimited(len(p.Stages) - 1) {
		t.Error("the last stage must reach everybody")
	}
}

func TestParseTellsWhereAndWhat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ was, is, want string }{
		"no name":        {"programme: small", "title: x", "x.yaml:1:1: programme is missing"},
		"shrinking":      {"share: 40%", "share: 5%", "x.yaml:21:29: stage two reaches 2.5% of all, less than 5% of stage one before it"},
		"share":          {"share: 10%", "share: 0.1", "x.yaml:20:29: share \"0.1\": write a share above 0%"},
		"condition":      {"email_delivery_rate > 95% at 95%]", "email_delivery_rate => 95%]", "x.yaml:12:13: \"email_delivery_rate => 95%\" is not a condition"},
		"confidence":     {"at 95%]", "at 0.95%]", "x.yaml:12:13: confidence 0.95%"},
		"exact":          {"compliance_violations == 0,", "compliance_violations == 0 at 95%,", "== is exact"},
		"cohort":         {"engagement.score", "engagement.scroe", "x.yaml:8:13: cohort, its line 1, character"},
		"event":          {"engagement.score > 0.7", "event.x == 1", "x.yaml:8:13: cohort, its line 1"},
		"channel":        {"channels: [email]", "channels: [fax]", "x.yaml:10:16"},
		"else":           {"else: halt", "else: stop", "else \"stop\": write step back or halt"},
		"not governed":   {"journeys: [winback]\n", "journeys: [cart]\n", "journey cart is not among those"},
		"twice":          {"stage: two", "stage: one", "stage one is there twice"},
		"unknown key":    {"sample: 100}\n      - {stage: two", "smaple: 100}\n      - {stage: two", "did you mean sample?"},
		"duration":       {"over 2d", "over soon", "over soon"},
		"no stage":       {"      - {stage: all, share: 100%, hold: 7d, sample: 0}\n", "      []\n", "phase full has no stage"},
		"review":         {"review: every-touch", "review: all", "review \"all\": write policy or every-touch"},
		"negative hours": {"check: 6h", "check: 0h", "check must be longer than zero"},
	} {
		source := strings.Replace(small, c.was, c.is, 1)
		if source == small {
			t.Fatalf("%s: nothing replaced", name)
		}
		_, err := rollout.Parse("x.yaml", []byte(source))
		if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nlacks %q", name, err, c.want)
		}
	}
}

// The schema takes what the parser takes.
func TestSchema(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(rollout.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("rollout.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("rollout.json")
	if err != nil {
		t.Fatal(err)
	}
	for source, ok := range map[string]bool{
		small: true, string(rollout.Shipped()): true,
		strings.Replace(small, "share: 10%", "share: 0.1", 1):   false,
		strings.Replace(small, "else: halt", "else: stop", 1):   false,
		strings.Replace(small, "sample: 100", "smaple: 100", 1): false,
		strings.Replace(small, "programme: small", "x: y", 1):   false,
	} {
		asJSON, err := yaml.YAMLToJSON([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); (err == nil) != ok {
			t.Errorf("%.60q: %v", source, err)
		}
	}
}

// Growing the stage only adds customers: whoever is drawn at a share is drawn at
// every larger one, and about that share of customers is.
func TestMembershipIsMonotone(t *testing.T) {
	t.Parallel()
	p := parse(t, string(rollout.Shipped()))
	stays := func(customer string) bool {
		was := false
		for stage := range p.Stages {
			is := p.Drawn(stage, lifecycle.CustomerID(customer))
			if was && !is {
				return false
			}
			was = is
		}
		return was // the last stage reaches everybody
	}
	if err := quick.Check(stays, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
	const n = 20000
	drawn := 0
	for i := range n {
		if p.Drawn(1, lifecycle.CustomerID(fmt.Sprint(i))) {
			drawn++
		}
	}
	if share := float64(drawn) / n; share < 0.185 || share > 0.215 {
		t.Errorf("%v of customers are drawn at 20%%", share)
	}
}

// rate is a reading with hits of n and its Wilson interval.
func rate(hits, n int) measure.Reading {
	return measure.Reading{Numerator: float64(hits), Denominator: float64(n), Status: measure.OK,
		Interval: measure.Proportion{N: n, Hits: hits}.Wilson(measure.Level)}
}

func number(v float64) measure.Reading {
	return measure.Reading{Numerator: v, Status: measure.OK, Interval: measure.Interval{Estimate: v, Low: v, High: v, Level: measure.Level}}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	scarce := measure.Reading{Status: measure.NotEnoughData, Why: "3 of 30 e-mails", Denominator: 3}
	for _, c := range []struct {
		condition string
		reading   measure.Reading
		want      rollout.Verdict
	}{
		{"email_delivery_rate > 95% at 95%", rate(990, 1000), rollout.Holds},
		{"email_delivery_rate > 95% at 95%", rate(960, 1000), rollout.Unclear},
		{"email_delivery_rate > 95% at 95%", rate(900, 1000), rollout.Fails},
		{"email_delivery_rate > 95%", rate(960, 1000), rollout.Holds},
		{"email_delivery_rate > 95% at 95%", scarce, rollout.NoData},
		{"email_delivery_rate > 95% at 80%", rate(960, 1000), rollout.Holds},
		{"spam_complaint_rate < 0.1% at 95%", rate(0, 1000), rollout.Unclear},
		{"spam_complaint_rate < 0.1% at 95%", rate(0, 5000), rollout.Holds},
		{"spam_complaint_rate < 0.1% at 95%", rate(20, 1000), rollout.Fails},
		{"compliance_violations == 0", number(0), rollout.Holds},
		{"compliance_violations == 0", number(1), rollout.Fails},
		{"compliance_violations != 0", number(1), rollout.Holds},
		{"review_time < 5m", number(299), rollout.Holds},
		{"review_time <= 5m", number(301), rollout.Fails},
		{"rpmt >= 0.61", number(0.61), rollout.Holds},
	} {
		condition, err := rollout.ParseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		if f := condition.Judge(c.reading, true); f.Verdict != c.want {
			t.Errorf("%s of %+v: %s", c.condition, c.reading.Interval, f)
		}
		if f := condition.Judge(c.reading, false); f.Verdict != rollout.NoData {
			t.Errorf("%s of an unknown KPI: %s", c.condition, f)
		}
	}
}

// With fewer observations than Least even a perfect result is not enough, and
// with so many it is.
func TestLeast(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"a > 95% at 95%", "a < 0.1% at 95%", "a > 50% at 80%", "a < 3% at 99%"} {
		c, err := rollout.ParseCondition(source)
		if err != nil {
			t.Fatal(err)
		}
		judge := func(n int) rollout.Verdict {
			hits := n
			if strings.HasPrefix(c.Op, "<") {
				hits = 0
			}
			return c.Judge(measure.Reading{Status: measure.OK, Interval: measure.Proportion{N: n, Hits: hits}.Wilson(c.Level)}, true).Verdict
		}
		n := c.Least()
		if judge(n+1) != rollout.Holds || judge(n-1) != rollout.Unclear {
			t.Errorf("%s: %d observations: %s before, %s after", source, n, judge(n-1), judge(n+1))
		}
	}
	if c, err := rollout.ParseCondition("compliance_violations == 0"); err != nil || c.Least() != 0 {
		t.Errorf("%v %v", c.Least(), err)
	}
}

func TestAssess(t *testing.T) {
	t.Parallel()
	p := parse(t, small)
	now := time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)
	good := map[string]measure.Reading{"email_delivery_rate": rate(990, 1000), "compliance_violations": number(0), "hard_bounce_rate": rate(1, 1000)}
	with := func(kpi string, r measure.Reading) map[string]measure.Reading {
		m := map[string]measure.Reading{}
		for k, v := range good {
			m[k] = v
		}
		if m[kpi] = r; r.Status == "" {
			delete(m, kpi)
		}
		return m
	}
	ready := rollout.Position{Stage: 0, Since: now.Add(-8 * day), PhaseSince: now.Add(-8 * day), Watched: 8 * day}
	at := func(stage, stepBacks int) rollout.Position {
		q := ready
		q.Stage, q.StepBacks = stage, stepBacks
		return q
	}
	soon := ready
	soon.Watched = 6 * day
	for name, c := range map[string]struct {
		at       rollout.Position
		readings map[string]measure.Reading
		sample   int
		want     rollout.Action
		why      string
	}{
		"all met":              {ready, good, 100, rollout.Advance, "all gates are met"},
		"end of a phase":       {at(1, 0), good, 100, rollout.Ask, "all gates are met"},
		"last stage":           {at(2, 0), nil, 0, rollout.Advance, ""},
		"too early":            {soon, good, 100, rollout.Wait, "24h0m0s more to watch"},
		"too few":              {ready, good, 99, rollout.Wait, "99 of 100 customers"},
		"no reading":           {ready, with("email_delivery_rate", measure.Reading{}), 100, rollout.Wait, "no data"},
		"unclear":              {ready, with("email_delivery_rate", rate(96, 100)), 100, rollout.Wait, "unclear"},
		"gate fails":           {ready, with("email_delivery_rate", rate(900, 1000)), 100, rollout.Wait, "fails"},
		"violation":            {at(1, 0), with("compliance_violations", number(1)), 100, rollout.Halt, "compliance_violations == 0: fails"},
		"bounces":              {at(1, 0), with("hard_bounce_rate", rate(60, 1000)), 100, rollout.StepBack, "hard_bounce_rate"},
		"bounces, unclear":     {at(1, 0), with("hard_bounce_rate", rate(4, 100)), 100, rollout.Ask, ""},
		"no smaller stage":     {ready, with("hard_bounce_rate", rate(60, 1000)), 100, rollout.Halt, "no smaller stage"},
		"stepped back too oft": {at(1, 1), with("hard_bounce_rate", rate(60, 1000)), 100, rollout.Halt, "steps back are enough"},
	} {
		var from time.Time
		a := p.Assess(c.at, now, rollout.Evidence{Sample: c.sample, Reading: func(kpi string, since time.Time) (measure.Reading, bool) {
			if kpi == "hard_bounce_rate" {
				from = since
			}
			r, known := c.readings[kpi]
			return r, known
		}})
		if a.Action != c.want || !strings.Contains(a.Why, c.why) {
			t.Errorf("%s: %s because %s", name, a.Action, a.Why)
		}
		if c.at.Stage < 2 && !from.Equal(now.Add(-2*day)) {
			t.Errorf("%s: bounces are read since %s", name, from)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChecklist(t *testing.T) {
	t.Parallel()
	p := parse(t, small)
	now := time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)
	e := rollout.Evidence{Reading: func(kpi string, since time.Time) (measure.Reading, bool) { return rate(970, 1000), true }}
	a := p.Assess(rollout.Position{Since: now, PhaseSince: now}, now, e)
	if a.Open() != 1 || !a.Checklist[0].Done || a.Checklist[1].Done || !strings.Contains(a.Checklist[1].Evidence, "rollout tick small trained") {
		t.Errorf("%+v", a.Checklist)
	}
	e.Ticks = map[string]ledger.Tick{"pilot/trained": {By: "jane", At: now, Note: "two sessions"}}
	a = p.Assess(rollout.Position{Since: now, PhaseSince: now}, now, e)
	if a.Open() != 0 || !strings.Contains(a.Markdown(), "- [x] The team is trained (`trained`): jane, 2026-03-20: two sessions") {
		t.Errorf("%d open\n%s", a.Open(), a.Markdown())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Add(string(rollout.Shipped()))
	f.Add("programme: x\nphases: [{phase: a, stages: [{stage: b, share: 1%, hold: 1s, sample: 1}]}]")
	f.Fuzz(func(t *testing.T, source string) {
		p, err := rollout.Parse("x.yaml", []byte(source))
		if err != nil {
			if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.HasPrefix(err.Error(), "x.yaml") {
				t.Fatalf("%v", err)
			}
			return
		}
		for i, s := range p.Stages {
			if !(s.Reach > 0 && s.Reach <= 1) || s.Hold <= 0 || i > 0 && s.Reach < p.Stages[i-1].Reach-1e-9 {
				t.Fatalf("stage %+v of\n%s", s, source)
			}
			p.Scope(1, i, time.Time{})
			p.Assess(rollout.Position{Stage: i}, time.Time{}, rollout.Evidence{Reading: func(string, time.Time) (measure.Reading, bool) { return measure.Reading{}, false }})
		}
	})
}

func FuzzParseCondition(f *testing.F) {
	for _, s := range []string{"a > 1", "email_delivery_rate > 95% at 95% over 3d", "a==b", "x < 5m", "x <= -1e9 at 99.9%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		c, err := rollout.ParseCondition(source)
		if err != nil {
			if lifecycle.CodeOf(err) != lifecycle.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := rollout.ParseCondition(c.Source)
		if err != nil || again != c {
			t.Fatalf("%+v became %+v: %v", c, again, err)
		}
		c.Least()
		c.Judge(rate(1, 2), true)
	})
}
