package measure

import "time"

// Rollup says how sums are made.
type Rollup struct {
	Now         time.Time     // business instant
	Attribution time.Duration // from a touch to an order credited to it
	Currency    string        // ISO 4217; orders and costs in others are left out
}

// RolledUp says what a round of hourly sums did.
type RolledUp struct {
	Hours      int  `json:"hours"`      // summed anew
	Everything bool `json:"everything"` // because there were no sums yet, or they were made otherwise
}

// OverviewPeriods are the lengths of the periods that people look at most; the
// worker keeps their sums ready.
var OverviewPeriods = []time.Duration{Week, 4 * Week, 12 * Week, 52 * Week}

// Sums is everything that the readings of one period are worked out from. Money
// is in minor units. An empty channel, journey or campaign means all.
type Sums struct {
	KPIQuery
	AsOf     time.Time // business instant up to which hours have been summed; zero = never
	Currency string
	Unit     float64 // of a minor unit, in major units
	Channels map[string]ChannelSums
	Orders   [Blocks]OrderSums // all orders, whatever the channel
	Peak     int64             // most touches sent in one hour, of all classes
	People   CustomerFigures
	Tested   int        // campaigns created and started that sent several creatives for the same slot, channel and offer
	Launches Sample     // seconds from creation to start of campaigns created in the period that have started
	Reviews  ReviewSums // small tables, from here on: read every time
	Copy     CopySums
	Service  ServiceSums
}

// ServiceSums say how well the system itself worked, in wall-clock time.
type ServiceSums struct {
	Uptime      Proportion // minutes up of the component that was up least
	Decisions   int64
	DecisionP95 float64 // seconds from being due to being decided
}

// ChannelSums are marketing touches of one channel and what they brought.
type ChannelSums struct {
	Touches      int64 // decided on: all states
	Skipped      int64 // the agent chose nothing, or an exit came first
	Blocked      int64
	Sent         int64
	Delivered    int64 // complained included
	HardBounced  int64
	Complained   int64
	Unsubscribed int64
	Opened       int64 // by people
	Clicked      int64 // by people
	Reviewed     int64 // waited for a person at some time
	Cost         int64
	Blocks       [Blocks]BlockSums
}

// BlockSums are one block's touches and the orders credited to them.
type BlockSums struct {
	Touches, Cost                       int64 // on all days that the period touches
	Orders, Conversions, Value, Revenue int64 // Value is of orders; Revenue is net of refunds
}

// OrderSums are one block's orders, refunds not counted.
type OrderSums struct{ Orders, Value int64 }

// ReviewSums are reviews that a person decided, in wall-clock time.
type ReviewSums struct {
	Seconds                  Sample // from opening to decision
	InTime                   int
	Touches, TouchesApproved int // of touches
	Model, ModelApproved     int // of copy by a language model
}

// CopySums is copy written in the period, by a model or a person.
type CopySums struct {
	Decided, Approved int
	Cost              int64 // of generating it
}

// CustomerFigures need distinct customers and cannot be added up from hours.
type CustomerFigures struct {
	Programme    Comparison `json:"programme"` // as in Figures
	LongTerm     Sample     `json:"long_term"` // net revenue of each buyer of the last twelve months
	Repeated     int        `json:"repeated"`  // of those, with two orders or more
	ActiveBefore int        `json:"active_before"`
	Retained     int        `json:"retained"`
	FirstOrder   time.Time  `json:"first_order"`
	Emails       int        `json:"emails"`
	Emailed      int        `json:"emailed"` // customers
	Lapsed       int        `json:"lapsed"`  // customers written to while lapsed
	WonBack      int        `json:"won_back"`
	Customers    int        `json:"customers"`
	Treated      int        `json:"treated"`
	ListLost     int        `json:"list_lost"`
	Reachable    int        `json:"reachable"`
	Violations   int        `json:"violations"`
	OffTone      int        `json:"off_tone"`
}

// months is the length of the period in months of 365.25/12 days.
func (s *Sums) months() float64 { return s.To.Sub(s.From).Hours() / (24 * 365.25 / 12) }

// cut reports whether only a part of the programme is asked for.
func (s *Sums) cut() bool { return s.Channel != "" || s.Journey != "" || s.Campaign != "" }

// channel sums up one channel, all of them when none is named.
func (s *Sums) channel(name string) ChannelSums {
	if name != "" {
		return s.Channels[name]
	}
	var all ChannelSums
	for _, c := range s.Channels {
		all.Touches += c.Touches
		all.Skipped += c.Skipped
		all.Blocked += c.Blocked
		all.Sent += c.Sent
		all.Delivered += c.Delivered
		all.HardBounced += c.HardBounced
		all.Complained += c.Complained
		all.Unsubscribed += c.Unsubscribed
		all.Opened += c.Opened
		all.Clicked += c.Clicked
		all.Reviewed += c.Reviewed
		all.Cost += c.Cost
		for i, b := range c.Blocks {
			a := &all.Blocks[i]
			a.Touches += b.Touches
			a.Cost += b.Cost
			a.Orders += b.Orders
			a.Conversions += b.Conversions
			a.Value += b.Value
			a.Revenue += b.Revenue
		}
	}
	return all
}

// credit adds up the blocks of a channel.
func (c ChannelSums) credit() (sum BlockSums) {
	for _, b := range c.Blocks {
		sum.Touches += b.Touches
		sum.Cost += b.Cost
		sum.Orders += b.Orders
		sum.Conversions += b.Conversions
		sum.Value += b.Value
		sum.Revenue += b.Revenue
	}
	return sum
}

// judged are the touches that guardrails decided on.
func (c ChannelSums) judged() int64 { return c.Touches - c.Skipped }
