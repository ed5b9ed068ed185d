package activities

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// DueRuns finds the runs that a campaign has to look at.
type DueRuns interface {
	// DueRuns returns pending runs of a campaign that are due, oldest first.
	DueRuns(ctx context.Context, campaign string, now time.Time, limit int) ([]ledger.Run, error)
	// NextDue returns when the next pending run is due (zero when none has a
	// due time) and how many runs are pending in all.
	NextDue(ctx context.Context, campaign string) (time.Time, int, error)
	// Detach marks pending runs as running in a workflow of their own.
	Detach(ctx context.Context, runs []lifecycle.RunID) error
}

// PageInput asks to work through the next runs of a campaign that are due.
type PageInput struct {
	Campaign string    `json:"campaign"`
	Now      time.Time `json:"now"`
	Limit    int       `json:"limit"`             // runs at most
	Pending  int       `json:"pending,omitempty"` // as far as the campaign knows
}

// PageResult sums a page up.
type PageResult struct {
	Seen    int       `json:"seen"`
	Sent    int       `json:"sent"`    // the provider took it, or may have
	Durable int       `json:"durable"` // went on in a journey workflow of their own
	Held    int       `json:"held"`    // stopped by a pause; who is outside a rollout is not counted
	Ended   int       `json:"ended"`   // their journey is over
	Pending int       `json:"pending"` // still to come in this campaign
	NextDue time.Time `json:"next_due,omitzero"`
}

const (
	// pageBatch is how many runs are read, judged and stored at once.
	pageBatch = 128
	// pageParallel is how many batches of a page are under way at once: while
	// one waits for the database or the provider, another one renders.
	pageParallel = 4
)

// SendPage works through up to Limit due runs of a campaign: prepare, guard,
// reserve, deliver, settle, as for a single run. Runs that have to wait for
// something go on in a workflow of their own. The runs' own rows are the
// cursor, so a retried page continues where the last one stopped.
func (j *Journeys) SendPage(ctx context.Context, in PageInput) (PageResult, error) {
	defer alive(ctx)()
	in.Now = late(ctx, in.Now)
	var result PageResult
	for result.Seen < in.Limit && result.Held == 0 {
		runs, err := j.Due.DueRuns(ctx, in.Campaign, in.Now, in.Limit-result.Seen)
		if err != nil {
			return result, fail(err)
		}
		if len(runs) == 0 {
			break
		}
		if err := j.batches(ctx, runs, in.Now, &result); err != nil {
			return result, fail(err)
		}
	}
	// Counting a large cohort after every page would cost more than the page: a
	// full one has more behind it as long as the campaign knows of any.
	if left := in.Pending - result.Durable - result.Ended; result.Seen == in.Limit && left > 0 {
		result.NextDue, result.Pending = in.Now, left
		return result, nil
	}
	var err error
	result.NextDue, result.Pending, err = j.Due.NextDue(ctx, in.Campaign)
	return result, fail(err)
}

// batches takes runs as far as they go now, in batches side by side. One that
// fails does not stop the others: a call to the provider that is cut off would
// leave its touch unconfirmed.
func (j *Journeys) batches(ctx context.Context, runs []ledger.Run, now time.Time, result *PageResult) error {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(pageParallel)
	for batch := range slices.Chunk(runs, pageBatch) {
		group.Go(func() error {
			part := PageResult{Seen: len(batch)}
			err := j.page(ctx, batch, now, &part)
			mu.Lock()
			defer mu.Unlock()
			result.Seen += part.Seen
			result.Sent += part.Sent
			result.Durable += part.Durable
			result.Held += part.Held
			result.Ended += part.Ended
			return err
		})
	}
	return group.Wait()
}

// page takes one batch of runs as far as it goes now.
func (j *Journeys) page(ctx context.Context, runs []ledger.Run, now time.Time, result *PageResult) error {
	steps := make([]Step, len(runs))
	for i, r := range runs {
		steps[i] = Step{RunID: r.ID, Now: now}
	}
	t, err := j.walked(ctx, steps)
	if err != nil {
		return err
	}
	ready, err := t.ready(ctx, now)
	if err != nil {
		return err
	}
	if err := t.ship(ctx, ready); err != nil {
		return err
	}
	if err := t.save(ctx); err != nil {
		return err
	}
	due := t.due(now)
	next, sent, err := j.deliver(ctx, due)
	if err != nil {
		return err
	}
	result.Sent += t.sent + sent
	at := map[lifecycle.RunID]Next{}
	for i, n := range t.next() {
		at[runs[i].ID] = n
	}
	for i, n := range next {
		at[due[i].RunID] = n
	}
	var follow []ledger.Run
	for _, r := range runs {
		switch at[r.ID].Action {
		case ActionWait:
			follow = append(follow, r)
		case ActionHold:
			if !at[r.ID].Parked {
				result.Held++
			}
		case ActionEnd:
			result.Ended++
		}
	}
	return j.follow(ctx, follow, now, result)
}

// follow starts journey workflows for runs that have to wait for something and
// only then takes them out of the campaign's hands: a crash in between starts
// them again, which is harmless.
func (j *Journeys) follow(ctx context.Context, runs []ledger.Run, now time.Time, result *PageResult) error {
	if len(runs) == 0 {
		return nil
	}
	if err := j.Starter.StartJourney(ctx, runs, now); err != nil {
		return err
	}
	ids := make([]lifecycle.RunID, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	if err := j.Due.Detach(ctx, ids); err != nil {
		return err
	}
	result.Durable += len(runs)
	return nil
}
