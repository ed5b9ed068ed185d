package measure

// Light is a traffic light: where a reading stands between baseline and target.
type Light string

// Lights. A KPI without a target shows only whether it is better than its baseline.
const (
	Green Light = "green" // at the target or better
	Amber Light = "amber" // better than the baseline, or there is none, but short of the target
	Red   Light = "red"   // no better than the baseline
	Grey  Light = "grey"  // not enough data, or nothing to hold it against
)

// Judge says where a reading stands by its estimate. sure is true when both ends
// of the interval stand there as well.
func (k KPI) Judge(r Reading) (light Light, sure bool) {
	if r.Status != OK {
		return Grey, false
	}
	light = k.at(r.Interval.Estimate)
	return light, light != Grey && k.at(r.Interval.Low) == light && k.at(r.Interval.High) == light
}

func (k KPI) at(v float64) Light {
	better := func(than float64, equal bool) bool {
		if v == than {
			return equal
		}
		return (v > than) == (k.Better == Higher)
	}
	switch {
	case k.Target == nil && k.Baseline == nil:
		return Grey
	case k.Target != nil && better(*k.Target, true):
		return Green
	case k.Baseline == nil:
		return Amber
	case better(*k.Baseline, k.Target == nil):
		if k.Target == nil {
			return Green
		}
		return Amber
	}
	return Red
}
