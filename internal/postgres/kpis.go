package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// SettingClock is the settings key of the business clock's scale. Reviews are in
// wall-clock time.
const SettingClock = "clock"

// KPIs returns all readings of a period in the catalogue's order. The period is
// cut to whole hours. What is summed by the hour is as fresh as the last round of
// RollUp; after the first reading of a period the sums are kept until the next
// round that changes any. Reviews and copy are read every time. Errors: Invalid for
// a period without a whole hour.
func (s *Store) KPIs(ctx context.Context, in measure.KPIQuery) ([]measure.Reading, error) {
	baselines, err := s.Baselines(ctx)
	if err != nil {
		return nil, err
	}
	sums, err := s.Sums(ctx, in)
	if err != nil {
		return nil, err
	}
	return sums.Readings(baselines), nil
}

// RolledUpTo returns the business instant of the last round of hourly sums; zero
// before the first. A period that ends there has had its sums kept by upkeep if
// it is one of measure.OverviewPeriods long.
func (s *Store) RolledUpTo(ctx context.Context) (time.Time, error) {
	at, err := s.q.RolledUpTo(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, translate(err, "read how far hours are summed up")
}

// Sums reads what the readings of a period are worked out from.
func (s *Store) Sums(ctx context.Context, in measure.KPIQuery) (*measure.Sums, error) {
	in.From, in.To = in.From.UTC().Truncate(time.Hour), in.To.UTC().Truncate(time.Hour)
	if !in.From.Before(in.To) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the period from %s to %s holds no whole hour: give a longer one",
			in.From.Format(time.RFC3339), in.To.Format(time.RFC3339))
	}
	var scale clock.Scale
	if _, err := s.Setting(ctx, SettingClock, &scale); err != nil {
		return nil, err
	}
	r := kpiReader{in: in, realSince: instant(scale.RealAt(in.From)), realUntil: instant(scale.RealAt(in.To))}
	err := s.snapshot(ctx, "read the key figures", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		r.q = q
		return r.read(ctx)
	})
	if err != nil {
		return r.sums, err
	}
	if r.sums.Service, err = s.service(ctx, r.realSince, r.realUntil); err != nil || !r.fresh {
		return r.sums, err
	}
	encoded, err := json.Marshal(r.sums)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Internal, "encode the sums of a period: %w", err)
	}
	err = s.q.SaveKPISums(ctx, dbsqlc.SaveKPISumsParams{Since: in.From, Until: in.To, Channel: in.Channel,
		Journey: in.Journey, Campaign: in.Campaign, Revision: r.revision, Sums: encoded})
	return r.sums, translate(err, "keep the sums of a period")
}

// kpiReader reads the parts of measure.Sums in one transaction.
type kpiReader struct {
	q                    *dbsqlc.Queries
	in                   measure.KPIQuery
	realSince, realUntil time.Time
	attribution          time.Duration
	revision             int64
	fresh                bool // read from hours and rows, to be kept
	sums                 *measure.Sums
}

func (r *kpiReader) read(ctx context.Context) error {
	r.sums = &measure.Sums{KPIQuery: r.in, Channels: map[string]measure.ChannelSums{}}
	state, err := r.q.RollupState(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // AsOf stays zero
	}
	if err != nil {
		return err
	}
	r.revision, r.attribution = state.Revision, time.Duration(state.Attribution.Microseconds)*time.Microsecond
	parts := []func(context.Context) error{r.reviews, r.copy}
	if known, err := r.kept(ctx); err != nil {
		return err
	} else if !known {
		r.fresh = true
		r.sums.Currency, r.sums.Unit = state.Currency, math.Pow10(-lifecycle.MinorDigits(state.Currency))
		parts = append(parts, r.touches, r.credits, r.orders, r.launches, r.people)
	}
	r.sums.AsOf = state.AsOf
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// kept takes the sums that an earlier reading since the last round has kept.
func (r *kpiReader) kept(ctx context.Context) (bool, error) {
	in := r.in
	encoded, err := r.q.KPISums(ctx, dbsqlc.KPISumsParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey,
		Campaign: in.Campaign, Revision: r.revision})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(encoded, r.sums); err != nil {
		return false, lifecycle.Errorf(lifecycle.Internal, "decode the sums of a period: %w", err)
	}
	return true, nil
}

