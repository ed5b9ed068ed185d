package measure

import (
	"fmt"
	"math"
	"time"
)

// Ratio is a figure with what it was computed from: Numerator over Denominator is
// the estimate, in the unit that its name says.
type Ratio struct {
	Numerator   float64 `json:"numerator"`
	Denominator float64 `json:"denominator"`
	Answer
}

// Coupons are the orders of a period that were placed with one offer's code.
type Coupons struct {
	Code   string // upper case
	Orders int
	Paid   int64 // minor units, after the offer
}

// EconomicsInput is what a period's economics are computed from, as a store sums
// it up. Money is in minor units of the brand's currency.
type EconomicsInput struct {
	Orders      int   // placed in the period, touched or not; refunds not counted
	Revenue     int64 // net of refunds, as paid
	Credit      Credit
	Programme   Comparison
	CopyCost    int64 // of generating copy with a language model
	Coupons     []Coupons
	YearRevenue Sample // per customer, in the year from the first order
}

// Prices are the brand's own numbers.
type Prices struct {
	Margin  float64 // contribution margin of revenue at list prices, in [0,1]
	Monthly int64   // fixed cost in a month
	// Discount and Goods are what the redeemed offers took off list prices and what
	// else they cost (shipping), in minor units.
	Discount, Shipping int64
}

// month is the mean length of a Gregorian month.
const month = time.Duration(365.2425 * 24 / 12 * float64(time.Hour))

// Spend is what the programme cost in a period, in minor units.
type Spend struct {
	Messages int64 `json:"messages"` // paid to carriers, as recorded per touch
	Offers   int64 `json:"offers"`   // discounts and shipping of redeemed offers, also to those who would have bought anyway
	Copy     int64 `json:"copy"`     // language model
	Fixed    int64 `json:"fixed"`    // the month's fixed cost, for the length of the period
}

// Total adds up.
func (s Spend) Total() int64 { return s.Messages + s.Offers + s.Copy + s.Fixed }

// Economics are what a period cost and brought. Figures called attributed divide
// by what last touch credits and say nothing of cause; the others compare with
// the brand's holdout.
type Economics struct {
	Spend Spend `json:"spend"`
	// CostPerOrder is spend per attributed order; it has no interval, as it counts.
	CostPerOrder Ratio `json:"cost_per_attributed_order"`
	// Acquisition is spend per customer who bought because of the programme (CPA).
	Acquisition Ratio `json:"cost_per_incremental_buyer"`
	// Efficiency is all revenue over spend (marketing efficiency ratio).
	Efficiency Ratio `json:"marketing_efficiency_ratio"`
	// IncrementalEfficiency is incremental revenue over spend.
	IncrementalEfficiency Ratio `json:"incremental_revenue_per_spend"`
	// Return is incremental contribution less spend, over spend (ROI).
	Return Ratio `json:"return_on_investment"`
	// YearValue is the observed contribution of a customer in the year from their
	// first order, in minor units (12-month LTV). It is not a projection.
	YearValue Ratio `json:"twelve_month_value"`
}

// Economics computes the figures of a period of this length.
//
//	incremental revenue      = Programme.Lift.Revenue            (as paid)
//	incremental contribution = margin × (incremental revenue + discounts redeemed)
//	ROI                      = (incremental contribution − spend) / spend
//
// Orders are stored as paid. The margin is of list prices, so the discounts are
// added back before it is applied; what they cost stands in spend.
func (in EconomicsInput) Economics(p Prices, length time.Duration, least Minimum, level float64) Economics {
	e := Economics{Spend: Spend{Messages: in.Credit.Cost, Offers: p.Discount + p.Shipping, Copy: in.CopyCost,
		Fixed: int64(math.Round(float64(p.Monthly) * float64(length) / float64(month)))}}
	spend := float64(e.Spend.Total())
	lift := in.Programme.Lift(least, level)

	e.CostPerOrder = counted(spend, float64(in.Credit.Orders), "no order is attributed")
	e.Efficiency = counted(float64(in.Revenue), spend, "nothing was spent")

	treated := float64(in.Programme.Treated.Revenue.N)
	e.Acquisition = perUnit(spend, lift.Conversion.Times(treated))

	e.IncrementalEfficiency = over(lift.Revenue, spend)
	contribution := lift.Revenue
	if contribution.Known() {
		contribution.Interval = contribution.Interval.plus(float64(p.Discount)).Times(p.Margin).plus(-spend)
		contribution = answer(contribution.Interval, true)
	}
	e.Return = over(contribution, spend)
	e.YearValue = in.yearValue(p.Margin, least, level)
	return e
}

// counted is a ratio of two counts, with both bounds at the estimate.
func counted(numerator, denominator float64, why string) Ratio {
	r := Ratio{Numerator: numerator, Denominator: denominator}
	if denominator == 0 {
		r.Answer = Answer{Status: NotEnoughData, Why: why}
		return r
	}
	v := numerator / denominator
	r.Answer = Answer{Status: OK, Interval: Interval{Estimate: v, Low: v, High: v, Level: 1}}
	return r
}

// over divides an answer by a known amount.
func over(a Answer, by float64) Ratio {
	r := Ratio{Denominator: by, Answer: a}
	if !a.Known() {
		return r
	}
	r.Numerator = a.Interval.Estimate
	if by == 0 {
		r.Answer = Answer{Status: NotEnoughData, Why: "nothing was spent"}
		return r
	}
	r.Answer = a.Times(1 / by)
	return r
}

// perUnit divides a known amount by an estimated number. Where the number may be
// zero the ratio may be anything, and where it is negative there is no price.
func perUnit(amount float64, units Answer) Ratio {
	r := Ratio{Numerator: amount, Answer: Answer{Status: units.Status, Why: units.Why}}
	if !units.Known() {
		return r
	}
	i := units.Interval
	r.Denominator = i.Estimate
	switch {
	case i.High < 0:
		r.Answer = Answer{Status: NotEnoughData, Why: "the programme lost buyers, so none has a price"}
	case i.Low <= 0:
		r.Answer = Answer{Status: NotEnoughData, Why: "the number of buyers won may be zero, so their price has no upper bound"}
	default:
		r.Answer = Answer{Status: OK, Interval: Interval{Estimate: amount / i.Estimate, Low: amount / i.High, High: amount / i.Low, Level: i.Level}}
	}
	return r
}

// yearValue is the mean with its interval from Student's t distribution.
func (in EconomicsInput) yearValue(margin float64, least Minimum, level float64) Ratio {
	s := in.YearRevenue
	r := Ratio{Numerator: s.Sum * margin, Denominator: float64(s.N)}
	if customers := max(least.Customers, 2); s.N < customers {
		r.Answer = Answer{Status: NotEnoughData, Why: fmt.Sprintf("%d customers bought first a year or more before the end, %d needed", s.N, customers)}
		return r
	}
	mean, _ := s.MeanInterval(level) // of two and more
	r.Answer = Answer{Status: OK, Interval: mean.Times(margin)}
	return r
}

// plus moves an interval.
func (i Interval) plus(by float64) Interval {
	return Interval{Estimate: i.Estimate + by, Low: i.Low + by, High: i.High + by, Level: i.Level}
}
