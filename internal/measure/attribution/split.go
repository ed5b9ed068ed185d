package attribution

import (
	"cmp"
	"math"
	"slices"
)

// split divides total minor units by weights that sum to 1, by the largest
// remainder: everybody gets the whole part of their share, and the units left
// over go one each to the largest fractions, the earlier first. The parts add up
// to total exactly and have its sign or are zero; a weight of zero gets nothing.
func split(buf []int64, total int64, weights []float64) []int64 {
	buf = buf[:0]
	if total < 0 {
		buf = split(buf, -total, weights)
		for i := range buf {
			buf[i] = -buf[i]
		}
		return buf
	}
	left := total
	for _, w := range weights {
		part := min(int64(math.Floor(float64(total)*w)), left)
		buf = append(buf, part)
		left -= part
	}
	if left == 0 {
		return buf
	}
	order := make([]int, 0, len(weights))
	for i, w := range weights {
		if w > 0 {
			order = append(order, i)
		}
	}
	fraction := func(i int) float64 { return float64(total)*weights[i] - float64(buf[i]) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(fraction(b), fraction(a)) })
	// Rounding of very large totals may leave more units than there are shares.
	each, rest := left/int64(len(order)), left%int64(len(order))
	for n, i := range order {
		buf[i] += each
		if int64(n) < rest {
			buf[i]++
		}
	}
	return buf
}
