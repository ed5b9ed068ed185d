package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/watch"
)

// Counts returns, for every window, what the circuit breaker has to know of a
// channel's messages that went out since then.
func (s *Store) Counts(ctx context.Context, channel lifecycle.Channel, since []time.Time) (counts []watch.Counts, err error) {
	err = s.snapshot(ctx, "count complaints and bounces", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		counts, err = breakerCounts(ctx, q, channel, since)
		return err
	})
	return counts, err
}

// breakerCounts answers in the order of the windows, of which none is there twice.
func breakerCounts(ctx context.Context, q *dbsqlc.Queries, channel lifecycle.Channel, since []time.Time) ([]watch.Counts, error) {
	counts, place, asked := make([]watch.Counts, len(since)), map[time.Time]int{}, make([]time.Time, len(since))
	for i, at := range since {
		asked[i] = instant(at)
		place[asked[i]] = i
	}
	rows, err := q.BreakerCounts(ctx, dbsqlc.BreakerCountsParams{Channel: string(channel), Since: asked})
	for _, r := range rows {
		i := place[instant(r.Since)]
		counts[i] = watch.Counts{Channel: channel, Since: since[i].UTC(), Sent: int(r.Sent), Delivered: int(r.Delivered), Complained: int(r.Complained), Bounced: int(r.Bounced)}
	}
	return counts, err
}

// Breaches looks for touches that should not have gone out since an instant, by
// every rule that the rows prove by themselves; quiet hours are judged from
// SentWhen. It finds a thousand per rule at most, and returns the horizon that the
// next inspection starts from.
func (s *Store) Breaches(ctx context.Context, in watch.Inspection) (found []watch.Violation, horizon int64, err error) {
	origin, base, factor := time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), 1.0
	if in.Scale.Scaled() {
		origin, base, factor = in.Scale.Origin, in.Scale.Base, in.Scale.Factor
	}
	err = s.snapshot(ctx, "look for compliance violations", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.Breaches(ctx, dbsqlc.BreachesParams{Exempt: texts(in.Exempt), Origin: instant(origin), Base: instant(base),
			Factor: factor, Grace: interval(in.Grace), Since: instant(in.Since), Horizon: in.Horizon})
		for _, r := range rows {
			found = append(found, watch.Violation{TouchID: lifecycle.TouchID(r.ID), Rule: watch.Rule(r.Rule), At: r.At.UTC(), FoundAt: in.Now, Detail: r.Detail})
		}
		if err != nil {
			return err
		}
		horizon, err = q.InspectionHorizon(ctx)
		return err
	})
	return found, horizon, err
}

// SentWhen says in which minutes marketing went out where, on these channels.
func (s *Store) SentWhen(ctx context.Context, in watch.Inspection, channels []lifecycle.Channel) ([]watch.SentWhen, error) {
	var sent []watch.SentWhen
	err := s.snapshot(ctx, "read when touches went out", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.SentWhen(ctx, dbsqlc.SentWhenParams{Since: instant(in.Since), Horizon: in.Horizon, Channels: texts(channels)})
		for _, r := range rows {
			sent = append(sent, watch.SentWhen{Channel: lifecycle.Channel(r.Channel), Country: r.Country, Region: r.Region, TimeZone: r.TimeZone,
				Minute: r.Minute.UTC(), TouchID: lifecycle.TouchID(r.TouchID), Touches: int(r.Touches)})
		}
		return err
	})
	return sent, err
}

// SaveViolations stores violations and returns those that are new.
func (s *Store) SaveViolations(ctx context.Context, violations []watch.Violation) ([]watch.Violation, error) {
	if len(violations) == 0 {
		return nil, nil
	}
	rows := make([]dbsqlc.Violation, len(violations))
	for i, v := range violations {
		rows[i] = dbsqlc.Violation{TouchID: string(v.TouchID), Rule: string(v.Rule), At: instant(v.At), FoundAt: instant(v.FoundAt), Detail: v.Detail}
	}
	encoded, err := batch(rows)
	if err != nil {
		return nil, err
	}
	saved, err := s.q.SaveViolations(ctx, encoded)
	return violationsOf(saved), translate(err, "save violations")
}

// mostViolations bounds what Violations returns.
const mostViolations = 10_000

// Violations returns those found in a period, latest first.
func (s *Store) Violations(ctx context.Context, since, until time.Time) ([]watch.Violation, error) {
	rows, err := s.q.Violations(ctx, dbsqlc.ViolationsParams{Since: instant(since), Until: instant(until), N: mostViolations})
	return violationsOf(rows), translate(err, "read violations")
}

func violationsOf(rows []dbsqlc.Violation) []watch.Violation {
	violations := make([]watch.Violation, len(rows))
	for i, r := range rows {
		violations[i] = watch.Violation{TouchID: lifecycle.TouchID(r.TouchID), Rule: watch.Rule(r.Rule), At: r.At.UTC(), FoundAt: r.FoundAt.UTC(), Detail: r.Detail}
	}
	return violations
}
