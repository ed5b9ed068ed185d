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
	if h.Rule == anomaly.RuleDrift {
		how = fmt.Sprintf("%.0f %% %s than expected over the last hours; in the last one %s", math.Abs(h.Effect)*100, word, how)
	}
	return Condition{
		Key: "anomaly/" + h.Metric, Kind: KindAnomaly, Severity: Warning,
		Title:  fmt.Sprintf("%s: %s than at this hour of the week", h.Metric, word),
		Detail: fmt.Sprintf("In the hour from %s: %s. Found by the rule %q, robust z %.1f.", stamp(h.At), how, h.Rule, h.Z),
		Metric: h.Metric, Value: &h.Value, Expected: &h.Expected,
	}
}
