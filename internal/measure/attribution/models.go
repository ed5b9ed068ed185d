package attribution

import (
	"math"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// Model names a way to divide revenue.
type Model string

// Models. All but Markov look at one order at a time.
const (
	First    Model = "first"    // all to the first contact
	Last     Model = "last"     // all to the last contact
	Linear   Model = "linear"   // the same to every contact
	Position Model = "position" // 40 % first, 40 % last, 20 % to those between; 50/50 of two
	Decay    Model = "decay"    // halves with every DecayHalfLife before the order
	Markov   Model = "markov"   // by removal effect, see chain
)

// Models lists every model in the order of tables.
var Models = []Model{First, Last, Linear, Position, Decay, Markov}

// DecayHalfLife is the age at which a contact's weight has halved under Decay.
const DecayHalfLife = 7 * 24 * time.Hour

// ParseModels reads one model's name, or "all".
func ParseModels(s string) ([]Model, error) {
	if s == "all" {
		return Models, nil
	}
	names := make([]string, len(Models))
	for i, m := range Models {
		if string(m) == s {
			return Models[i : i+1], nil
		}
		names[i] = string(m)
	}
	return nil, lifecycle.Errorf(lifecycle.Invalid, "unknown attribution model %q: use one of %s, or all", s, strings.Join(names, ", "))
}

// weights gives each contact of an order its share, in [0,1]; they sum to 1. The
// contacts are oldest first and at least one. Markov has no weights: its shares
// belong to groups over all paths.
func (m Model) weights(buf []float64, path []contact, at time.Time) []float64 {
	n := len(path)
	buf = buf[:0]
	for i := range path {
		w := 0.0
		switch m {
		case First:
			if i == 0 {
				w = 1
			}
		case Last:
			if i == n-1 {
				w = 1
			}
		case Linear:
			w = 1 / float64(n)
		case Position:
			w = position(i, n)
		case Decay:
			// Relative to the youngest, so that no age makes all weights vanish.
			w = math.Exp2(-float64(path[n-1].at.Sub(path[i].at)) / float64(DecayHalfLife))
		}
		buf = append(buf, w)
	}
	if m == Decay {
		sum := 0.0
		for _, w := range buf {
			sum += w
		}
		for i := range buf {
			buf[i] /= sum
		}
	}
	return buf
}

func position(i, n int) float64 {
	switch {
	case n == 1:
		return 1
	case n == 2:
		return 0.5
	case i == 0 || i == n-1:
		return 0.4
	}
	return 0.2 / float64(n-2)
}
