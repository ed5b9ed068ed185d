package bench

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/guardrails"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/clock"
	"touchstone/internal/control"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/sandbox"
)

// noon is the business instant at which every box starts: an hour at which no
// window anywhere in the bench is closed.
var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// stage is a running box with customers and approved copy.
type stage struct {
	*run
	box   *onebox.Box
	plane *control.Plane
}

// open starts a box whose business clock runs from noon at so many times real
// time. What
// recipients do comes long after the measurement, as in life; it would
// otherwise weigh on the rounds that happen to run then.
func (r *run) open(ctx context.Context, customers int, speed float64) (_ *stage, err error) {
	o := r.Box
	o.Ephemeral = true
	o.Sandbox = func(so *sandbox.Options) { so.EventDelay, so.KeepBodies = 7*24*time.Hour, 100 }
	if o.Policy, err = generous(); err != nil {
		return nil, err
	}
	box, err := onebox.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &stage{run: r, box: box}
	if err := s.prepare(ctx, customers, speed); err != nil {
		return nil, fmt.Errorf("%w (stopping: %v)", err, s.close(ctx))
	}
	return s, nil
}

// generous is the shipped policy with room for two messages within seconds: the
// same rules are asked, and counted, only later answered with no.
func generous() (*guardrails.Policy, error) {
	limit := regexp.MustCompile(`limit: ([0-9]+),`)
	return guardrails.ParsePolicy("policy.yaml", limit.ReplaceAll(guardrails.DefaultPolicySource(), []byte("limit: 90${1},")))
}

func (s *stage) close(ctx context.Context) error { return s.box.Stop(context.WithoutCancel(ctx)) }

func (s *stage) prepare(ctx context.Context, customers int, speed float64) error {
	if err := s.box.Run(ctx, clock.Scale{Base: time.Now(), Origin: noon, Factor: speed}); err != nil {
		return err
	}
	s.plane = &control.Plane{Store: s.box.Store, Temporal: s.box.Temporal, Brand: s.Box.Brand, Clock: s.box.Clock, Review: s.box.Config.Review}
	return s.populate(ctx, customers)
}

// populate makes customers with one order each who agreed to e-mail, of 676 first
// names.
func (s *stage) populate(ctx context.Context, n int) error {
	for _, statement := range []string{
		`insert into customers (id, external_id, email, first_name, country, time_zone, created_at)
		select new_id(), 'b' || i, 'b' || i || '@example.com', 'Robin' || chr(97 + i % 26) || chr(97 + i / 26 % 26), 'GB', 'Europe/London', $2::timestamptz - interval '300 days'
		from generate_series(1, $1::int) i`,
		`insert into consents (customer_id, channel, state, at, source)
		select id, 'email', 'granted', $2::timestamptz - interval '30 days', 'bench' from customers where $1::int > 0`,
		`update customer_stats set orders_count = 2, revenue = 9000, currency = 'USD', last_item = 'Linen throw',
		first_order_at = $2::timestamptz - interval '200 days', last_order_at = $2::timestamptz - interval '100 days' where $1::int > 0`,
	} {
		if err := s.execute(ctx, statement, n, noon); err != nil {
			return err
		}
	}
	return s.execute(ctx, `analyze`)
}

func (s *stage) execute(ctx context.Context, sql string, args ...any) error {
	return onConnection(ctx, s.box.Stack.DatabaseURL, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql, args...)
		return err
	})
}

func onConnection(ctx context.Context, url string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	err = work(conn)
	if closing := conn.Close(context.WithoutCancel(ctx)); err == nil {
		err = closing
	}
	return err
}

// apply stores a journey and approved copy for every touch of it.
func (s *stage) apply(ctx context.Context, name string, source []byte) error {
	def, err := s.plane.ParseJourney(name+".yaml", source)
	if err != nil {
		return err
	}
	if err := s.approve(ctx, def); err != nil {
		return err
	}
	_, err = s.plane.ApplyJourney(ctx, name+".yaml", source, "bench")
	return err
}

func (s *stage) approve(ctx context.Context, def *journey.Definition) error {
	templates := copywriter.NewTemplates(s.box.Clock.Now)
	for _, step := range def.Touches() {
		written, err := templates.Write(ctx, copywriter.Brief{
			Slot: step.Touch.Slot, Journey: def.Name, Step: step.ID, Goal: step.Touch.Brief, Channel: lifecycle.Email, Variants: 1, Brand: s.Box.Brand,
		})
		if err != nil {
			return err
		}
		for i := range written {
			written[i].Status, written[i].ApprovedBy = lifecycle.CreativeApproved, "bench"
			written[i].Source = lifecycle.FromPerson
		}
		if _, err := s.box.Store.SaveCreatives(ctx, written); err != nil {
			return err
		}
	}
	return nil
}

// bare is a client of the sandbox like the worker's.
func (s *stage) bare() (*sendgrid.Client, error) {
	c := s.box.Config.SendGrid
	return sendgrid.New(sendgrid.Config{APIKey: c.APIKey, BaseURL: c.BaseURL, MaxInFlight: c.InFlight})
}
