package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// TouchGroups sums up the marketing touches sent in the query's period, and what
// they earned in it by last touch, by cohort (the customer's response group when
// the touch was planned), agent, journey, channel, offer and slot.
func (s *Store) TouchGroups(ctx context.Context, in measure.Query) (groups []measure.Group, err error) {
	err = s.snapshot(ctx, "sum up groups of touches", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		rows, err := q.TouchGroups(ctx, dbsqlc.TouchGroupsParams{Since: instant(in.From), Until: instant(in.To), Currency: in.Currency, Attribution: interval(in.Attribution)})
		for _, row := range rows {
			groups = append(groups, measure.Group{By: row.Dimension, Name: row.Name, Converted: int(row.Converted), Clicked: int(row.Clicked),
				Revenue: measure.Sample{N: int(row.Touches), Sum: row.Revenue, SumSquares: row.RevenueSquares}})
		}
		return err
	})
	return groups, err
}

// SaveReport keeps a report of a period; one of the same kind and period is
// replaced.
func (s *Store) SaveReport(ctx context.Context, r ledger.ReportRow) error {
	return translate(s.q.SaveReport(ctx, dbsqlc.SaveReportParams{Kind: r.Kind, Since: instant(r.From), Until: instant(r.To), MadeAt: instant(r.MadeAt), Body: r.Body}),
		"save a report")
}

// SavedReport returns the report of a kind whose period begins at an instant.
func (s *Store) SavedReport(ctx context.Context, kind string, from time.Time) (ledger.ReportRow, error) {
	row, err := s.q.Report(ctx, dbsqlc.ReportParams{Kind: kind, Since: instant(from)})
	if err != nil {
		return ledger.ReportRow{}, translate(err, "read a report")
	}
	return ledger.ReportRow{Kind: row.Kind, From: row.Since.UTC(), To: row.Until.UTC(), MadeAt: row.MadeAt.UTC(), Body: row.Body}, nil
}

// SavedReports lists up to limit reports without their bodies, latest period first.
func (s *Store) SavedReports(ctx context.Context, limit int) ([]ledger.ReportRow, error) {
	rows, err := s.q.ReportList(ctx, int32(limit))
	if err != nil {
		return nil, translate(err, "list the reports")
	}
	list := make([]ledger.ReportRow, len(rows))
	for i, row := range rows {
		list[i] = ledger.ReportRow{Kind: row.Kind, From: row.Since.UTC(), To: row.Until.UTC(), MadeAt: row.MadeAt.UTC()}
	}
	return list, nil
}
