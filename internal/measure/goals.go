package measure

import "fmt"

// Goals are the levels of attributed RpMT that the programme is judged by, in
// major units of the brand's currency per marketing touch.
type Goals struct {
	Baseline float64 `json:"baseline" yaml:"baseline"` // before the programme
	Target   float64 `json:"target" yaml:"target"`     // after its first year
	Stretch  float64 `json:"stretch" yaml:"stretch"`   // after its second year
}

// DefaultGoals are those of the measurement and rollout plan: 0.45 at the
// start, 0.61 after one year (+35 %), 1.05 after two (+133 %). The plan states
// them in US dollars; they are taken as amounts in the brand's currency.
func DefaultGoals() Goals { return Goals{Baseline: 0.45, Target: 0.61, Stretch: 1.05} }

// Judge says in words where a figure in the same unit stands.
func (g Goals) Judge(rpmt float64) string {
	switch {
	case rpmt >= g.Stretch:
		return fmt.Sprintf("at or above the stretch goal of %.2f", g.Stretch)
	case rpmt >= g.Target:
		return fmt.Sprintf("at or above the target of %.2f, below the stretch goal of %.2f", g.Target, g.Stretch)
	case rpmt >= g.Baseline:
		return fmt.Sprintf("at or above the baseline of %.2f, below the target of %.2f", g.Baseline, g.Target)
	}
	return fmt.Sprintf("below the baseline of %.2f", g.Baseline)
}

// JudgeInterval says in words where an interval in the same unit stands.
func (g Goals) JudgeInterval(i Interval) string {
	low, high := g.Judge(i.Low), g.Judge(i.High)
	if low == high {
		return "the whole interval is " + low
	}
	return "the interval reaches from " + low + ", to " + high
}
