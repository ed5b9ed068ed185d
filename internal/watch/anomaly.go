package watch

import (
	"fmt"
	"math"

	"touchstone/internal/measure/anomaly"
)

// Anomalous describes an hour that the detector calls an alarm.
func Anomalous(h anomaly.Hour) Condition {
	word := map[anomaly.Direction]string{anomaly.Low: "fewer", anomaly.High: "more"}[h.Direction]
	how := fmt.Sprintf("%.0f where about %.0f were expected (usual range %.0f to %.0f)", h.Value, h.Expected, h.Low, h.High)
	title := fmt.Sprintf("%s: %s than at this hour of the week", h.Metric, word)
	detail := fmt.Sprintf("In the hour from %s: %s. Found by the rule %q, robust z %.1f.", stamp(h.At), how, h.Rule, h.Z)
	// These rules look at many hours; the last one alone may say nothing.
	if over := map[string]string{anomaly.RuleDrift: "the last hours", anomaly.RuleDay: "the last 24 hours"}[h.Rule]; over != "" {
		title = fmt.Sprintf("%s: %s than usual over %s", h.Metric, word, over)
		detail = fmt.Sprintf("%.0f %% %s than expected over %s, up to the hour from %s. Found by the rule %q.", math.Abs(h.Effect)*100, word, over, stamp(h.At), h.Rule)
	}
	return Condition{
		Key: "anomaly/" + h.Metric, Kind: KindAnomaly, Severity: Warning, Title: title, Detail: detail,
		Metric: h.Metric, Value: &h.Value, Expected: &h.Expected,
	}
}
