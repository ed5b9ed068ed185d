package activities

import (
	"context"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// RunStore reads and moves runs.
type RunStore interface {
	// Situations reads runs with everything decisions depend on, in one
	// snapshot, in the order asked for.
	Situations(ctx context.Context, runs []lifecycle.RunID, now time.Time) ([]ledger.Situation, error)
	// SavePlans stores touches, progress and decision records in one transaction.
	SavePlans(ctx context.Context, plans []ledger.Plan, records []ledger.Record) error
	MoveRuns(ctx context.Context, progress []ledger.Progress, records []ledger.Record) error
	// Admission returns what the rollouts in force hold back of these runs.
	Admission(ctx context.Context, runs []lifecycle.RunID, now time.Time) (ledger.Admission, error)
}

// Ledger is the send ledger.
type Ledger interface {
	// Reserve gives touches their place in the ledger and their cap slots and
	// marks them as being sent, all in one transaction: the provider must be
	// called, once, for those granted and for no other.
	Reserve(ctx context.Context, batch []ledger.Reservation) ([]ledger.Reserved, error)
	// Settle stores the provider's answers with the progress of the runs and the
	// records, in one transaction.
	Settle(ctx context.Context, batch []ledger.Settlement, moves []ledger.Progress, records []ledger.Record) error
	// ExpireSending settles touches whose attempt died in the provider call.
	ExpireSending(ctx context.Context, olderThan, at time.Time) ([]lifecycle.TouchID, error)
}

// CreativeStore keeps creatives.
type CreativeStore interface {
	Creatives(ctx context.Context, slots []string) ([]lifecycle.Creative, error)
	Creative(ctx context.Context, id lifecycle.CreativeID) (lifecycle.Creative, error)
	SaveCreatives(ctx context.Context, creatives []lifecycle.Creative) ([]lifecycle.Creative, error)
	SetCreativeStatus(ctx context.Context, id lifecycle.CreativeID, status lifecycle.CreativeStatus, by string) error
}

// ReviewStore keeps the review queue.
type ReviewStore interface {
	OpenReview(ctx context.Context, item lifecycle.ReviewItem, workflowID string, waiters []ledger.Waiter) (lifecycle.ReviewItem, bool, error)
	Review(ctx context.Context, id lifecycle.ReviewID) (lifecycle.ReviewItem, error)
	DecideReview(ctx context.Context, id lifecycle.ReviewID, status lifecycle.ReviewStatus, by, note, content string, at time.Time) error
	// ReplaceReviewed points an open review at an edited creative.
	ReplaceReviewed(ctx context.Context, id lifecycle.ReviewID, creative lifecycle.Creative) error
	EscalateReview(ctx context.Context, id lifecycle.ReviewID, at time.Time) error
	Waiters(ctx context.Context, id lifecycle.ReviewID, limit int, after lifecycle.RunID) ([]ledger.Waiter, error)
	// ReleaseWaiters gives touches that waited for the review back to their
	// runs: planned when approved, rejected otherwise; pending runs become due.
	ReleaseWaiters(ctx context.Context, id lifecycle.ReviewID, waiters []ledger.Waiter, approved bool, at time.Time) error
	// TouchReviewed reports whether a person approved this touch.
	TouchReviewed(ctx context.Context, id lifecycle.TouchID) (bool, error)
}

// Controls tells what is paused or halted.
type Controls interface {
	Controls(ctx context.Context) ([]ledger.Control, error)
}

// EvidenceStore keeps response counts.
type EvidenceStore interface {
	Evidence(ctx context.Context) ([]ledger.ResponseCell, error)
	RefreshEvidence(ctx context.Context, now time.Time, window time.Duration) error
}

// Definitions resolves journey definitions; they never change under a version.
type Definitions interface {
	Definition(ctx context.Context, name string, version int) (*journey.Definition, error)
}

// Provider delivers messages of one channel.
type Provider = channel.Provider

// Renderer turns a creative into a customer's message parts.
type Renderer interface {
	Render(creative lifecycle.Creative, fields copywriter.Fields) (lifecycle.Parts, error)
}

// Writer writes creatives for a brief.
type Writer interface {
	Write(ctx context.Context, brief copywriter.Brief) ([]lifecycle.Creative, error)
}

// Starter starts and wakes workflows by their business ids. All calls are
// idempotent: an already running workflow is success.
type Starter interface {
	StartJourney(ctx context.Context, runs []ledger.Run, now time.Time) error
	StartReview(ctx context.Context, item lifecycle.ReviewItem) error
	// Wake tells journey workflows to look again; reason is shown in history.
	Wake(ctx context.Context, runs []ledger.Run, signal, reason string) error
	// WakeCampaigns tells campaign workflows that a review was decided; one that
	// has ended is success.
	WakeCampaigns(ctx context.Context, names []string, reason string) error
}

// Links makes the signed links that go into messages.
type Links interface {
	Unsubscribe(customer lifecycle.CustomerID, channel lifecycle.Channel) string
	// Confirm confirms a pending consent, as long as the address stays what it is.
	Confirm(customer lifecycle.CustomerID, channel lifecycle.Channel, address string) string
}
