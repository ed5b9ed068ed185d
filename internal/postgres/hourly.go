package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/anomaly"
	"touchstone/internal/postgres/dbsqlc"
)

// responseReach is how long after its message a response is counted.
const responseReach = 72 * time.Hour

// HourlySeries returns the metrics that are watched for anomalies, hour by hour,
// summed up from the rows themselves. Both instants are on the hour. Revenue is
// in major units of the currency; orders in others do not count.
func (s *Store) HourlySeries(ctx context.Context, since, until time.Time, currency string) ([]anomaly.Series, error) {
	since, until = instant(since.Truncate(time.Hour)), instant(until.Truncate(time.Hour))
	hours := int(until.Sub(since) / time.Hour)
	empty := func() []float64 { return make([]float64, max(hours, 0)) }
	sends, orders, revenue := empty(), empty(), empty()
	responses, lags := map[string][]float64{}, map[string][]float64{}
	at := func(hour time.Time) int { return int(hour.Sub(since) / time.Hour) }
	err := s.snapshot(ctx, "sum up hours", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		sent, err := q.HourlySends(ctx, dbsqlc.HourlySendsParams{Since: since, Until: until})
		if err != nil {
			return err
		}
		for _, r := range sent {
			sends[at(r.Hour)] = float64(r.N)
		}
		ordered, err := q.HourlyOrders(ctx, dbsqlc.HourlyOrdersParams{Since: since, Until: until, Currency: currency})
		if err != nil {
			return err
		}
		for _, r := range ordered {
			orders[at(r.Hour)], revenue[at(r.Hour)] = float64(r.N), lifecycle.Money{Amount: r.Revenue, Currency: currency}.Major()
		}
		came, err := q.HourlyResponses(ctx, dbsqlc.HourlyResponsesParams{Since: since, Until: until, Reach: interval(responseReach)})
		for _, r := range came {
			if responses[r.Kind] == nil {
				responses[r.Kind], lags[r.Kind] = empty(), make([]float64, int(responseReach/time.Hour))
			}
			responses[r.Kind][at(r.Hour)] += float64(r.N)
			lags[r.Kind][r.Lag] += float64(r.N)
		}
		return err
	})
	series := []anomaly.Series{
		{Metric: "sends", Start: since, Values: sends, Bad: anomaly.Low},
		{Metric: "orders", Start: since, Values: orders, Bad: anomaly.Low},
		{Metric: "revenue", Start: since, Values: revenue, Bad: anomaly.Low, Amount: true},
	}
	for _, r := range []struct {
		kind string
		bad  anomaly.Direction
	}{{"opens", anomaly.Low}, {"clicks", anomaly.Low}, {"bounces", anomaly.High}, {"complaints", anomaly.High}, {"unsubscribes", anomaly.High}} {
		values := responses[r.kind]
		if values == nil {
			values = empty()
		}
		series = append(series, anomaly.Series{Metric: r.kind, Start: since, Values: values, Exposure: anomaly.Exposure(sends, lags[r.kind]), Bad: r.bad})
	}
	return series, err
}
