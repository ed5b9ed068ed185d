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
// cut to whole hours. Touches, responses and credits come from the hourly sums
// and are as fresh as the last round of RollUp; figures of distinct customers are
// read from their rows once per round and period. Errors: Invalid for a period
// without a whole hour.
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

// Sums reads what the readings of a period are worked out from.
func (s *Store) Sums(ctx context.Context, in measure.KPIQuery) (*measure.Sums, error) {
	in.From, in.To = in.From.UTC().Truncate(time.Hour), in.To.UTC().Truncate(time.Hour)
	if !in.From.Before(in.To) {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the period from %s to %s holds no whole hour: give a longer one",
			in.From.Format(time.RFC3339), in.To.Format(time.RFC3339))
	}
	r := kpiReader{in: in, sums: &measure.Sums{KPIQuery: in, Channels: map[string]measure.ChannelSums{}}}
	var scale clock.Scale
	if _, err := s.Setting(ctx, SettingClock, &scale); err != nil {
		return nil, err
	}
	r.realSince, r.realUntil = instant(scale.RealAt(in.From)), instant(scale.RealAt(in.To))
	err := s.snapshot(ctx, "read the key figures", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort); err != nil {
			return err
		}
		r.q = q
		return r.read(ctx)
	})
	if err != nil || !r.fresh {
		return r.sums, err
	}
	return r.sums, s.keepFigures(ctx, r)
}

// keepFigures stores figures of customers for the next reader of this round.
func (s *Store) keepFigures(ctx context.Context, r kpiReader) error {
	encoded, err := json.Marshal(r.sums.People)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Internal, "encode figures of customers: %w", err)
	}
	return translate(s.q.SaveKPIFigures(ctx, dbsqlc.SaveKPIFiguresParams{Since: r.in.From, Until: r.in.To, Channel: r.in.Channel,
		Journey: r.in.Journey, Campaign: r.in.Campaign, Revision: r.revision, Figures: encoded}), "keep figures of customers")
}

// kpiReader reads the parts of measure.Sums in one transaction.
type kpiReader struct {
	q                    *dbsqlc.Queries
	in                   measure.KPIQuery
	realSince, realUntil time.Time
	attribution          time.Duration
	revision             int64
	fresh                bool // figures of customers were read from their rows
	sums                 *measure.Sums
}

func (r *kpiReader) read(ctx context.Context) error {
	state, err := r.q.RollupState(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // AsOf stays zero
	}
	if err != nil {
		return err
	}
	r.revision, r.attribution = state.Revision, time.Duration(state.Attribution.Microseconds)*time.Microsecond
	r.sums.AsOf, r.sums.Currency = state.AsOf, state.Currency
	r.sums.Unit = math.Pow10(-lifecycle.MinorDigits(state.Currency))
	for _, part := range []func(context.Context) error{r.touches, r.credits, r.orders, r.people, r.reviews, r.copy, r.launches} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
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
	r.sums.Launches = measure.LaunchSums{Tested: int(row.Tested),
		Seconds: measure.Sample{N: int(row.Started), Sum: row.Seconds, SumSquares: row.SecondsSquares}}
	return err
}
