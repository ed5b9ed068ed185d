package measure

import "time"

// Unit is what a KPI's value is counted in.
type Unit string

// Units. Money is in major units of the brand's currency.
const (
	UnitShare    Unit = "share" // a proportion in [0,1]
	UnitMoney    Unit = "money"
	UnitRatio    Unit = "ratio"
	UnitCount    Unit = "count"
	UnitDuration Unit = "seconds"
)

// Direction says which way a KPI should move.
type Direction string

// Directions.
const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
)

// KPI is one metric of the catalogue: everything that is said of it, and nothing
// that is measured.
type KPI struct {
	ID         string // stable, snake_case: what files, gates and commands call it
	Title      string
	Group      string // heading in tables: "North star", "Conversion & revenue", ...
	Definition string // in words, one or two sentences
	Formula    string
	Source     string // rows and columns that it is computed from
	Unit       Unit
	Better     Direction
	Baseline   *float64 // of the plan, in Unit; nil where the plan names none
	Target     *float64
	Stretch    *float64
	Cadence    time.Duration // how often it is worth looking at
	Minimum    float64       // least denominator below which there is no answer
}

// KPIQuery asks for readings. The period is half-open, in business time.
type KPIQuery struct {
	From, To time.Time
	Channel  string // "" = all, as for the fields below
	Journey  string
	Campaign string
}

// Reading is a KPI's value in a period. Numerator over Denominator is the
// estimate of the interval; both can be recomputed from stored rows.
type Reading struct {
	KPI         string    `json:"kpi"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Numerator   float64   `json:"numerator"`
	Denominator float64   `json:"denominator"`
	// Status is OK or NotEnoughData; Why says what is missing.
	Status Status `json:"status"`
	Why    string `json:"why,omitempty"`
	// Interval is the estimate and, for rates and means, its bounds; a count or a
	// total has its estimate as both bounds. Absent with NotEnoughData.
	Interval Interval `json:"interval,omitzero"`
}
