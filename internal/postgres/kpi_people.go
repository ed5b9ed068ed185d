package postgres

import (
	"context"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// people reads the figures that need distinct customers from their rows.
func (r *kpiReader) people(ctx context.Context) error {
	in := r.in
	parts := []func(context.Context) error{r.emailed, r.wonBack}
	if in.Channel == "" && in.Journey == "" && in.Campaign == "" {
		parts = append(parts, r.programme, r.customers, r.list, r.compliance)
	}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *kpiReader) emailed(ctx context.Context) error {
	in := r.in
	row, err := r.q.KPIEmailed(ctx, dbsqlc.KPIEmailedParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey, Campaign: in.Campaign})
	r.sums.People.Emails, r.sums.People.Emailed = int(row.Touches), int(row.Customers)
	return err
}

func (r *kpiReader) wonBack(ctx context.Context) error {
	in := r.in
	row, err := r.q.KPIWinBack(ctx, dbsqlc.KPIWinBackParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey,
		Campaign: in.Campaign, Currency: r.sums.Currency, Attribution: interval(r.attribution)})
	r.sums.People.Lapsed, r.sums.People.WonBack = int(row.Customers), int(row.Converted)
	return err
}

// programme is the comparison of the report.
func (r *kpiReader) programme(ctx context.Context) error {
	var f measure.Figures
	report := figures{q: r.q, in: measure.Query{Currency: r.sums.Currency}, since: r.in.From, until: r.in.To, f: &f}
	err := report.programme(ctx)
	r.sums.People.Programme = f.Programme
	return err
}

func (r *kpiReader) customers(ctx context.Context) error {
	until, people := r.in.To, &r.sums.People
	row, err := r.q.KPICustomers(ctx, dbsqlc.KPICustomersParams{Until: until, Year: until.AddDate(0, 0, -365), TwoYears: until.AddDate(0, 0, -730),
		Currency: r.sums.Currency})
	if err != nil {
		return err
	}
	people.LongTerm = measure.Sample{N: int(row.Buyers), Sum: row.Revenue, SumSquares: row.RevenueSquares}
	people.Repeated, people.ActiveBefore, people.Retained = int(row.Repeated), int(row.ActiveBefore), int(row.Retained)
	people.FirstOrder = row.FirstOrder
	coverage, err := r.q.KPICoverage(ctx, until)
	people.Customers, people.Treated = int(coverage.Customers), int(coverage.Treated)
	return err
}

func (r *kpiReader) list(ctx context.Context) error {
	row, err := r.q.KPIList(ctx, dbsqlc.KPIListParams{Since: r.in.From, Until: r.in.To})
	r.sums.People.ListLost, r.sums.People.Reachable = int(row.Lost), int(row.Reachable)
	return err
}

func (r *kpiReader) compliance(ctx context.Context) error {
	violations, err := r.q.KPIViolations(ctx, dbsqlc.KPIViolationsParams{Since: r.in.From, Until: r.in.To})
	if err != nil {
		return err
	}
	objected, err := r.q.KPITone(ctx, dbsqlc.KPIToneParams{Since: r.in.From, Until: r.in.To})
	r.sums.People.Violations, r.sums.People.OffTone = int(violations), int(objected)
	return err
}
