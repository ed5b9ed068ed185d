package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// ask is a review that a passage needs.
type ask struct {
	kind     lifecycle.ReviewKind
	touch    lifecycle.Touch
	creative lifecycle.Creative  // with ReviewCreative
	reasons  []lifecycle.Finding // unknown when a touch is asked for again
}

// awaitCopy handles a touch step without approved copy: while a person still
// has to decide on some, the run waits for that; otherwise the touch is skipped
// with the reason, and the run goes on.
func (p *passage) awaitCopy(step journey.Step, touch lifecycle.Touch) (blocked bool, err error) {
	waiting := 0
	for _, c := range p.creatives[step.Touch.Slot] {
		if c.Status == lifecycle.CreativeDraft || c.Status == lifecycle.CreativeInReview {
			p.asks = append(p.asks, ask{kind: lifecycle.ReviewCreative, touch: touch, creative: c})
			waiting++
		}
	}
	if waiting == 0 {
		return p.close(touch, lifecycle.TouchSkipped, fmt.Sprintf("no copy: slot %s has none that is approved; `touchstone journey apply` writes it and puts it into review", step.Touch.Slot), lifecycle.Decision{}, lifecycle.Verdict{})
	}
	p.next = Next{Action: ActionReview, Step: step.ID, Reason: fmt.Sprintf("copy for slot %s awaits approval", step.Touch.Slot)}
	p.idle()
	return true, nil
}

// openReviews puts what the passage asks for into the review queue. Touches
// with identical content and reasons share one item; one that was decided
// before answers at once.
func (p *passage) openReviews(ctx context.Context) error {
	for _, a := range p.asks {
		item := lifecycle.ReviewItem{
			Kind: a.kind, Journey: a.touch.Journey, Campaign: a.touch.Campaign, Reasons: a.reasons,
			OpenedAt: time.Now().UTC(), DueAt: time.Now().UTC().Add(p.ReviewSLA), Status: lifecycle.ReviewAwaiting,
		}
		waiter := ledger.Waiter{RunID: p.sit.Run.ID}
		var workflowID string
		if a.kind == lifecycle.ReviewCreative {
			item.CreativeID, item.Content, item.Author = a.creative.ID, a.creative.ContentHash(), a.creative.Author
			workflowID = CreativeReviewID(a.creative)
		} else {
			item.CreativeID, item.Content = a.touch.CreativeID, a.touch.Content
			waiter.TouchID = a.touch.ID
			if len(a.reasons) == 0 {
				item.Reasons = []lifecycle.Finding{{Rule: "review", Outcome: lifecycle.Review, Reason: a.touch.Reason}}
			}
			workflowID = touchReviewID(a.touch)
		}
		item, _, err := p.Reviews.OpenReview(ctx, item, workflowID, []ledger.Waiter{waiter})
		if err != nil {
			return err
		}
		if item.Status != lifecycle.ReviewAwaiting {
			if err := p.decided(ctx, a, item, waiter); err != nil {
				return err
			}
			continue
		}
		if err := p.Starter.StartReview(ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// decided applies an earlier decision on the same content and reasons.
func (p *passage) decided(ctx context.Context, a ask, item lifecycle.ReviewItem, waiter ledger.Waiter) error {
	if waiter.TouchID == "" {
		if err := retire(ctx, p.Creatives, a.creative.ID, item); err != nil {
			return err
		}
		p.next.Action, p.next.At = ActionWait, p.now
		return nil
	}
	approved := item.Status == lifecycle.ReviewApproved
	if err := p.Reviews.ReleaseWaiters(ctx, item.ID, []ledger.Waiter{waiter}, approved, p.now); err != nil {
		return err
	}
	p.next = Next{Action: ActionWait, Step: p.next.Step, At: p.now, Reason: "decided before: " + string(item.Status)}
	return nil
}

// retire takes a creative out of use whose content was decided on before and
// not approved, or approved as another creative, so that nobody waits for it any
// longer. The creative that was approved itself stays.
func retire(ctx context.Context, creatives CreativeStore, id lifecycle.CreativeID, item lifecycle.ReviewItem) error {
	switch {
	case item.Status == lifecycle.ReviewApproved && item.CreativeID == id:
		return nil
	case item.Status == lifecycle.ReviewRejected:
		return creatives.SetCreativeStatus(ctx, id, lifecycle.CreativeRejected, item.DecidedBy)
	}
	return creatives.SetCreativeStatus(ctx, id, lifecycle.CreativeRetired, item.DecidedBy)
}

// CreativeReviewID is the workflow id of the review of a creative: readable,
// and bound to the content.
func CreativeReviewID(c lifecycle.Creative) string {
	return fmt.Sprintf("review/creative/%s/%s/%s", c.Slot, c.Channel, c.ContentHash()[:12])
}

// touchReviewID is shared by all touches of a step with the same content and
// the same objections. Both stand in the ledger, so asking again means the same
// review.
func touchReviewID(t lifecycle.Touch) string {
	sum := sha256.Sum256([]byte(t.Content + "\n" + t.Reason))
	return fmt.Sprintf("review/touch/%s/%s/%s", t.Journey, t.Step, hex.EncodeToString(sum[:])[:12])
}

// objections are all findings that ask for a person, in words.
func objections(v lifecycle.Verdict) string {
	var all []string
	for _, f := range v.Findings {
		if f.Outcome == lifecycle.Review {
			all = append(all, fmt.Sprintf("%s: %s (seen %s)", f.Rule, f.Reason, f.Value))
		}
	}
	return strings.Join(all, "; ")
}
