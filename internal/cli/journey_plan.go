package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/clock"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// planned is what a journey would do if it were applied now.
type planned struct {
	Journey    string                 `json:"journey"`
	At         time.Time              `json:"at"`
	Entry      string                 `json:"entry"` // the segment, or the event
	Period     string                 `json:"period,omitempty"`
	Events     int                    `json:"events,omitempty"` // entry events in the period
	Customers  int                    `json:"customers"`
	Refused    int                    `json:"refused"`
	HeldOut    int                    `json:"held_out"`
	Treated    int                    `json:"treated"`
	Reachable  int                    `json:"reachable"`
	Consenting int                    `json:"consenting"`
	Cohort     []postgres.ForecastRow `json:"by_stage_and_zone,omitempty"`
	MaxTouches int                    `json:"max_touches_per_customer"`
	Sample     []string               `json:"sample,omitempty"` // external ids
	Rehearsed  int                    `json:"rehearsed"`        // customers of the sample
	Templated  int                    `json:"judged_with_template"`
	Steps      []plannedStep          `json:"steps,omitempty"`

	sampled []lifecycle.CustomerID
}

// plannedStep is what would become of one touch for the sample.
type plannedStep struct {
	Step     string         `json:"step"`
	Outcomes map[string]int `json:"outcomes"` // "send now", "later: rule", "review: rule", "blocked: rule", "nothing", "ends: reason"
}

const (
	sampleSize  = 1000
	sampleShown = 20 // ids that are named
	eventPeriod = 30 * 24 * time.Hour
)

func (a *app) journeyPlan() *cobra.Command {
	return &cobra.Command{
		Use:   "plan FILE",
		Short: "Say who would enter, and what would be sent, deferred or blocked",
		Long: "Counts exactly, in the database, who would enter the journey now: by stage and time zone, with\n" +
			"re-entry rule and holdouts applied, and who of them can be written to. Then a sample of at most\n" +
			"1,000 of them is led to each touch as if it were due now, through the same agents and guardrails\n" +
			"as in operation: an estimate, as time will pass and people will act. Nothing is stored or sent.",
		Example: "  touchstone journey plan winback\n  touchstone journey plan journeys/winback.yaml --json",
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				def, err := loadJourney(args[0], s.brand)
				if err != nil {
					return err
				}
				p, err := s.plan(ctx, def)
				if err != nil {
					return err
				}
				return a.print(p, func() { a.showPlan(p) })
			})
		},
	}
}

func (s *session) plan(ctx context.Context, def *journey.Definition) (planned, error) {
	p := planned{Journey: def.Name, At: s.clock.Now(), MaxTouches: mostTouches(def.Steps)}
	var err error
	if def.Entry.Segment != nil {
		err = s.planCohort(ctx, def, &p)
	} else {
		p.Entry, p.Period = "event "+def.Entry.Event, clock.FormatDuration(eventPeriod)
		p.Events, p.Customers, p.sampled, err = s.store.EntryEvents(ctx, def.Entry.Event, p.At.Add(-eventPeriod), p.At, sampleSize)
	}
	if err != nil {
		return p, err
	}
	return p, s.rehearse(ctx, def, &p)
}

// planCohort counts what the standing campaign's first scan would enrol.
func (s *session) planCohort(ctx context.Context, def *journey.Definition, p *planned) error {
	where, args, err := def.Entry.Segment.SQL(p.At, s.brand.Stages, 1)
	if err != nil {
		return located(def.Entry.Segment.String(), err)
	}
	p.Entry = def.Entry.Segment.String()
	cohort := ledger.Cohort{
		Campaign: def.Name, Journey: def.Name, Where: where, Args: args, Ramp: 1, Holdout: def.Holdout, Global: s.config.GlobalHoldout,
		At: p.At, Always: def.Reentry.Always, NoReentry: def.Reentry.Never, NotSince: p.At.Add(-def.Reentry.After),
	}
	if p.Cohort, err = s.store.Forecast(ctx, cohort); err != nil {
		return err
	}
	for _, row := range p.Cohort {
		p.Customers += row.Customers
		p.Refused += row.Refused
		p.HeldOut += row.HeldOut
		p.Treated += row.Treated
		p.Reachable += row.Reachable
		p.Consenting += row.Consenting
	}
	p.sampled, err = s.store.SampleCohort(ctx, cohort, sampleSize)
	return err
}

