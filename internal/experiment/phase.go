package experiment

import (
	"fmt"
	"time"
)

// Phase is a time in which the shares of the arms did not change. A change of
// shares, of arms or of the segment starts a new one: units of different phases were
// drawn under different chances and must not be thrown together.
type Phase struct {
	Number  int       `json:"number"` // from 1
	Since   time.Time `json:"since"`
	Weights []float64 `json:"weights"` // in the order of the definition's arms; 0 = retired
}

// Assignment is a unit's arm, with what inference needs later.
type Assignment struct {
	Arm        string  `json:"arm"`
	Phase      int     `json:"phase"`
	Propensity float64 `json:"propensity"` // the chance with which the arm was drawn
}

// Salt is what units are hashed with in a phase: one per test, and one per phase of
// a bandit, whose shares move so often that a common hash would tie the phases
// together. In both the stored exposure keeps a unit's arm.
func (d *Definition) Salt(p Phase) string {
	if d.Mode == Bandit {
		return fmt.Sprintf("experiment/%s/%d", d.Name, p.Number)
	}
	return "experiment/" + d.Name
}

// Assign draws a unit's arm in a phase: by hash, so that the same unit always gets
// the same arm. Store the assignment with the exposure, at the moment in which the
// arms first really differ for the unit; later phases do not change it. ok is false in
// a phase without weights.
func (d *Definition) Assign(p Phase, unit string) (a Assignment, ok bool) {
	arm, propensity, ok := Draw(p.Weights, Bucket(d.Salt(p), unit))
	if !ok || arm >= len(d.Arms) {
		return Assignment{}, false
	}
	return Assignment{Arm: d.Arms[arm].Name, Phase: p.Number, Propensity: propensity}, true
}

// Draw picks an index with probability proportional to its weight, from a stable
// draw in [0,1), and says that probability. ok is false when no weight is above
// zero.
func Draw(weights []float64, bucket float64) (index int, propensity float64, ok bool) {
	total := 0.0
	for _, w := range weights {
		total += max(w, 0)
	}
	if !(total > 0) {
		return 0, 0, false
	}
	at := bucket * total
	for i, w := range weights {
		if w <= 0 {
			continue
		}
		index, propensity = i, w/total
		if at < w {
			break
		}
		at -= w
	}
	return index, propensity, true
}

// Retire is the next phase without an arm: its share goes to the others in
// proportion.
func (d *Definition) Retire(p Phase, arm string, at time.Time) Phase {
	next := Phase{Number: p.Number + 1, Since: at, Weights: make([]float64, len(p.Weights))}
	left := 0.0
	for i, w := range p.Weights {
		if d.Arms[i].Name != arm {
			next.Weights[i] = w
			left += w
		}
	}
	if left > 0 {
		for i := range next.Weights {
			next.Weights[i] /= left
		}
	}
	return next
}

// First is the phase in which an experiment starts.
func (d *Definition) First(at time.Time) Phase {
	return Phase{Number: 1, Since: at, Weights: d.Weights()}
}
