package attribution

import (
	"fmt"
	"math"
	"math/bits"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/measure"
)

// CellArm is one cell of a test that switches agents on and off by chance. Bit i
// of On says that agent i decides.
type CellArm struct {
	On   int         `json:"on"`
	Arm  measure.Arm `json:"arm"`
	Open int         `json:"open"` // customers left out because their outcome window is open
}

// Contribution is what one agent adds, per customer: the mean over all orders in
// which the agents could be switched on of what switching on this one changes.
type Contribution struct {
	Agent      string         `json:"agent"`
	Conversion measure.Answer `json:"conversion"` // in shares of customers
	Revenue    measure.Answer `json:"revenue"`    // in minor units per customer
}

// Shares is the answer of a test of agents.
type Shares struct {
	Contributions []Contribution `json:"contributions"` // in the order of the agents
	// All is what all agents together add to none: the contributions sum to it.
	All   Contribution `json:"all"`
	Cells []CellArm    `json:"cells"`
}

// Shapley divides what the agents add together among them, exactly, from the
// means v(S) of randomised cells:
//
//	phi(i) = Σ over S without i of |S|! (k-|S|-1)! / k! · (v(S+i) − v(S))
//
// (L. S. Shapley, A value for n-person games, 1953). The phi sum to v(all) −
// v(none). Cells are independent samples, so with c(S) the coefficient of v(S),
//
//	var phi = Σ c(S)² s(S)²/n(S)
//
// and the interval is the normal one. Because cells are drawn by chance this is a
// causal answer, to one question: this population, these agents, this window.
// Every cell needs the minimum, and buyers for either figure: a cell in which
// nobody bought would look certain.
func Shapley(agents []string, cells []CellArm, least measure.Minimum, level float64) Shares {
	k := len(agents)
	byOn := make([]CellArm, 1<<k)
	for on := range byOn {
		byOn[on].On = on
	}
	for _, c := range cells {
		if c.On >= 0 && c.On < len(byOn) {
			byOn[c.On] = c
		}
	}
	s := Shares{Cells: byOn, All: Contribution{Agent: "all together"}}
	for _, a := range agents {
		s.Contributions = append(s.Contributions, Contribution{Agent: a})
	}
	why := lacking(agents, byOn, least)
	for i := range s.Contributions {
		s.Contributions[i].Conversion, s.Contributions[i].Revenue = contrast(byOn, coefficients(k, i), why, level)
	}
	all := make([]float64, len(byOn))
	all[len(all)-1], all[0] = 1, -1
	s.All.Conversion, s.All.Revenue = contrast(byOn, all, why, level)
	return s
}

// coefficients are the factors of v(S) in phi of agent i of k.
func coefficients(k, i int) []float64 {
	c := make([]float64, 1<<k)
	for on := range c {
		if on&(1<<i) != 0 {
			continue
		}
		size := bits.OnesCount(uint(on))
		weight := 1 / (float64(k) * choose(k-1, size)) // |S|! (k-|S|-1)! / k!
		c[on|1<<i] += weight
		c[on] -= weight
	}
	return c
}

func choose(n, r int) float64 {
	v := 1.0
	for j := range r {
		v = v * float64(n-j) / float64(j+1)
	}
	return math.Round(v)
}

// contrast is a weighted sum of cell means with its interval, for conversion and
// for revenue.
func contrast(cells []CellArm, c []float64, why string, level float64) (conversion, revenue measure.Answer) {
	if why != "" {
		none := measure.Answer{Status: measure.NotEnoughData, Why: why}
		return none, none
	}
	var rate, rateVariance, mean, meanVariance float64
	for on, cell := range cells {
		p, n := cell.Arm.Conversion().Rate(), float64(cell.Arm.Revenue.N)
		rate += c[on] * p
		rateVariance += c[on] * c[on] * p * (1 - p) / n
		mean += c[on] * cell.Arm.Revenue.Mean()
		meanVariance += c[on] * c[on] * cell.Arm.Revenue.Variance() / n
	}
	return normal(rate, rateVariance, level), normal(mean, meanVariance, level)
}

func normal(estimate, variance, level float64) measure.Answer {
	half := distuv.UnitNormal.Quantile(1-(1-level)/2) * math.Sqrt(variance)
	a := measure.Answer{Status: measure.OK, Interval: measure.Interval{Estimate: estimate, Low: estimate - half, High: estimate + half, Level: level}}
	if a.Interval.SpansZero() {
		a.Status = measure.NotDistinguishable
	}
	return a
}

// lacking says which cell has too little, "" if none.
func lacking(agents []string, cells []CellArm, least measure.Minimum) string {
	for on, cell := range cells {
		switch n := cell.Arm.Revenue.N; {
		case n < max(least.Customers, 2):
			return fmt.Sprintf("%d customers with %s, %d needed", n, CellName(agents, on), max(least.Customers, 2))
		case cell.Arm.Converted < least.Buyers:
			return fmt.Sprintf("%d buyers with %s, %d needed", cell.Arm.Converted, CellName(agents, on), least.Buyers)
		}
	}
	return ""
}

// CellName says in words which agents of a cell are on.
func CellName(agents []string, on int) string {
	switch on {
	case 0:
		return "every agent off"
	case 1<<len(agents) - 1:
		return "every agent on"
	}
	name := "only"
	for i, a := range agents {
		if on&(1<<i) != 0 {
			name += " " + a
		}
	}
	return name + " on"
}