// rehearse leads the sample to every touch.
func (s *session) rehearse(ctx context.Context, def *journey.Definition, p *planned) error {
	situations, err := s.store.Rehearse(ctx, p.sampled, def.Name, p.At)
	if err != nil || len(situations) == 0 {
		return err
	}
	r, engine, templated, err := s.newRehearsal(ctx, def)
	if err != nil {
		return err
	}
	p.Rehearsed, p.Templated = len(situations), templated
	for _, sit := range situations[:min(sampleShown, len(situations))] {
		p.Sample = append(p.Sample, sit.Profile.Customer.ExternalID)
	}
	for _, step := range def.Touches() {
		outcomes := map[string]int{}
		for _, sit := range situations {
			plan, ended, err := r.play(ctx, engine, sit, step, p.At)
			if err != nil {
				return err
			}
			outcomes[outcome(plan, ended)]++
		}
		p.Steps = append(p.Steps, plannedStep{step.ID, outcomes})
	}
	return nil
}

// outcome names what would become of a touch, with the rule that decided.
func outcome(plan *ledger.Plan, ended string) string {
	if plan == nil {
		return "ends: " + ended
	}
	rule := "other"
	for _, f := range plan.Verdict.Findings {
		if f.Outcome == plan.Verdict.Outcome {
			rule = f.Rule
			break
		}
	}
	switch plan.Touch.State {
	case lifecycle.TouchPlanned:
		return "send now"
	case lifecycle.TouchDeferred:
		return "later: " + rule
	case lifecycle.TouchInReview:
		return "review: " + rule
	case lifecycle.TouchBlocked:
		return "blocked: " + rule
	}
	if plan.Decision.Agent != "" {
		return "nothing: the agent sees no value"
	}
	reason, _, _ := strings.Cut(plan.Touch.Reason, ":")
	return "nothing: " + reason
}

// mostTouches is the most messages one customer can get on one passage.
func mostTouches(steps []journey.Step) int {
	n := 0
	for _, step := range steps {
		switch {
		case step.Touch != nil:
			n++
		case step.Wait != nil:
			n += max(mostTouches(step.Wait.OnEvent), mostTouches(step.Wait.OnTimeout))
		default:
			most := 0
			for _, arm := range step.Branch {
				most = max(most, mostTouches(arm.Steps))
			}
			n += most
		}
	}
	return n
}

// cohortShown is how many rows of stages and zones are shown.
const cohortShown = 12

func (a *app) showPlan(p planned) {
	a.say("journey %s, as of %s UTC", p.Journey, day(p.At))
	a.say("entry: %s\n", wrap(p.Entry, 7))
	if p.Period != "" {
		a.say("estimate: the last %s saw %s by %s; so many would enter again", p.Period, many(p.Events, "such event", "such events"), many(p.Customers, "customer", "customers"))
	} else {
		a.say("counted exactly:")
		a.indented("  ", nil, [][]string{
			{"in the segment", count(p.Customers)}, {"may not enter again", count(p.Refused)}, {"held out", count(p.HeldOut)},
			{"would enter", count(p.Treated)}, {"  with an e-mail address", count(p.Reachable)}, {"  and consent to e-mail", count(p.Consenting)},
		})
		a.showCohort(p.Cohort)
	}
	a.say("\n%s per customer at most", many(p.MaxTouches, "touch", "touches"))
	if p.Rehearsed == 0 {
		a.say("nobody to rehearse with")
		return
	}
	a.say("\nestimate, from %s led to each touch as if it were due now:", many(p.Rehearsed, "customer", "customers"))
	if p.Templated > 0 {
		a.say("(%s without approved copy judged with the shipped template)", many(p.Templated, "message", "messages"))
	}
	var rows [][]string
	for _, step := range p.Steps {
		name := step.Step
		for _, o := range slices.SortedFunc(maps.Keys(step.Outcomes), func(x, y string) int {
			return cmp.Or(cmp.Compare(step.Outcomes[y], step.Outcomes[x]), cmp.Compare(x, y))
		}) {
			rows = append(rows, []string{name, cut(o, 60), count(step.Outcomes[o]), percentOf(float64(step.Outcomes[o]) / float64(p.Rehearsed))})
			name = ""
		}
	}
	a.table([]string{"step", "outcome", "customers", "share"}, rows)
	a.say("\nEvery touch is judged by itself: those before it are taken as not sent.")
	a.say("Among them: %s", wrap(list(p.Sample[:min(5, len(p.Sample))]), 12))
}

func (a *app) showCohort(cohort []postgres.ForecastRow) {
	if len(cohort) == 0 {
		return
	}
	a.say("")
	var rows [][]string
	for _, c := range cohort[:min(cohortShown, len(cohort))] {
		rows = append(rows, []string{string(c.Stage), c.Zone, count(c.Customers), count(c.Treated), count(c.Consenting)})
	}
	a.table([]string{"stage", "time zone", "customers", "would enter", "with consent"}, rows)
	if more := len(cohort) - cohortShown; more > 0 {
		a.say("and %d more rows: --json", more)
	}
}
