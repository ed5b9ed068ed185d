package postgres

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// LogQuery asks for a page of the decision log, latest first. At most one of
// the filters is used: Customer, Kind, then People.
type LogQuery struct {
	Customer lifecycle.CustomerID
	Kind     string
	People   bool  // only what people did: entries about no single customer
	Before   int64 // sequence number before which the page begins; 0 = the latest
	// BeforeAt is the instant of the entry Before, needed with Customer and Kind,
	// which are read in the order of time.
	BeforeAt time.Time
	Limit    int
}

// endOfTime comes after every entry of the log.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Log returns a page of the decision log.
func (s *Store) Log(ctx context.Context, in LogQuery) ([]LogEntry, error) {
	before, at, n := cmp.Or(in.Before, math.MaxInt64), in.BeforeAt, int32(in.Limit)
	if at.IsZero() {
		at = endOfTime
	}
	var rows []dbsqlc.DecisionLog
	var err error
	switch {
	case in.Customer != "":
		rows, err = s.q.LogOfCustomer(ctx, dbsqlc.LogOfCustomerParams{CustomerID: string(in.Customer), BeforeAt: instant(at), BeforeSeq: before, N: n})
	case in.Kind != "":
		rows, err = s.q.LogOfKind(ctx, dbsqlc.LogOfKindParams{Kind: in.Kind, BeforeAt: instant(at), BeforeSeq: before, N: n})
	case in.People:
		rows, err = s.q.LogOfPeople(ctx, dbsqlc.LogOfPeopleParams{Before: before, N: n})
	default:
		rows, err = s.q.LogLatest(ctx, dbsqlc.LogLatestParams{Before: before, N: n})
	}
	return logEntries(rows), translate(err, "read the decision log")
}

// LogEntries returns these entries of the decision log, latest first.
func (s *Store) LogEntries(ctx context.Context, seqs []int64) ([]LogEntry, error) {
	rows, err := s.q.LogEntries(ctx, seqs)
	return logEntries(rows), translate(err, "read entries of the decision log")
}

// LogKinds returns the kinds of entries that the decision log holds.
func (s *Store) LogKinds(ctx context.Context) ([]string, error) {
	kinds, err := s.q.LogKinds(ctx)
	return kinds, translate(err, "read the kinds of the decision log")
}

// CustomerRef is a customer in a list: ids only.
type CustomerRef struct {
	ID         lifecycle.CustomerID
	ExternalID string
	Erased     bool
}

// CustomersFrom returns up to limit customers whose external id begins with a
// prefix, in the order of bytes.
func (s *Store) CustomersFrom(ctx context.Context, prefix string, limit int) ([]CustomerRef, error) {
	rows, err := s.q.CustomersFrom(ctx, dbsqlc.CustomersFromParams{First: prefix, Last: prefix + string(rune(0x10FFFF)), N: int32(limit)})
	found := make([]CustomerRef, len(rows))
	for i, row := range rows {
		found[i] = CustomerRef{lifecycle.CustomerID(row.ID), row.ExternalID, row.ErasedAt != nil}
	}
	return found, translate(err, "look for customers")
}

// ApprovedBefore returns the copy that was approved last before this one for the
// same slot, channel and offer, and when that was decided. Errors: NotFound when
// there is none.
func (s *Store) ApprovedBefore(ctx context.Context, c lifecycle.Creative) (lifecycle.Creative, time.Time, error) {
	row, err := s.q.ApprovedCopy(ctx, dbsqlc.ApprovedCopyParams{Slot: c.Slot, Channel: string(c.Channel), OfferID: c.OfferID, ID: string(c.ID), Before: instant(c.CreatedAt)})
	if err != nil {
		return lifecycle.Creative{}, time.Time{}, translate(err, "read the copy approved before")
	}
	before, err := creativeOf(row.Creative)
	return before, moment(row.DecidedAt), err
}

