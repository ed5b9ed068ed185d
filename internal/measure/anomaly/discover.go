package anomaly

import (
	"cmp"
	"slices"
)

// Discoveries returns those of the hours of one instant, one per metric, that
// are alarms when all metrics are looked at together: the procedure of Benjamini
// and Hochberg (JRSS B 57, 1995) keeps the expected share of false ones among
// them below r.Discovery. Metrics that could not be judged do not count.
func Discoveries(hours []Hour, r Rules) []Hour {
	judged := 0
	var suspects []Hour
	for _, h := range hours {
		if h.Status == OK || h.Status == Suspect {
			judged++
		}
		if h.Status == Suspect {
			suspects = append(suspects, h)
		}
	}
	slices.SortStableFunc(suspects, func(a, b Hour) int { return cmp.Compare(a.P, b.P) })
	for k := len(suspects); k > 0; k-- {
		if suspects[k-1].P <= r.Discovery*float64(k)/float64(judged) {
			return suspects[:k]
		}
	}
	return nil
}
