package report

import (
	"context"
	"math"
	"strings"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// EconomicsSource is the store that costs and returns are read from.
type EconomicsSource interface {
	Economics(ctx context.Context, in measure.Query) (measure.EconomicsInput, error)
}

// Return says what a period cost and brought. Spend, revenue and the discounts
// are in minor units of Currency; the ratios of money are in major units.
type Return struct {
	Currency string    `json:"currency"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Margin   float64   `json:"margin"`
	Revenue  Money     `json:"revenue"` // of all orders, net of refunds, as paid
	Orders   int       `json:"orders"`
	Redeemed int       `json:"redeemed"` // orders with a code of the catalogue
	Discount Money     `json:"discount"` // what those codes took off list prices
	Shipping Money     `json:"shipping"` // what free shipping cost
	measure.Economics
}

// Economics computes spend, CPA, efficiency, ROI and 12-month value of a period.
// Errors: Invalid for an impossible period, and what the source returns.
func Economics(ctx context.Context, source EconomicsSource, b *brand.Brand, from, to time.Time, attribution time.Duration, least measure.Minimum) (*Return, error) {
	if !from.Before(to) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "roi: the period must begin before it ends, not from %s to %s", from, to)
	}
	in, err := source.Economics(ctx, measure.Query{From: from, To: to, Attribution: attribution, Currency: b.Currency})
	if err != nil {
		return nil, err
	}
	prices := measure.Prices{Margin: b.Costs.Margin, Monthly: b.Costs.Monthly.Amount}
	r := &Return{Currency: b.Currency, From: from.UTC(), To: to.UTC(), Margin: b.Costs.Margin, Revenue: Money{Amount: in.Revenue, Currency: b.Currency}, Orders: in.Orders}
	for _, c := range in.Coupons {
		for _, o := range b.Offers {
			if strings.EqualFold(o.Code, c.Code) {
				discount, shipping := given(o, c, b.Priors.OrderValue.Amount)
				prices.Discount, prices.Shipping = prices.Discount+discount, prices.Shipping+shipping
				r.Redeemed += c.Orders
			}
		}
	}
	r.Discount, r.Shipping = Money{Amount: prices.Discount, Currency: b.Currency}, Money{Amount: prices.Shipping, Currency: b.Currency}
	r.Economics = in.Economics(prices, to.Sub(from), least, measure.Level)
	unit := math.Pow10(-lifecycle.MinorDigits(b.Currency))
	for _, x := range []*measure.Ratio{&r.CostPerOrder, &r.Acquisition, &r.YearValue} {
		x.Numerator, x.Answer = x.Numerator*unit, x.Answer.Times(unit)
	}
	for _, x := range []*measure.Ratio{&r.Efficiency, &r.IncrementalEfficiency, &r.Return} {
		x.Numerator, x.Denominator = x.Numerator*unit, x.Denominator*unit
	}
	return r, nil
}

// given is what an offer cost on the orders placed with it, in minor units. Orders
// are stored as paid: a percentage p of the list price left (100-p) % of it. What
// was given away whole is valued as the brand's usual order.
func given(o lifecycle.Offer, c measure.Coupons, usual int64) (discount, shipping int64) {
	switch o.Kind {
	case lifecycle.PercentOff:
		if o.Percent >= 100 {
			return int64(c.Orders) * usual, 0
		}
		return int64(math.Round(float64(c.Paid) * float64(o.Percent) / float64(100-o.Percent))), 0
	case lifecycle.AmountOff:
		return int64(c.Orders) * o.Amount.Amount, 0
	case lifecycle.FreeShipping:
		return 0, int64(c.Orders) * o.Amount.Amount
	}
	return 0, 0
}