func (r *kpiReader) touches(ctx context.Context) error {
	in := r.in
	rows, err := r.q.KPITouches(ctx, dbsqlc.KPITouchesParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey, Campaign: in.Campaign})
	if err != nil {
		return err
	}
	for _, t := range rows {
		r.sums.Channels[t.Channel] = measure.ChannelSums{Touches: t.Touches, Skipped: t.Skipped, Blocked: t.Blocked, Sent: t.Sent,
			Delivered: t.Delivered, HardBounced: t.HardBounced, Complained: t.Complained, Unsubscribed: t.Unsubscribed,
			Opened: t.Opened, Clicked: t.Clicked, Reviewed: t.Reviewed, Cost: t.Cost}
	}
	blocks, err := r.q.KPIBlocks(ctx, dbsqlc.KPIBlocksParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey, Campaign: in.Campaign})
	if err != nil {
		return err
	}
	for _, b := range blocks {
		r.block(b.Channel, b.Block, func(sum *measure.BlockSums) { sum.Touches, sum.Cost = b.Touches, b.Cost })
	}
	r.sums.Peak, err = r.q.KPIPeak(ctx, dbsqlc.KPIPeakParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey, Campaign: in.Campaign})
	return err
}

// block changes the sums of one block of a channel.
func (r *kpiReader) block(channel string, block int32, change func(*measure.BlockSums)) {
	c := r.sums.Channels[channel]
	change(&c.Blocks[block])
	r.sums.Channels[channel] = c
}

func (r *kpiReader) credits(ctx context.Context) error {
	in := r.in
	rows, err := r.q.KPICredits(ctx, dbsqlc.KPICreditsParams{Since: in.From, Until: in.To, Channel: in.Channel, Journey: in.Journey, Campaign: in.Campaign})
	for _, c := range rows {
		r.block(c.Channel, c.Block, func(sum *measure.BlockSums) {
			sum.Orders, sum.Conversions, sum.Value, sum.Revenue = c.Orders, c.Conversions, c.Value, c.Revenue
		})
	}
	return err
}

func (r *kpiReader) orders(ctx context.Context) error {
	rows, err := r.q.KPIOrders(ctx, dbsqlc.KPIOrdersParams{Since: r.in.From, Until: r.in.To})
	for _, o := range rows {
		r.sums.Orders[o.Block] = measure.OrderSums{Orders: o.Orders, Value: o.Value}
	}
	return err
}

func (r *kpiReader) reviews(ctx context.Context) error {
	row, err := r.q.KPIReviews(ctx, dbsqlc.KPIReviewsParams{Since: r.realSince, Until: r.realUntil, Channel: r.in.Channel,
		Journey: r.in.Journey, Campaign: r.in.Campaign})
	r.sums.Reviews = measure.ReviewSums{
		Seconds: measure.Sample{N: int(row.Decided), Sum: row.Seconds, SumSquares: row.SecondsSquares}, InTime: int(row.InTime),
		Touches: int(row.Touches), TouchesApproved: int(row.TouchesApproved), Model: int(row.Model), ModelApproved: int(row.ModelApproved)}
	return err
}

func (r *kpiReader) copy(ctx context.Context) error {
	row, err := r.q.KPICopy(ctx, dbsqlc.KPICopyParams{Since: r.in.From, Until: r.in.To, Channel: r.in.Channel, Currency: r.sums.Currency})
	r.sums.Copy = measure.CopySums{Decided: int(row.Decided), Approved: int(row.Approved), Cost: row.Cost}
	return err
}

func (r *kpiReader) launches(ctx context.Context) error {
	row, err := r.q.KPICampaigns(ctx, dbsqlc.KPICampaignsParams{Since: r.in.From, Until: r.in.To, Journey: r.in.Journey, Campaign: r.in.Campaign})
	if err != nil {
		return err
	}
	r.sums.Launches = measure.Sample{N: int(row.Started), Sum: row.Seconds, SumSquares: row.SecondsSquares}
	tested, err := r.q.KPITested(ctx, dbsqlc.KPITestedParams{Since: r.in.From, Until: r.in.To, Journey: r.in.Journey, Campaign: r.in.Campaign})
	r.sums.Tested = int(tested)
	return err
}
