package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

// ErasureInput names the customer to forget.
type ErasureInput struct {
	CustomerID lifecycle.CustomerID `json:"customer"`
	Request    string               `json:"request,omitempty"` // whose receipt is written
	Clock      clock.Scale          `json:"clock,omitzero"`
}

const (
	// runsMayTake is how long running journeys have to see the erasure and end. After
	// it the store ends them; their workflows see that whenever they look.
	runsMayTake = 10 * time.Minute
	runsRecheck = 2 * time.Second // grows to a minute
	// lateArrivals is when to look again for what was on its way: an import that was
	// under way, a request that had read the customer before the erasure.
	lateArrivals = time.Hour
)

// Erasure forgets a customer. The request was accepted before it starts, and from
// then on nothing was sent. First the running journeys end; then the providers are
// told, while there is an address to tell them; then personal data are emptied and
// the receipt is written; an hour later what has come in late is emptied too. The
// suppression stays as a hash, and the decision log stays verifiable.
func Erasure(ctx workflow.Context, in ErasureInput) (activities.Erased, error) {
	business := newBusinessClock(ctx, in.Clock, time.Time{})
	if !erasesInSteps(ctx) {
		return erase(ctx, activities.EraseInput{CustomerID: in.CustomerID, Now: business.now(ctx)})
	}
	e := &erasing{in: in, business: business}
	if err := e.endRuns(ctx); err != nil {
		return activities.Erased{}, err
	}
	told := e.tell(ctx)
	workflow.SetCurrentDetails(ctx, "Personal data are being emptied.")
	erased, err := forget(ctx, activities.ForgetInput{CustomerID: in.CustomerID, Request: in.Request, Now: e.now(ctx), Providers: told})
	if err != nil {
		return activities.Erased{}, err
	}
	workflow.SetCurrentDetails(ctx, "The customer is forgotten. What comes in late is emptied within the hour.")
	if _, err := waitFor(ctx, lateArrivals, "what comes in late", never); err != nil {
		return erased, err
	}
	_, err = forget(ctx, activities.ForgetInput{CustomerID: in.CustomerID, Request: in.Request, Now: e.now(ctx), Late: true})
	workflow.SetCurrentDetails(ctx, "The customer is forgotten.")
	return erased, err
}

// erasing is an erasure under way.
type erasing struct {
	in       ErasureInput
	business *businessClock
}

func (e *erasing) now(ctx workflow.Context) time.Time { return e.business.sync(ctx) }

func (e *erasing) input(ctx workflow.Context) activities.EraseInput {
	return activities.EraseInput{CustomerID: e.in.CustomerID, Now: e.now(ctx)}
}

// endRuns waits until the customer's journeys have ended, or long enough.
func (e *erasing) endRuns(ctx workflow.Context) error {
	deadline := workflow.Now(ctx).Add(runsMayTake)
	for pause := runsRecheck; ; pause = min(2*pause, time.Minute) {
		ended, err := endRuns(ctx, e.input(ctx))
		if err != nil || ended.Running == 0 || !workflow.Now(ctx).Before(deadline) {
			return err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d running journeys are ending.", ended.Running))
		if _, err := waitFor(ctx, pause, "journeys end", never); err != nil {
			return err
		}
	}
}

// tell tells the providers. One that cannot be told for a day must not keep the
// customer's data here any longer: the receipt says so.
func (e *erasing) tell(ctx workflow.Context) map[string]string {
	told, err := tellProviders(ctx, e.input(ctx))
	if err != nil {
		return map[string]string{"all": "not told, erase it there by hand: " + problem(ctx, err)}
	}
	return told.Providers
}

func never() bool { return false }