// ReviewsDecided returns up to limit reviews decided before an instant, the
// latest first.
func (s *Store) ReviewsDecided(ctx context.Context, before time.Time, limit int) ([]lifecycle.ReviewItem, error) {
	rows, err := s.q.ReviewsDecided(ctx, dbsqlc.ReviewsDecidedParams{Before: instant(before), N: int32(limit)})
	if err != nil {
		return nil, translate(err, "read decided reviews")
	}
	items := make([]lifecycle.ReviewItem, len(rows))
	for i, row := range rows {
		if items[i], err = reviewOf(row.Review, row.Waiting); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// Objection counts how often a guardrail objected in one way, with the sequence
// numbers of its latest entries in the decision log.
type Objection struct {
	Rule     string
	Outcome  lifecycle.Outcome
	Findings int
	Touches  int
	Latest   []int64
}

// Objections counts what guardrails objected to in a period of business time,
// the most frequent first, each with up to examples entries. It reads every
// objection of the period.
func (s *Store) Objections(ctx context.Context, from, to time.Time, examples int) ([]Objection, error) {
	var found []Objection
	err := s.snapshot(ctx, "count objections", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		rows, err := q.RuleObjections(ctx, dbsqlc.RuleObjectionsParams{Since: instant(from), Until: instant(to), Examples: int32(examples)})
		for _, row := range rows {
			found = append(found, Objection{row.Rule, lifecycle.Outcome(row.Outcome), int(row.Findings), int(row.Touches), row.Latest})
		}
		return err
	})
	return found, err
}

// WeekOf is one week of the programme's two sides. A customer belongs to the arm
// of the very first run and counts from it on, with nothing where nothing was
// bought. Money is in minor units.
type WeekOf struct {
	Treated, Held measure.Sample // revenue per customer in the week
}

// Weeks compares both sides of the programme week by week from an instant of
// business time on; the last week may be short.
func (s *Store) Weeks(ctx context.Context, from, to time.Time, currency string) ([]WeekOf, error) {
	weeks := make([]WeekOf, int((to.Sub(from)+measure.Week-1)/measure.Week))
	side := func(week int32, held bool) *measure.Sample {
		if held {
			return &weeks[week].Held
		}
		return &weeks[week].Treated
	}
	err := s.snapshot(ctx, "compare weeks", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		entered, err := q.WeeklyEntered(ctx, dbsqlc.WeeklyEnteredParams{Since: instant(from), Until: instant(to)})
		if err != nil {
			return err
		}
		for _, row := range entered {
			for week := int(row.Week); week < len(weeks); week++ {
				side(int32(week), row.Held).N += int(row.Customers)
			}
		}
		bought, err := q.WeeklyRevenue(ctx, dbsqlc.WeeklyRevenueParams{Since: instant(from), Until: instant(to), Currency: currency})
		for _, row := range bought {
			one := side(row.Week, row.Held)
			one.Sum, one.SumSquares = row.Revenue, row.RevenueSquares
		}
		return err
	})
	return weeks, err
}

// AwaitingReviews counts the reviews that wait for a person.
func (s *Store) AwaitingReviews(ctx context.Context) (int, error) {
	n, err := s.q.AwaitingReviews(ctx)
	return int(n), translate(err, "count the reviews that wait")
}

// CreativesOf returns these creatives by their ids; unknown ones are left out.
func (s *Store) CreativesOf(ctx context.Context, ids []lifecycle.CreativeID) (map[lifecycle.CreativeID]lifecycle.Creative, error) {
	rows, err := s.q.CreativesByID(ctx, texts(ids))
	if err != nil {
		return nil, translate(err, "read creatives")
	}
	found := make(map[lifecycle.CreativeID]lifecycle.Creative, len(rows))
	for _, row := range rows {
		if found[lifecycle.CreativeID(row.ID)], err = creativeOf(row); err != nil {
			return nil, err
		}
	}
	return found, nil
}
