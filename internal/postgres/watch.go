package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
	"touchstone/internal/watch"
)

// Counts returns, for every window, what the circuit breaker has to know of a
// channel's messages that went out since then.
func (s *Store) Counts(ctx context.Context, channel lifecycle.Channel, since []time.Time) ([]watch.Counts, error) {
	var counts []watch.Counts
	err := s.snapshot(ctx, "count complaints and bounces", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		for _, at := range since {
			c, err := breakerCounts(ctx, q, channel, at)
			if err != nil {
				return err
			}
			counts = append(counts, c)
		}
		return nil
	})
	return counts, err
}

func breakerCounts(ctx context.Context, q *dbsqlc.Queries, channel lifecycle.Channel, since time.Time) (watch.Counts, error) {
	r, err := q.BreakerCounts(ctx, dbsqlc.BreakerCountsParams{Channel: string(channel), Since: instant(since)})
	return watch.Counts{Channel: channel, Since: since.UTC(), Sent: int(r.Sent), Delivered: int(r.Delivered), Complained: int(r.Complained), Bounced: int(r.Bounced)}, err
}

// Breaches looks for touches that should not have gone out since an instant, by
// every rule that the rows prove by themselves; quiet hours are judged from
// SentWhen. It finds a thousand per rule at most.
func (s *Store) Breaches(ctx context.Context, in watch.Inspection) ([]watch.Violation, error) {
	var found []watch.Violation
	add := func(rule watch.Rule, id string, at time.Time, format string, args ...any) {
		found = append(found, watch.Violation{TouchID: lifecycle.TouchID(id), Rule: rule, At: at.UTC(), FoundAt: in.Now, Detail: fmt.Sprintf(format, args...)})
	}
	origin, base, factor := time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), 1.0
	if in.Scale.Scaled() {
		origin, base, factor = in.Scale.Origin, in.Scale.Base, in.Scale.Factor
	}
	since := instant(in.Since)
	err := s.snapshot(ctx, "look for compliance violations", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		without, err := q.SentWithoutConsent(ctx, dbsqlc.SentWithoutConsentParams{Exempt: texts(in.Exempt), Origin: instant(origin), Base: instant(base),
			Factor: factor, Grace: interval(in.Grace), Since: since})
		if err != nil {
			return err
		}
		for _, r := range without {
			if r.WithdrawnAt.Unix() == 0 {
				add(watch.RuleConsent, r.ID, r.At, "nobody gave consent for this channel")
				continue
			}
			add(watch.RuleConsent, r.ID, r.At, "consent was withdrawn at %s", r.WithdrawnAt.UTC().Format(time.RFC3339))
		}
		suppressed, err := q.SentToSuppressed(ctx, dbsqlc.SentToSuppressedParams{Origin: instant(origin), Base: instant(base), Factor: factor,
			Grace: interval(in.Grace), Since: since})
		if err != nil {
			return err
		}
		for _, r := range suppressed {
			add(watch.RuleSuppressed, r.ID, r.At, "the address was suppressed at %s", r.SuppressedAt.UTC().Format(time.RFC3339))
		}
		held, err := q.SentToHoldout(ctx, since)
		if err != nil {
			return err
		}
		for _, r := range held {
			add(watch.RuleHoldout, r.ID, r.At, "the customer is in arm %s, which receives nothing", r.Arm)
		}
		capped, err := q.SentOverCap(ctx, since)
		if err != nil {
			return err
		}
		for _, r := range capped {
			add(watch.RuleCap, r.ID, r.At, "cap %s allows %d and they were taken when it was reserved", r.Cap, r.Allowed)
		}
		twice, err := q.SentTwice(ctx, since)
		if err != nil {
			return err
		}
		for _, r := range twice {
			add(watch.RuleSentTwice, r.ID, r.At, "it went to its provider again without a definite refusal in between")
		}
		unapproved, err := q.SentWithUnapprovedCopy(ctx, since)
		for _, r := range unapproved {
			add(watch.RuleUnapproved, r.ID, r.At, "its copy is %s", r.Status)
		}
		return err
	})
	return found, err
}

// SentWhen says in which minutes marketing went out where, on these channels.
func (s *Store) SentWhen(ctx context.Context, since time.Time, channels []lifecycle.Channel) ([]watch.SentWhen, error) {
	var sent []watch.SentWhen
	err := s.snapshot(ctx, "read when touches went out", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.SentWhen(ctx, dbsqlc.SentWhenParams{Since: instant(since), Channels: texts(channels)})
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
