package bench

import (
	"context"
	"time"

	enums "go.temporal.io/api/enums/v1"
	history "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"touchstone/internal/ledger"
	"touchstone/workflows"
)

// sampledPerRound is how many journeys are looked at, under a calm load, for every
// round that is measured.
const sampledPerRound = 20

// cost is what one workflow left in its history.
type cost struct {
	events, activities, timers int
	bytes                      int
	payload                    int // bytes of the largest payload
	prepare, deliver           []time.Duration
}

// perTouch looks at the histories of journeys under a calm load.
func (s *stage) perTouch(ctx context.Context, ours, minimal loop) error {
	sampled := sampledPerRound * s.Rounds
	s.say("  histories and latencies: %d journeys, %d at once", sampled, calm)
	since := s.box.Clock.Now()
	for _, l := range []loop{ours, minimal} {
		if err := trickle(ctx, l, sampled); err != nil {
			return err
		}
	}
	a, err := s.ourCosts(ctx, since)
	if err != nil {
		return err
	}
	last, err := minimal.done(ctx) // all that were started
	if err != nil {
		return err
	}
	var b []cost
	for i := range sampled {
		c, err := s.historyOf(ctx, minimalID(last-i))
		if err != nil {
			return err
		}
		b = append(b, c)
	}
	s.costs(a, b)
	return nil
}

// trickle keeps a few under way until n are done.
func trickle(ctx context.Context, l loop, n int) error {
	for range n / calm {
		base, err := l.done(ctx)
		if err != nil {
			return err
		}
		if err := l.start(ctx, calm); err != nil {
			return err
		}
		if err := drain(ctx, l, base+calm); err != nil {
			return err
		}
	}
	return nil
}

// ourCosts reads the histories of the journeys entered since an instant.
func (s *stage) ourCosts(ctx context.Context, since time.Time) ([]cost, error) {
	runs, err := s.box.Store.RunsInJourney(ctx, twoTouchesName, []ledger.RunStatus{ledger.RunEnded}, 1_000_000, "")
	if err != nil {
		return nil, err
	}
	var all []cost
	for _, r := range runs {
		if r.EnteredAt.Before(since) {
			continue
		}
		c, err := s.historyOf(ctx, workflows.JourneyID(r))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// historyOf adds up one workflow's history.
func (s *stage) historyOf(ctx context.Context, id string) (cost, error) {
	var c cost
	scheduled := map[int64]time.Time{}
	deliveries := map[int64]bool{}
	events := s.box.Temporal.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return c, err
		}
		c.events++
		c.bytes += proto.Size(e)
		c.payload = max(c.payload, payloadOf(e))
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			c.activities++
			scheduled[e.EventId] = e.EventTime.AsTime()
			name := a.ActivityType.GetName()
			deliveries[e.EventId] = name == "Deliver" || name == minimalDeliver
		}
		if e.GetTimerStartedEventAttributes() != nil {
			c.timers++
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil {
			took := e.EventTime.AsTime().Sub(scheduled[a.ScheduledEventId])
			if deliveries[a.ScheduledEventId] {
				c.deliver = append(c.deliver, took)
			} else {
				c.prepare = append(c.prepare, took)
			}
		}
	}
	return c, nil
}

// payloadOf is the size of what an event carries for us.
func payloadOf(e *history.HistoryEvent) int {
	size := 0
	for _, p := range []proto.Message{
		e.GetWorkflowExecutionStartedEventAttributes().GetInput(), e.GetActivityTaskScheduledEventAttributes().GetInput(),
		e.GetActivityTaskCompletedEventAttributes().GetResult(), e.GetWorkflowExecutionCompletedEventAttributes().GetResult(),
		e.GetWorkflowExecutionSignaledEventAttributes().GetInput(),
	} {
		size = max(size, proto.Size(p))
	}
	return size
}

// touchesEach is how many touches every measured journey delivers.
const touchesEach = 2

func (r *run) costs(ours, minimal []cost) {
	line := func(what, unit string, of func(cost) float64) Line {
		per := func(all []cost) float64 {
			var values []float64
			for _, c := range all {
				values = append(values, of(c))
			}
			return median(values)
		}
		return Line{Part: "journeys", What: what, Unit: unit, Ours: per(ours), Baseline: per(minimal), Against: "minimal workflow"}
	}
	r.target(line("activities per delivered touch", "", func(c cost) float64 { return float64(c.activities) / touchesEach }), "at most 2", func(l Line) bool { return l.Ours <= 2 })
	r.target(line("timers per delivered touch", "", func(c cost) float64 { return float64(c.timers) / touchesEach }), "at most 1", func(l Line) bool { return l.Ours <= 1 })
	r.target(line("largest payload", "bytes", func(c cost) float64 { return float64(c.payload) }), "below 2048", func(l Line) bool { return l.Ours < 2048 })
	r.add(line("history events per delivered touch", "", func(c cost) float64 { return float64(c.events) / touchesEach }))
	r.add(line("history bytes per delivered touch", "bytes", func(c cost) float64 { return float64(c.bytes) / touchesEach }))
	for _, kind := range []struct {
		what string
		of   func(cost) []time.Duration
	}{{"preparation", func(c cost) []time.Duration { return c.prepare }}, {"delivery", func(c cost) []time.Duration { return c.deliver }}} {
		var a, b []time.Duration
		for _, c := range ours {
			a = append(a, kind.of(c)...)
		}
		for _, c := range minimal {
			b = append(b, kind.of(c)...)
		}
		for _, q := range []struct {
			name  string
			share float64
		}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
			r.add(Line{Part: "journeys", What: kind.what + " latency " + q.name, Unit: "ms", Ours: milliseconds(percentile(a, q.share)),
				Baseline: milliseconds(percentile(b, q.share)), Against: "an activity that does nothing"})
		}
	}
}
