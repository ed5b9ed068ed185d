package postgres_test

import (
	"testing"
	"time"

	"touchstone/internal/measure"
	"touchstone/internal/watch"
)

func TestUptimeCountsUnseenMinutesAsDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := noon.Truncate(time.Minute)
	for i := range 10 {
		if i == 7 || i == 8 {
			continue // nobody was there
		}
		beats := []watch.Heartbeat{{Component: watch.Worker, Minute: start.Add(time.Duration(i) * time.Minute), Up: true},
			{Component: watch.Gateway, Minute: start.Add(time.Duration(i)*time.Minute + 30*time.Second), Up: i != 3}}
		b.must(b.SaveHeartbeats(t.Context(), beats))
	}
	// Another worker reached the gateway in a minute in which the first did not, and not in another.
	b.must(b.SaveHeartbeats(t.Context(), []watch.Heartbeat{{Component: watch.Gateway, Minute: start.Add(2 * time.Minute), Up: false}}))
	levels, err := b.Levels(t.Context(), start.Add(-time.Hour), start.Add(10*time.Minute))
	b.must(err)
	want := []watch.Uptime{
		{Component: watch.Gateway, Share: measure.Proportion{N: 10, Hits: 7}, Unobserved: 2},
		{Component: watch.Worker, Share: measure.Proportion{N: 10, Hits: 8}, Unobserved: 2},
	}
	if len(levels.Uptimes) != 2 || levels.Uptimes[0] != want[0] || levels.Uptimes[1] != want[1] {
		t.Errorf("%+v, want %+v", levels.Uptimes, want)
	}
	beats, err := b.Heartbeats(t.Context(), start.Add(3*time.Minute))
	if err != nil || len(beats) != 10 || beats[0].Up {
		t.Errorf("%+v %v", beats, err)
	}
	if empty, err := b.Levels(t.Context(), start.Add(-2*time.Hour), start.Add(-time.Hour)); err != nil || len(empty.Uptimes) != 0 {
		t.Errorf("before anybody looked: %+v %v", empty, err)
	}
}

func TestLatenciesAddUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hour := noon.Truncate(time.Hour)
	for i := range 3 { // three processes, or three minutes
		b.must(b.AddLatencies(t.Context(), hour.Add(time.Duration(i)*time.Minute), map[string]watch.Histogram{
			watch.LatencyDecision: {watch.Bucket(100 * time.Millisecond): 9, watch.Bucket(3 * time.Second): 1}, watch.LatencyDelivery: {watch.Bucket(time.Second): 2}}))
	}
	b.must(b.AddLatencies(t.Context(), hour, nil))
	b.exec(`insert into reviews (id, workflow_id, kind, creative_id, content_hash, status, opened_at, due_at, decided_at)
		select new_id(), i::text, 'creative', new_id(), 'h', 'approved', $1, $1::timestamptz + interval '5 minutes', $1::timestamptz + i * interval '1 minute' from generate_series(1, 9) i`, hour)
	levels, err := b.Levels(t.Context(), hour, hour.Add(time.Hour))
	b.must(err)
	if len(levels.Timings) != 3 {
		t.Fatalf("%+v", levels.Timings)
	}
	d, review := levels.Timings[0], levels.Timings[2]
	if d.N != 30 || d.P50 < 100*time.Millisecond || d.P50 > 110*time.Millisecond || d.P95 < 3*time.Second || d.P95 > 3300*time.Millisecond || d.InTarget != 0.9 {
		t.Errorf("%+v", d)
	}
	if review.N != 9 || review.P50 != 5*time.Minute || review.InTarget != 5.0/9 {
		t.Errorf("%+v", review)
	}
}

// The catalogue answers from what the system has recorded of itself: the least
// available component counts.
func TestServiceLevelsAreKeyFigures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from, to := noon.Add(-2*time.Hour), noon
	b.exec(`insert into heartbeats (component, minute, up) select c, m, c <> 'gateway' or extract(minute from m) <> 7
		from unnest(array['database', 'engine', 'gateway', 'worker']) c, generate_series($1::timestamptz, $2::timestamptz - interval '1 minute', interval '1 minute') m`, from, to)
	b.must(b.AddLatencies(t.Context(), from, map[string]watch.Histogram{watch.LatencyDecision: {watch.Bucket(300 * time.Millisecond): 40}}))
	_, err := b.RollUp(t.Context(), measure.Rollup{Now: noon, Attribution: 7 * day, Currency: "USD"})
	b.must(err)
	readings, err := b.KPIs(t.Context(), measure.KPIQuery{From: from, To: to})
	b.must(err)
	found := map[string]measure.Reading{}
	for _, r := range readings {
		found[r.KPI] = r
	}
	if u := found["uptime"]; u.Status != measure.OK || u.Numerator != 118 || u.Denominator != 120 {
		t.Errorf("uptime: %+v", u)
	}
	if l := found["system_latency_p95"]; l.Status != measure.OK || l.Denominator != 40 || l.Interval.Estimate < 0.3 || l.Interval.Estimate > 0.6 {
		t.Errorf("latency: %+v", l)
	}
}
