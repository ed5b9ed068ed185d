package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/watch"
)

// SaveHeartbeats stores what probes found, a row per component and minute. When
// several processes look, one that reached the component is enough.
func (s *Store) SaveHeartbeats(ctx context.Context, beats []watch.Heartbeat) error {
	rows := make([]dbsqlc.Heartbeat, len(beats))
	for i, b := range beats {
		rows[i] = dbsqlc.Heartbeat{Component: string(b.Component), Minute: instant(b.Minute.Truncate(time.Minute)), Up: b.Up}
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	return translate(s.q.SaveHeartbeats(ctx, encoded), "save heartbeats")
}

// Heartbeats returns what probes found since an instant, by component and minute.
func (s *Store) Heartbeats(ctx context.Context, since time.Time) ([]watch.Heartbeat, error) {
	rows, err := s.q.RecentHeartbeats(ctx, instant(since))
	beats := make([]watch.Heartbeat, len(rows))
	for i, r := range rows {
		beats[i] = watch.Heartbeat{Component: watch.Component(r.Component), Minute: r.Minute.UTC(), Up: r.Up}
	}
	return beats, translate(err, "read heartbeats")
}

// AddLatencies adds counted durations to those of an hour of real time.
func (s *Store) AddLatencies(ctx context.Context, hour time.Time, counted map[string]watch.Histogram) error {
	var rows []dbsqlc.Latency
	for _, what := range slices.Sorted(maps.Keys(counted)) {
		for bucket, n := range counted[what] {
			rows = append(rows, dbsqlc.Latency{What: what, Hour: instant(hour.Truncate(time.Hour)), Bucket: int16(bucket), N: n})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	encoded, err := batch(rows)
	if err != nil {
		return err
	}
	return translate(s.q.AddLatencies(ctx, encoded), "save latencies")
}

// Levels returns the service levels of a period of real time. Uptime counts from
// the first minute in which a component was ever looked at.
func (s *Store) Levels(ctx context.Context, from, to time.Time) (watch.Levels, error) {
	from, to = instant(from), instant(to)
	levels := watch.Levels{From: from, To: to, Uptimes: []watch.Uptime{}, Timings: []watch.Timing{}}
	rows, err := s.q.Uptimes(ctx, dbsqlc.UptimesParams{Components: texts(watch.Components), Since: from, Until: to})
	if err != nil {
		return levels, translate(err, "read uptimes")
	}
	byName := make(map[string]dbsqlc.UptimesRow, len(rows))
	for _, r := range rows {
		byName[r.Component] = r
	}
	for _, c := range watch.Components {
		r, known := byName[string(c)]
		if !known {
			continue
		}
		start, end := from, to
		if r.First.After(start) {
			start = r.First
		}
		minutes := int(end.Truncate(time.Minute).Sub(start.Truncate(time.Minute)) / time.Minute)
		if minutes = max(minutes, int(r.Seen)); minutes == 0 {
			continue
		}
		levels.Uptimes = append(levels.Uptimes, watch.Uptime{Component: c, Share: measure.Proportion{N: minutes, Hits: int(r.Up)}, Unobserved: minutes - int(r.Seen)})
	}
	// Hours that the period only touches count whole.
	buckets, err := s.q.LatencyBuckets(ctx, dbsqlc.LatencyBucketsParams{Since: from.Truncate(time.Hour), Until: to})
	if err != nil {
		return levels, translate(err, "read latencies")
	}
	histograms := map[string]watch.Histogram{}
	for _, b := range buckets {
		if histograms[b.What] == nil {
			histograms[b.What] = watch.Histogram{}
		}
		histograms[b.What][int(b.Bucket)] += b.N
	}
	for _, what := range []string{watch.LatencyDecision, watch.LatencyDelivery, watch.LatencyPage} {
		if h := histograms[what]; h != nil {
			levels.Timings = append(levels.Timings, watch.TimingOf(what, h))
		}
	}
	review, err := s.q.ReviewTimes(ctx, dbsqlc.ReviewTimesParams{Since: from, Until: to})
	if err == nil && review.N > 0 {
		levels.Timings = append(levels.Timings, watch.Timing{What: watch.LatencyReview, N: int64(review.N), P50: seconds(review.P50), P95: seconds(review.P95),
			InTarget: float64(review.InTime) / float64(review.N)})
	}
	return levels, translate(err, "read review times")
}

// service sums up the levels of a period of real time for the key figures.
func (s *Store) service(ctx context.Context, from, to time.Time) (sums measure.ServiceSums, err error) {
	levels, err := s.Levels(ctx, from, to)
	for i, u := range levels.Uptimes {
		if i == 0 || u.Share.Rate() < sums.Uptime.Rate() {
			sums.Uptime = u.Share
		}
	}
	for _, t := range levels.Timings {
		if t.What == watch.LatencyDecision {
			sums.Decisions, sums.DecisionP95 = t.N, t.P95.Seconds()
		}
	}
	return sums, err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
