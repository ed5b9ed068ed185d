package activities

import (
	"context"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Reviews serves the review workflow: it shows what is to be judged, records
// the decision and releases what waited for it.
type Reviews struct {
	Reviews   ReviewStore
	Creatives CreativeStore
	Runs      RunStore
	Renderer  Renderer
	Links     Links
	Brand     *brand.Brand
	Policy    *guardrails.Policy
	Starter   Starter
	Now       func() time.Time // business clock, for waking runs and judging edits
}

// Brief is what a reviewer has to see, as Markdown for the Temporal UI.
type Brief struct {
	Title    string `json:"title"`
	Markdown string `json:"markdown"`
	Content  string `json:"content"` // hash that a decision is bound to
	Author   string `json:"author"`
	Person   bool   `json:"person"` // a person wrote it: a decision needs a name

	Status    lifecycle.ReviewStatus `json:"status"`
	DecidedBy string                 `json:"decided_by,omitempty"`
	DueAt     time.Time              `json:"due_at"`
}

// ReviewID names one review.
type ReviewID struct {
	ID lifecycle.ReviewID `json:"id"`
}

// Brief describes a review: the copy rendered for a made-up customer, the
// reasons, and what to paste.
func (r *Reviews) Brief(ctx context.Context, in ReviewID) (Brief, error) {
	item, err := r.Reviews.Review(ctx, in.ID)
	if err != nil {
		return Brief{}, fail(err)
	}
	creative, err := r.Creatives.Creative(ctx, item.CreativeID)
	if err != nil {
		return Brief{}, fail(err)
	}
	markdown, err := r.markdown(item, creative)
	if err != nil {
		return Brief{}, fail(err)
	}
	return Brief{
		Title: title(item, creative), Markdown: markdown, Content: item.Content, Author: item.Author,
		Person: creative.Source == lifecycle.FromPerson, Status: item.Status, DecidedBy: item.DecidedBy, DueAt: item.DueAt,
	}, nil
}

// DecideInput is a person's decision.
type DecideInput struct {
	ID      lifecycle.ReviewID     `json:"id"`
	Status  lifecycle.ReviewStatus `json:"status"`
	By      string                 `json:"by"`
	Note    string                 `json:"note,omitempty"`
	Content string                 `json:"content"` // the hash the reviewer saw
	At      time.Time              `json:"at"`      // wall-clock instant
}

// Decided answers a decision. A refusal is not an error: the review goes on and
// the reviewer is told why.
type Decided struct {
	Done    bool   `json:"done"`
	Refused string `json:"refused,omitempty"`
}

// Decide records a decision. It refuses the author of the copy, a missing name
// where a person wrote the copy, and a decision on copy that changed since.
func (r *Reviews) Decide(ctx context.Context, in DecideInput) (Decided, error) {
	err := r.Reviews.DecideReview(ctx, in.ID, in.Status, in.By, in.Note, in.Content, in.At)
	switch lifecycle.CodeOf(err) {
	case "":
		return Decided{Done: true}, nil
	case lifecycle.Forbidden, lifecycle.Invalid:
		return Decided{Refused: err.Error()}, nil
	case lifecycle.Conflict:
		item, readErr := r.Reviews.Review(ctx, in.ID)
		if readErr != nil {
			return Decided{}, fail(readErr)
		}
		if item.Status == in.Status && item.DecidedBy == in.By {
			return Decided{Done: true}, nil // our own earlier attempt
		}
		return Decided{Done: item.Status != lifecycle.ReviewAwaiting, Refused: err.Error()}, nil
	}
	return Decided{}, fail(err)
}

// EditInput replaces the copy under review.
type EditInput struct {
	ID    lifecycle.ReviewID `json:"id"`
	By    string             `json:"by"`
	Parts lifecycle.Parts    `json:"parts"` // empty parts keep what is there
}

// Edit stores changed copy as a new creative by this person and points the
// review at it: any approval so far is void and somebody else has to approve.
// Copy that a guardrail would block is refused with the reason.
func (r *Reviews) Edit(ctx context.Context, in EditInput) (Decided, error) {
	if in.By == "" {
		return Decided{Refused: "an edit needs your name: add \"by\" to the payload"}, nil
	}
	if in.Parts == (lifecycle.Parts{}) {
		return Decided{Refused: "an edit needs at least one part: subject, preheader, text or html"}, nil
	}
	item, err := r.Reviews.Review(ctx, in.ID)
	if err != nil {
		return Decided{}, fail(err)
	}
	if item.Kind != lifecycle.ReviewCreative {
		return Decided{Refused: "only creatives can be edited; reject this touch instead"}, nil
	}
	creative, err := r.Creatives.Creative(ctx, item.CreativeID)
	if err != nil {
		return Decided{}, fail(err)
	}
	creative.Parts = merge(creative.Parts, in.Parts)
	creative.ID, creative.Source, creative.Author, creative.Status, creative.CreatedAt = "", lifecycle.FromPerson, in.By, lifecycle.CreativeInReview, r.Now()
	if verdict := r.verdict(creative); verdict.Outcome == lifecycle.Block {
		return Decided{Refused: "this edit cannot be sent: " + verdict.Reason()}, nil
	}
	stored, err := r.Creatives.SaveCreatives(ctx, []lifecycle.Creative{creative})
	if err != nil {
		return Decided{}, fail(err)
	}
	if err := r.Reviews.ReplaceReviewed(ctx, in.ID, stored[0]); err != nil {
		return Decided{}, fail(err)
	}
	return Decided{Done: true}, nil
}

// merge lays changed parts over the existing ones.
func merge(old, changed lifecycle.Parts) lifecycle.Parts {
	keep := func(old, changed string) string {
		if changed != "" {
			return changed
		}
		return old
	}
	return lifecycle.Parts{
		Subject: keep(old.Subject, changed.Subject), Preheader: keep(old.Preheader, changed.Preheader),
		HTML: keep(old.HTML, changed.HTML), Text: keep(old.Text, changed.Text),
	}
}

// Escalate records that nobody decided in time.
func (r *Reviews) Escalate(ctx context.Context, in ReviewID) error {
	return fail(r.Reviews.EscalateReview(ctx, in.ID, time.Now().UTC()))
}

// ReleaseInput asks to release a page of what waited for a decided review.
type ReleaseInput struct {
	ID    lifecycle.ReviewID `json:"id"`
	After lifecycle.RunID    `json:"after,omitempty"`
}

// Released says how far a release came; an empty After means it is complete.
type Released struct {
	Count int             `json:"count"`
	After lifecycle.RunID `json:"after,omitempty"`
}

// releasePage is how many waiting runs are released by one activity call.
const releasePage = 500

// Release gives waiting touches back to their runs and wakes those that have a
// workflow of their own.
func (r *Reviews) Release(ctx context.Context, in ReleaseInput) (Released, error) {
	defer alive(ctx)()
	item, err := r.Reviews.Review(ctx, in.ID)
	if err != nil {
		return Released{}, fail(err)
	}
	if in.After == "" && item.Kind == lifecycle.ReviewCreative && item.Status == lifecycle.ReviewExpired {
		if err := retire(ctx, r.Creatives, item.CreativeID, item); err != nil {
			return Released{}, fail(err)
		}
	}
	if in.After == "" && item.Campaign != "" {
		if err := r.Starter.WakeCampaigns(ctx, []string{item.Campaign}, "copy "+string(item.Status)); err != nil {
			return Released{}, fail(err)
		}
	}
	waiters, err := r.Reviews.Waiters(ctx, in.ID, releasePage, in.After)
	if err != nil || len(waiters) == 0 {
		return Released{}, fail(err)
	}
	now := r.Now()
	if err := r.Reviews.ReleaseWaiters(ctx, in.ID, waiters, item.Status == lifecycle.ReviewApproved, now); err != nil {
		return Released{}, fail(err)
	}
	var ids []lifecycle.RunID
	for _, w := range waiters {
		ids = append(ids, w.RunID)
	}
	if err := wake(ctx, r.Runs, r.Starter, ids, now, SignalReviewDecided, "review "+string(item.Status)); err != nil {
		return Released{}, fail(err)
	}
	released := Released{Count: len(waiters)}
	if len(waiters) == releasePage {
		released.After = waiters[len(waiters)-1].RunID
	}
	return released, nil
}
