package postgres

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// exportHoursSQL streams the view that analysts read.
const exportHoursSQL = `select * from report_hourly
where hour >= $1 and hour < $2 and ($3 = '' or channel = $3) and ($4 = '' or journey = $4) and ($5 = '' or campaign = $5)
order by hour, journey, campaign, agent, channel, class`

// ExportHours writes the hourly sums of a period to w as CSV with a header and
// returns how many rows there were. Instants are RFC 3339 in UTC, money is in
// minor units.
func (s *Store) ExportHours(ctx context.Context, in measure.KPIQuery, w io.Writer) (n int, err error) {
	out := csv.NewWriter(w)
	err = s.snapshot(ctx, "export hourly sums", func(_ *dbsqlc.Queries, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, exportHoursSQL, instant(in.From), instant(in.To), in.Channel, in.Journey, in.Campaign)
		if err != nil {
			return err
		}
		defer rows.Close()
		fields := rows.FieldDescriptions()
		line := make([]string, len(fields))
		for i, f := range fields {
			line[i] = f.Name
		}
		if err := out.Write(line); err != nil {
			return lifecycle.Errorf(lifecycle.Internal, "write the export: %w", err)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return err
			}
			for i, v := range values {
				line[i] = csvField(v)
			}
			if err := out.Write(line); err != nil {
				return lifecycle.Errorf(lifecycle.Internal, "write the export: %w", err)
			}
			n++
		}
		return rows.Err()
	})
	if err != nil {
		return n, err
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return n, lifecycle.Errorf(lifecycle.Internal, "write the export: %w", err)
	}
	return n, nil
}

// csvField renders a value of the hourly sums.
func csvField(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case string:
		return v
	}
	return fmt.Sprint(v)
}
