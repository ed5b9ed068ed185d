package measure

import (
	"time"

	"touchstone/internal/ledger"
)

// WeekOf names the week of an instant, counted from the beginning of a period, by
// its first day.
func WeekOf(from, at time.Time) string { return WeekNamed(from, int(at.Sub(from)/Week)) }

// WeekNamed is the name of a week counted from the beginning of a period, from 0.
func WeekNamed(from time.Time, n int) string {
	return from.Add(time.Duration(n) * Week).UTC().Format(time.DateOnly)
}

// ProgrammeTrial compares the whole programme with the brand's holdout: a
// customer counts from the first run of any journey.
const ProgrammeTrial Scope = "programme"

// CutBy is a division of a trial's customers by what was known of them at entry.
// Only such a division keeps the arms comparable: whatever comes after entry may
// depend on the arm.
type CutBy string

// Cuts.
const (
	NoCut    CutBy = ""
	ByWeek   CutBy = "week"   // of entry
	ByCohort CutBy = "cohort" // lifecycle stage at entry
)

// CutQuery asks for trials, each divided by a cut.
type CutQuery struct {
	From, To time.Time // of entry, half-open, business time
	Scope    Scope
	Name     string // of one journey or campaign; "" = all
	By       CutBy
	Currency string
	Window   time.Duration            // outcome window of journeys without one of their own, and of the programme
	Windows  map[string]time.Duration // by journey
	Event    string                   // event that counts as a response; "" = none
}

// Cut is one part of a trial.
type Cut struct {
	Trial
	By        string             // value of the cut, "" without one
	Responded map[ledger.Arm]int // customers with the event in their outcome window
}

// Comparison is Trial.Comparison, and for the programme everybody who may be
// written to against the brand's holdout: customers held out of single journeys
// count as treated, because that is how the programme is run.
func (c Cut) Comparison() (Comparison, ledger.Arm) {
	if c.Scope != ProgrammeTrial {
		return c.Trial.Comparison()
	}
	t, h := c.Arms[ledger.Treated], c.Arms[ledger.Holdout]
	treated := Arm{Revenue: t.Revenue.Add(h.Revenue), Converted: t.Converted + h.Converted, Touches: t.Touches + h.Touches}
	return Comparison{Treated: treated, Held: c.Arms[ledger.GlobalHoldout]}, ledger.GlobalHoldout
}

// Response is the difference between the shares of customers with the event,
// treated minus control (Newcombe). The two sides are returned as well.
func (c Cut) Response(least Minimum, level float64) (a Answer, treated, held Proportion) {
	comparison, control := c.Comparison()
	treated = Proportion{N: comparison.Treated.Revenue.N, Hits: c.Responded[ledger.Treated]}
	if c.Scope == ProgrammeTrial {
		treated.Hits += c.Responded[ledger.Holdout]
	}
	held = Proportion{N: comparison.Held.Revenue.N, Hits: c.Responded[control]}
	if why := comparison.few(least); why != "" {
		return Answer{Status: NotEnoughData, Why: why}, treated, held
	}
	i, ok := Newcombe(treated, held, level)
	return answer(i, ok), treated, held
}
