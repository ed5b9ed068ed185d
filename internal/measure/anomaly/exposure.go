package anomaly

// Responses are expected in proportion to what was sent before, hour by hour
// since the send: a campaign's opens must not look like an anomaly, nor the quiet
// after it.

// spread over this many hours is what we believe of responses before any came.
const believed = 24

// Exposure is how many responses each hour may expect. Sends are messages per
// hour; lags[l] is how many responses of the whole period came l hours after
// their message. One made-up response over the first day keeps hours from being
// impossible.
func Exposure(sends, lags []float64) []float64 {
	total := 0.0
	for _, n := range sends {
		total += n
	}
	exposure := make([]float64, len(sends))
	if total == 0 {
		return exposure
	}
	kernel := make([]float64, max(len(lags), believed))
	for l := range kernel {
		if l < len(lags) {
			kernel[l] = lags[l] / total
		}
		if l < believed {
			kernel[l] += 1 / (believed * total)
		}
	}
	for h, n := range sends {
		if n == 0 {
			continue
		}
		for l := 0; l < len(kernel) && h+l < len(sends); l++ {
			exposure[h+l] += n * kernel[l]
		}
	}
	return exposure
}
