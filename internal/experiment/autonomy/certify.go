package autonomy

import (
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Judged is a past item with the score that it got and what people decided; they
// must not have seen the score.
type Judged struct {
	Score float64 // higher = more surely right
	Wrong bool    // approving it would have been an error
}

// Rule is what is to be certified.
type Rule struct {
	Risk  float64 // share of approvals that may be wrong, for example 0.01
	Delta float64 // probability of certifying a threshold that breaks it, for example 0.05
	Tiers int     // risk tiers certified together (Bonferroni); 0 = 1
}

// DefaultRule promises at most 1 % errors with 95 % confidence.
func DefaultRule() Rule { return Rule{Risk: 0.01, Delta: 0.05} }

// Certificate says which scores may be approved without a person.
type Certificate struct {
	Valid     bool    `json:"valid"`     // false: nothing may be approved
	Threshold float64 `json:"threshold"` // scores at or above it
	Approved  int     `json:"approved"`  // of the past items, at the threshold
	Errors    int     `json:"errors"`    // of those
	Items     int     `json:"items"`
	P         float64 `json:"p"` // of the threshold's own test
}

// Coverage is the share of past items that the threshold would have approved.
func (c Certificate) Coverage() float64 {
	if c.Items == 0 {
		return 0
	}
	return float64(c.Approved) / float64(c.Items)
}

// Certify walks a grid of thresholds, declared before the items were seen, from the
// strictest to the laxest, and goes on as long as the hypothesis "more than Risk of
// the approvals are wrong" is rejected at Delta by the exact binomial test. The last
// threshold that passed is certified: with probability 1-Delta its error rate is at
// most Risk (fixed-sequence testing; A. N. Angelopoulos, S. Bates, E. J. Candès, M. I.
// Jordan and L. Lei, Learn then Test, arXiv:2110.01052). Thresholds at which too few items
// were approved to certify even without an error are passed over: that depends on
// scores and not on errors, and costs no error.
func Certify(items []Judged, grid []float64, r Rule) Certificate {
	grid = slices.Sorted(slices.Values(grid))
	slices.Reverse(grid)
	sorted := slices.SortedFunc(slices.Values(items), func(a, b Judged) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	delta := r.Delta / float64(max(r.Tiers, 1))
	c := Certificate{Items: len(items)}
	accepted, errors := 0, 0
	for _, threshold := range grid {
		for accepted < len(sorted) && sorted[accepted].Score >= threshold {
			if sorted[accepted].Wrong {
				errors++
			}
			accepted++
		}
		if BinomialCDF(0, accepted, r.Risk) > delta {
			continue // not enough even without an error
		}
		p := BinomialCDF(errors, accepted, r.Risk)
		if p > delta {
			break
		}
		c.Valid, c.Threshold, c.Approved, c.Errors, c.P = true, threshold, accepted, errors, p
	}
	return c
}

// Needed is the least number of approvals with so many errors that certifies a rule.
func Needed(errors int, r Rule) int {
	n := max(errors, 1)
	for BinomialCDF(errors, n, r.Risk) > r.Delta/float64(max(r.Tiers, 1)) {
		n++
	}
	return n
}

// BinomialCDF is the probability of at most k hits in n trials.
func BinomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-p)
}

// Grid is the usual grid: from 0.999 down to 0.5 in steps of 0.005.
func Grid() []float64 {
	grid := []float64{0.999}
	for t := 0.995; t > 0.4975; t -= 0.005 {
		grid = append(grid, t)
	}
	return grid
}
