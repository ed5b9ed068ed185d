package report

import (
	"context"
	"math"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/experiment"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/measure/attribution"
)

// AttributionSource is the store that attribution reads from.
type AttributionSource interface {
	Paths(ctx context.Context, from, to time.Time, by attribution.Dimension, currency string, each func(attribution.Customer) error) error
}

// Attribution is a period's revenue divided among touches. Revenue is in minor
// units of Currency, estimates and intervals of money are in major units.
type Attribution struct {
	Currency string    `json:"currency"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	attribution.Result
}

// Attribute divides the revenue of a period. It reads every touch and order of
// it, customer by customer, in memory that does not grow with them.
func Attribute(ctx context.Context, source AttributionSource, o attribution.Options, currency string) (*Attribution, error) {
	a, err := attribution.New(o)
	if err != nil {
		return nil, err
	}
	err = source.Paths(ctx, o.From, o.To, o.By, currency, func(c attribution.Customer) error { a.Add(c); return nil })
	if err != nil {
		return nil, err
	}
	out := &Attribution{Currency: currency, From: o.From.UTC(), To: o.To.UTC(), Result: a.Result()}
	unit := math.Pow10(-lifecycle.MinorDigits(currency))
	for i := range out.Tables {
		t := &out.Tables[i]
		for j := range t.Lines {
			inMajor(&t.Lines[j], unit)
		}
		inMajor(&t.Total, unit)
	}
	return out, nil
}

func inMajor(l *attribution.Line, unit float64) {
	l.RevenueInterval, l.PerTouch = l.RevenueInterval.Times(unit), l.PerTouch.Times(unit)
}

// AgentSource is the store that knows the cells of tests of agents.
type AgentSource interface {
	AgentCells(ctx context.Context, name, currency string, window time.Duration, until time.Time) (experiment.AgentTest, time.Time, []attribution.CellArm, error)
}

// AgentShares are what agents add, by chance-drawn cells: the causal answer to
// "which agent contributed". Money is in major units per customer.
type AgentShares struct {
	Test     string    `json:"test"`
	Agents   []string  `json:"agents"`
	Share    float64   `json:"share"` // of customers with an agent off
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Window   string    `json:"window"`
	Currency string    `json:"currency"`
	attribution.Shares
}

// ShareOut divides what the agents of a test add together among them.
func ShareOut(ctx context.Context, source AgentSource, name, currency string, window time.Duration, until time.Time, least measure.Minimum) (*AgentShares, error) {
	test, since, cells, err := source.AgentCells(ctx, name, currency, window, until)
	if err != nil {
		return nil, err
	}
	out := &AgentShares{Test: test.Name, Agents: test.Agents, Share: test.Share, Since: since.UTC(), Until: until.UTC(),
		Window: clock.FormatDuration(window), Currency: currency, Shares: attribution.Shapley(test.Agents, cells, least, measure.Level)}
	unit := math.Pow10(-lifecycle.MinorDigits(currency))
	for i := range out.Contributions {
		out.Contributions[i].Revenue = out.Contributions[i].Revenue.Times(unit)
	}
	out.All.Revenue = out.All.Revenue.Times(unit)
	return out, nil
}
