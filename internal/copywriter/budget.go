package copywriter

import (
	"context"
	"sync"
	"time"

	"touchstone/internal/lifecycle"
)

// Budget limits what copy may cost. Left may be overdrawn by the one call it
// allowed.
type Budget interface {
	// Left is what may still be spent today.
	Left(ctx context.Context) (lifecycle.Money, error)
	// Spend books the cost of a call, also of one whose copy was unusable.
	Spend(ctx context.Context, cost lifecycle.Money) error
}

// DailyBudget is a Budget of this process: a limit per day of the brand's
// time zone, forgotten at a restart.
type DailyBudget struct {
	limit lifecycle.Money
	zone  *time.Location
	now   func() time.Time

	mu    sync.Mutex
	day   string
	spent int64
}

// NewDailyBudget returns a budget of limit per day in zone; now is the
// business clock.
func NewDailyBudget(limit lifecycle.Money, zone *time.Location, now func() time.Time) *DailyBudget {
	return &DailyBudget{limit: limit, zone: zone, now: now}
}

// Left implements Budget.
func (b *DailyBudget) Left(context.Context) (lifecycle.Money, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return lifecycle.Money{Amount: b.limit.Amount - b.spent, Currency: b.limit.Currency}, nil
}

// Spend implements Budget.
func (b *DailyBudget) Spend(_ context.Context, cost lifecycle.Money) error {
	if cost.Amount != 0 && cost.Currency != b.limit.Currency {
		return lifecycle.Errorf(lifecycle.Invalid, "model prices are in %q, the copy budget in %q: use one currency", cost.Currency, b.limit.Currency)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.spent += cost.Amount
	return nil
}

// turn starts a new day's account when the day has changed.
func (b *DailyBudget) turn() {
	if day := b.now().In(b.zone).Format(time.DateOnly); day != b.day {
		b.day, b.spent = day, 0
	}
}
