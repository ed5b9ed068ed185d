package measure

import "time"

// Baselines are a brand's own measured starting points. They stand in for the
// plan's.
type Baselines struct {
	From   time.Time          `json:"from"` // the period they were measured in
	To     time.Time          `json:"to"`
	By     string             `json:"by"`
	At     time.Time          `json:"at"`     // when they were locked
	Levels map[string]Reading `json:"levels"` // by KPI; those without enough data are left out
}

// Locked reports whether baselines have been measured.
func (b Baselines) Locked() bool { return len(b.Levels) > 0 }

// Catalogue is the catalogue with these baselines in place of the plan's.
func (b Baselines) Catalogue() []KPI {
	kpis := Catalogue()
	for i, k := range kpis {
		if r, measured := b.Levels[k.ID]; measured {
			kpis[i].Baseline = &r.Interval.Estimate
		}
	}
	return kpis
}

// BaselinesOf keeps the readings that have an answer.
func BaselinesOf(readings []Reading, by string, at time.Time) Baselines {
	b := Baselines{By: by, At: at, Levels: map[string]Reading{}}
	for _, r := range readings {
		b.From, b.To = r.From, r.To
		if r.Status == OK {
			b.Levels[r.KPI] = r
		}
	}
	return b
}
