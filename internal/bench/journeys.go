package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
)

func namedActivity(name string) activity.RegisterOptions { return activity.RegisterOptions{Name: name} }

// twoTouches is the journey that is measured: touch, wait, touch, entered by an
// event.
const twoTouchesName = "bench-two-touches"

var twoTouches = []byte(`journey: bench-two-touches
title: Two touches with a wait between them
agent: campaign
class: marketing
holdout: 0%
entry: {event: Bench Started}
reentry: always
fallback: template
steps:
  - id: first
    touch: {channels: [email], offers: [none], brief: Say hello.}
  - id: pause
    wait: {for: 1m}
  - id: second
    touch: {channels: [email], offers: [none], brief: Say hello again.}
`)

// minutes makes the journey's wait of a minute, the shortest there is, last as
// long as the baseline's.
const minutes = float64(time.Minute / minimalPause)

// calm is the load at which latencies are taken: so many at once.
const calm = 4

// journeys measures journeys per second and processor time per journey against
// the minimal workflow, then what one touch costs the engine, and latencies.
func (r *run) journeys(ctx context.Context) (err error) {
	r.say("journeys: rounds of %d, %d in flight", r.Journeys, r.InFlight)
	r.Box.Config.GlobalHoldout = 0
	s, err := r.open(ctx, journeyCustomers, minutes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if err := s.apply(ctx, twoTouchesName, twoTouches); err != nil {
		return err
	}
	ours, err := s.ours(ctx)
	if err != nil {
		return err
	}
	base, err := startMinimal(s.box.Temporal)
	if err != nil {
		return err
	}
	defer base.stop()
	minimal := base.loop(s.box.Temporal)
	var a, b []sample
	for round := range r.Rounds {
		x, err := s.closed(ctx, ours, r.InFlight, r.Journeys)
		if err != nil {
			return fmt.Errorf("ours: %w", err)
		}
		y, err := s.closed(ctx, minimal, r.InFlight, r.Journeys)
		if err != nil {
			return fmt.Errorf("minimal workflow: %w", err)
		}
		a, b = append(a, x), append(b, y)
		r.say("  round %d: ours %.1f/s (server %.1f, database %.1f, process %.1f ms each), minimal %.1f/s (%.1f, %.1f, %.1f)",
			round+1, x.perSecond, x.server, x.database, x.process, y.perSecond, y.server, y.database, y.process)
	}
	s.compare(a, b)
	return s.perTouch(ctx, ours, minimal)
}

// journeyCustomers is how many customers there are to send journeys to; each
// enters again and again.
const journeyCustomers = 20_000

func (r *run) compare(ours, minimal []sample) {
	line := func(what, unit string, of func(sample) float64) Line {
		var a, b []float64
		for i := range ours {
			a, b = append(a, of(ours[i])), append(b, of(minimal[i]))
		}
		return Line{Part: "journeys", What: what, Unit: unit, Ours: median(a), Baseline: median(b), Against: "minimal workflow"}
	}
	r.target(line("journeys of two touches", "1/s", func(s sample) float64 { return s.perSecond }), "at least 0.8",
		func(l Line) bool { return l.Ratio >= 0.8 })
	r.add(line("Temporal server CPU per journey", "ms", func(s sample) float64 { return s.server }))
	r.add(line("PostgreSQL CPU per journey", "ms", func(s sample) float64 { return s.database }))
	r.add(line("worker, gateway and sandbox CPU per journey", "ms", func(s sample) float64 { return s.process }))
}

// ours enters customers by events at the gateway, as a shop would.
func (s *stage) ours(ctx context.Context) (loop, error) {
	entered := 0
	shop := &http.Client{Timeout: 30 * time.Second}
	conn, err := pgx.Connect(ctx, s.box.Stack.DatabaseURL)
	if err != nil {
		return loop{}, err
	}
	return loop{
		start: func(ctx context.Context, n int) error {
			var batch []map[string]any
			for range n {
				entered++
				batch = append(batch, map[string]any{
					"type": "track", "event": "Bench Started", "userId": fmt.Sprintf("b%d", 1+entered%journeyCustomers),
					"messageId": fmt.Sprintf("bench-%d", entered), "timestamp": s.box.Clock.Now().Format(time.RFC3339Nano),
				})
			}
			return s.post(ctx, shop, batch)
		},
		done: func(ctx context.Context) (n int, err error) {
			err = conn.QueryRow(ctx, `select count(*) from journey_runs where journey = $1 and status = 'ended'`, twoTouchesName).Scan(&n)
			return n, err
		},
	}, nil
}

func (s *stage) post(ctx context.Context, shop *http.Client, batch []map[string]any) error {
	body, err := json.Marshal(map[string]any{"batch": batch})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.box.Config.Gateway.PublicURL+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.box.Config.Gateway.WriteKeys[0]+":")))
	res, err := shop.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answered %s: %s", res.Status, answer)
	}
	return nil
}

// startsInFlight is how many starts of the baseline are asked for at once, as
// by the router of ours.
const startsInFlight = 8

func (m *minimal) loop(c client.Client) loop {
	started := 0
	return loop{
		start: func(ctx context.Context, n int) error {
			group, ctx := errgroup.WithContext(ctx)
			group.SetLimit(startsInFlight)
			for range n {
				started++
				id := minimalID(started)
				group.Go(func() error {
					_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: minimalQueue}, minimalName, minimalInput{id})
					return err
				})
			}
			return group.Wait()
		},
		done: func(context.Context) (int, error) { return int(m.done.Load()), nil },
	}
}

func minimalID(n int) string { return fmt.Sprintf("bench/minimal/%08d", n) }
