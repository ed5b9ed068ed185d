package activities

import (
	"context"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/measure"
)

// Upkeep keeps the ledger and the evidence current.
type Upkeep struct {
	Ledger     Ledger
	Evidence   EvidenceStore
	Partitions Partitions
	Figures    KeyFigures
	Forgetting Forgetting    // nil: nothing is forgotten
	Rejected   int           // refused messages that are kept
	KeepFor    time.Duration // how long they are
	Currency   string        // of the key figures, ISO 4217
	Scale      clock.Scale
	Window     time.Duration // how long after a touch an order counts as its response
}

// Partitions keeps monthly partitions ahead of time.
type Partitions interface {
	EnsurePartitions(ctx context.Context, since, until time.Time) error
}

// KeyFigures sums up hours and reads key figures from them.
type KeyFigures interface {
	RollUp(ctx context.Context, in measure.Rollup) (measure.RolledUp, error)
	KPIs(ctx context.Context, in measure.KPIQuery) ([]measure.Reading, error)
}

// Forgetting removes what is of no more use: interests that are over, and refused
// messages from before an instant or beyond a number.
type Forgetting interface {
	ForgetAffinities(ctx context.Context, now time.Time) (int, error)
	PruneRejected(ctx context.Context, before time.Time, keep int) (int, error)
}

// UpkeepInput names the business instant of the upkeep.
type UpkeepInput struct {
	Now time.Time `json:"now"`
}

// UpkeepResult says what the upkeep found.
type UpkeepResult struct {
	Unconfirmed int `json:"unconfirmed"`     // touches whose attempt died in the provider call
	Hours       int `json:"hours,omitempty"` // whose sums were made anew
}

// abandonedAfter is the real time after which a touch that is still "sending"
// belongs to an attempt that died: longer than any delivery activity may run.
const abandonedAfter = 10 * time.Minute

// Round settles touches of dead attempts, makes next months' partitions, rebuilds
// the response counts, brings the hourly sums up to date, keeps the sums of the
// periods that people look at, and forgets what is of no more use.
func (u *Upkeep) Round(ctx context.Context, in UpkeepInput) (UpkeepResult, error) {
	defer alive(ctx)()
	if err := u.Partitions.EnsurePartitions(ctx, in.Now, in.Now.AddDate(0, 3, 0)); err != nil {
		return UpkeepResult{}, fail(err)
	}
	expired, err := u.Ledger.ExpireSending(ctx, u.Scale.At(time.Now().Add(-abandonedAfter)), in.Now)
	if err != nil {
		return UpkeepResult{}, fail(err)
	}
	if err := u.Evidence.RefreshEvidence(ctx, in.Now, u.Window); err != nil {
		return UpkeepResult{}, fail(err)
	}
	rolled, err := u.Figures.RollUp(ctx, measure.Rollup{Now: in.Now, Attribution: u.Window, Currency: u.Currency})
	if err != nil {
		return UpkeepResult{}, fail(err)
	}
	for _, period := range measure.OverviewPeriods { // so that nobody waits for them
		if _, err := u.Figures.KPIs(ctx, measure.KPIQuery{From: in.Now.Add(-period), To: in.Now}); err != nil {
			return UpkeepResult{}, fail(err)
		}
	}
	if u.Forgetting != nil {
		if _, err := u.Forgetting.ForgetAffinities(ctx, in.Now); err != nil {
			return UpkeepResult{}, fail(err)
		}
		if _, err := u.Forgetting.PruneRejected(ctx, in.Now.Add(-u.KeepFor), u.Rejected); err != nil {
			return UpkeepResult{}, fail(err)
		}
	}
	return UpkeepResult{Unconfirmed: len(expired), Hours: rolled.Hours}, nil
}
