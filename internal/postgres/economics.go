package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// Economics sums up what a period cost and brought, from one snapshot, by the
// same statements as the report where it asks the same.
func (s *Store) Economics(ctx context.Context, in measure.Query) (measure.EconomicsInput, error) {
	var out measure.EconomicsInput
	err := s.snapshot(ctx, "sum up costs and returns", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort+"; "+noLoops); err != nil {
			return err
		}
		var f measure.Figures
		r := figures{q: q, in: in, since: instant(in.From), until: instant(in.To), f: &f}
		for _, read := range []func(context.Context) error{r.totals, r.cells, r.programme, r.copy} {
			if err := read(ctx); err != nil {
				return err
			}
		}
		out.Orders, out.Revenue, out.Credit, out.Programme = f.Orders, f.Revenue, measure.Total(f.Cells), f.Programme
		for _, c := range f.Copy {
			if c.Currency == in.Currency {
				out.CopyCost += c.Cost
			}
		}
		coupons, err := q.RedeemedCoupons(ctx, dbsqlc.RedeemedCouponsParams{Since: r.since, Until: r.until, Currency: in.Currency})
		if err != nil {
			return err
		}
		for _, c := range coupons {
			out.Coupons = append(out.Coupons, measure.Coupons{Code: c.Code, Orders: int(c.Orders), Paid: c.Paid})
		}
		year, err := q.YearValues(ctx, dbsqlc.YearValuesParams{Currency: in.Currency, Until: r.until})
		out.YearRevenue = measure.Sample{N: int(year.Customers), Sum: year.Revenue, SumSquares: year.RevenueSquares}
		return err
	})
	return out, err
}
