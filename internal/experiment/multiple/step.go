package multiple

import "slices"

// BenjaminiHochberg are adjusted p-values: those at or below q are discoveries of which
// at most a share q is expected to be false, if the tests are independent or
// positively dependent (Y. Benjamini and Y. Hochberg, JRSS B 57, 1995, 289-300). They
// are in the order of p.
func BenjaminiHochberg(p []float64) []float64 {
	m, order := len(p), ranked(p)
	adjusted, least := make([]float64, m), 1.0
	for k := m - 1; k >= 0; k-- {
		least = min(least, p[order[k]]*float64(m)/float64(k+1))
		adjusted[order[k]] = least
	}
	return adjusted
}

// Holm are adjusted p-values: rejecting those at or below alpha makes any false
// rejection with probability alpha at most (S. Holm, Scandinavian Journal of Statistics
// 6, 1979, 65-70).
func Holm(p []float64) []float64 {
	m, order := len(p), ranked(p)
	adjusted, most := make([]float64, m), 0.0
	for k, i := range order {
		most = max(most, min(p[i]*float64(m-k), 1))
		adjusted[i] = most
	}
	return adjusted
}

// ranked are the indices of p in rising order.
func ranked(p []float64) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	return order
}
