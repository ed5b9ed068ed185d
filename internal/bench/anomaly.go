package bench

import (
	"context"

	"touchstone/internal/measure/anomaly"
)

// anomalies measures the detector on made-up metrics against the rule that a
// band of two standard deviations suggests. It needs no engine.
func (r *run) anomalies(context.Context) error {
	trial := anomaly.Trial{Metrics: 30, Weeks: 26, Lowest: 200, Drops: 40, Seed: 1}
	r.say("anomaly: %d metrics over %d weeks, %d injected drops of each size", trial.Metrics, trial.Weeks, trial.Metrics*trial.Drops)
	got := trial.Run(anomaly.DefaultRules())
	const against = "below two standard deviations"
	r.target(Line{Part: "anomaly", What: "false alarms", Unit: "per metric and quarter", Ours: got.FalsePerQuarter, Baseline: got.NaiveFalsePerQuarter, Against: against},
		"at most 1", func(l Line) bool { return l.Ours <= 1 })
	r.target(Line{Part: "anomaly", What: "drop of 30 % found within 2 h", Unit: "share", Ours: got.Found30, Baseline: got.NaiveFound30, Against: against},
		"at least 0.95", func(l Line) bool { return l.Ours >= 0.95 })
	r.target(Line{Part: "anomaly", What: "drop of 15 % found within 12 h", Unit: "share", Ours: got.Found15, Baseline: got.NaiveFound15, Against: against},
		"at least 0.9", func(l Line) bool { return l.Ours >= 0.9 })
	quiet := anomaly.Trial{Metrics: 30, Weeks: 26, Lowest: 0.2, Seed: 2}.Run(anomaly.DefaultRules())
	r.target(Line{Part: "anomaly", What: "false alarms at 0.2 to 1.2 events an hour", Unit: "per metric and quarter", Ours: quiet.FalsePerQuarter,
		Baseline: quiet.NaiveFalsePerQuarter, Against: against}, "at most 1", func(l Line) bool { return l.Ours <= 1 })
	return nil
}
