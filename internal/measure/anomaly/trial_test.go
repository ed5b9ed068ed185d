package anomaly_test

import (
	"testing"

	"touchstone/internal/measure/anomaly"
)

// A smaller trial than `touchstone bench --part anomaly` runs, with the same
// targets.
func TestTargetsAreMet(t *testing.T) {
	t.Parallel()
	got := anomaly.Trial{Metrics: 8, Weeks: 26, Lowest: 200, Drops: 30, Seed: 1}.Run(anomaly.DefaultRules())
	t.Logf("%+v", got)
	if got.FalsePerQuarter > 1 || got.Found30 < 0.95 || got.Found15 < 0.90 {
		t.Errorf("%+v: want at most 1 false alarm per quarter, 95 %% of 30 %% drops within 2 h, 90 %% of 15 %% drops within 12 h", got)
	}
	quiet := anomaly.Trial{Metrics: 8, Weeks: 26, Lowest: 0.2, Seed: 2}.Run(anomaly.DefaultRules())
	if quiet.FalsePerQuarter > 1 {
		t.Errorf("a few events an hour: %+v", quiet)
	}
	if perWeek := got.NaiveFalsePerQuarter / 13; perWeek < 2 || perWeek > 6 {
		t.Errorf("the naive rule has %.1f false alarms per metric and week, expected about 3.8", perWeek)
	}
}
