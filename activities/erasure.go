package activities

import (
	"context"
	"encoding/json"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Erasure forgets customers, step by step. That nothing is sent any more was settled
// when the request was accepted: see postgres.Store.AcceptErasure.
type Erasure struct {
	Customers Eraser
	Runs      RunStore
	Starter   Starter
	Providers map[lifecycle.Channel]Provider // those that are a channel.Eraser are told
}

// Eraser forgets customers.
type Eraser interface {
	ActiveRunIDs(ctx context.Context, customer lifecycle.CustomerID) ([]lifecycle.RunID, error)
	CountRunning(ctx context.Context, customer lifecycle.CustomerID) (int, error)
	Profile(ctx context.Context, customer lifecycle.CustomerID) (lifecycle.Profile, error)
	EraseCustomer(ctx context.Context, customer lifecycle.CustomerID, at time.Time) (ledger.Erased, error)
	FinishPrivacy(ctx context.Context, request ledger.PrivacyRequest) error
}

// EraseInput names the customer to forget.
type EraseInput struct {
	CustomerID lifecycle.CustomerID `json:"customer"`
	Now        time.Time            `json:"now"`
}

// Erased says what an erasure did. It is the receipt's body.
type Erased struct {
	Runs       int64             `json:"runs"` // journeys it ended
	Events     int64             `json:"events,omitempty"`
	Orders     int64             `json:"orders,omitempty"`
	Reports    int64             `json:"provider_reports,omitempty"`
	Belongings int64             `json:"belongings,omitempty"`
	Providers  map[string]string `json:"providers,omitempty"` // what each channel's provider was told, or why not
}

// Erase forgets a customer at once, for workflows that were started before erasure
// went in steps.
func (e *Erasure) Erase(ctx context.Context, in EraseInput) (Erased, error) {
	defer alive(ctx)()
	runs, err := e.Customers.ActiveRunIDs(ctx, in.CustomerID)
	if err != nil {
		return Erased{}, fail(err)
	}
	if _, err := e.Customers.EraseCustomer(ctx, in.CustomerID, in.Now); err != nil {
		return Erased{}, fail(err)
	}
	return Erased{Runs: int64(len(runs))}, fail(wake(ctx, e.Runs, e.Starter, runs, in.Now, SignalExit, "customer erased"))
}

// RunsEnded says how many of a customer's journeys still run.
type RunsEnded struct {
	Running int `json:"running"`
}

// EndRuns tells the customer's running journeys to look again: they see the erasure
// and end. It reports how many have not yet.
func (e *Erasure) EndRuns(ctx context.Context, in EraseInput) (RunsEnded, error) {
	running, err := e.Customers.CountRunning(ctx, in.CustomerID)
	if err != nil || running == 0 {
		return RunsEnded{}, fail(err)
	}
	runs, err := e.Customers.ActiveRunIDs(ctx, in.CustomerID)
	if err != nil {
		return RunsEnded{}, fail(err)
	}
	return RunsEnded{running}, fail(wake(ctx, e.Runs, e.Starter, runs, in.Now, SignalExit, "customer erased"))
}

// Told says what the providers were told, by channel.
type Told struct {
	Providers map[string]string `json:"providers,omitempty"`
}

// TellProviders asks the providers that can to erase the customer's address too.
// One that refuses for good is a line in the receipt, for a person to do it by hand;
// one that does not answer makes the whole activity be repeated, which is harmless.
// The address is read here and goes nowhere else.
func (e *Erasure) TellProviders(ctx context.Context, in EraseInput) (Told, error) {
	defer alive(ctx)()
	profile, err := e.Customers.Profile(ctx, in.CustomerID)
	if err != nil {
		return Told{}, fail(err)
	}
	told := map[string]string{}
	for _, ch := range lifecycle.Channels {
		provider, ok := e.Providers[ch].(channel.Eraser)
		to := address(profile.Customer, ch)
		if !ok || to == "" {
			continue
		}
		job, err := provider.Erase(ctx, to)
		switch {
		case err == nil:
			told[string(ch)] = "accepted, job " + job
		case final[lifecycle.CodeOf(err)]:
			told[string(ch)] = "refused, erase it there by hand: " + err.Error()
		default:
			return Told{}, fail(err)
		}
	}
	return Told{told}, nil
}

// ForgetInput names the customer, the request, and what its receipt says besides.
type ForgetInput struct {
	CustomerID lifecycle.CustomerID `json:"customer"`
	Request    string               `json:"request,omitempty"`
	Now        time.Time            `json:"now"`
	Providers  map[string]string    `json:"providers,omitempty"`
	Late       bool                 `json:"late,omitempty"` // looks for what has come in since
}

// Forget empties what is personal and writes the receipt. It is repeated after a
// while: what was on its way when the request came may arrive late.
func (e *Erasure) Forget(ctx context.Context, in ForgetInput) (Erased, error) {
	defer alive(ctx)()
	done, err := e.Customers.EraseCustomer(ctx, in.CustomerID, in.Now)
	if err != nil {
		return Erased{}, fail(err)
	}
	erased := Erased{Runs: done.Runs, Events: done.Events, Orders: done.Orders, Reports: done.Reports, Belongings: done.Belongings, Providers: in.Providers}
	if in.Request == "" || in.Late && done == (ledger.Erased{}) {
		return erased, nil
	}
	var body any = erased
	if in.Late {
		body = map[string]any{"late": erased}
	}
	receipt, err := json.Marshal(body)
	if err != nil {
		return Erased{}, fail(lifecycle.Errorf(lifecycle.Internal, "encode a receipt: %w", err))
	}
	return erased, fail(e.Customers.FinishPrivacy(ctx, ledger.PrivacyRequest{ID: in.Request, DoneAt: in.Now, Receipt: receipt}))
}
