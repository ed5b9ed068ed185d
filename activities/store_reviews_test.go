package activities_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// The review queue and the creatives of the store in memory.

func (s *store) Creatives(_ context.Context, slots []string) ([]lifecycle.Creative, error) {
	unlock, err := s.enter("Creatives")
	defer unlock()
	var found []lifecycle.Creative
	for _, c := range s.creatives {
		if slices.Contains(slots, c.Slot) {
			found = append(found, c)
		}
	}
	return found, err
}

func (s *store) Creative(_ context.Context, id lifecycle.CreativeID) (lifecycle.Creative, error) {
	unlock, err := s.enter("Creative")
	defer unlock()
	i := slices.IndexFunc(s.creatives, func(c lifecycle.Creative) bool { return c.ID == id })
	if i < 0 {
		return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.NotFound, "there is no creative %s", id)
	}
	return s.creatives[i], err
}

func (s *store) SaveCreatives(_ context.Context, creatives []lifecycle.Creative) ([]lifecycle.Creative, error) {
	unlock, err := s.enter("SaveCreatives")
	defer unlock()
	for i := range creatives {
		if creatives[i].ID == "" {
			creatives[i].ID = lifecycle.CreativeID(fmt.Sprintf("creative-%d", len(s.creatives)+1))
		}
		s.creatives = append(s.creatives, creatives[i])
	}
	return creatives, err
}

func (s *store) SetCreativeStatus(_ context.Context, id lifecycle.CreativeID, status lifecycle.CreativeStatus, by string) error {
	unlock, err := s.enter("SetCreativeStatus")
	defer unlock()
	for i := range s.creatives {
		if s.creatives[i].ID == id {
			s.creatives[i].Status = status
			if status == lifecycle.CreativeApproved {
				s.creatives[i].ApprovedBy = by
			}
		}
	}
	return err
}

func (s *store) OpenReview(_ context.Context, item lifecycle.ReviewItem, workflowID string, waiters []ledger.Waiter) (lifecycle.ReviewItem, bool, error) {
	unlock, err := s.enter("OpenReview")
	defer unlock()
	i := slices.IndexFunc(s.reviews, func(r *lifecycle.ReviewItem) bool { return r.WorkflowID == workflowID })
	if i < 0 {
		item.ID, item.WorkflowID = lifecycle.ReviewID(fmt.Sprintf("review-%d", len(s.reviews)+1)), workflowID
		i, s.reviews = len(s.reviews), append(s.reviews, &item)
	}
	standing := s.reviews[i]
	if standing.Status == lifecycle.ReviewAwaiting {
		for _, w := range waiters {
			if !slices.Contains(s.waiters[standing.ID], w) {
				s.waiters[standing.ID] = append(s.waiters[standing.ID], w)
			}
		}
	}
	return *standing, standing == &item, err
}

func (s *store) review(id lifecycle.ReviewID) (*lifecycle.ReviewItem, error) {
	for _, r := range s.reviews {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, lifecycle.Errorf(lifecycle.NotFound, "there is no review %s", id)
}

func (s *store) Review(_ context.Context, id lifecycle.ReviewID) (lifecycle.ReviewItem, error) {
	unlock, failed := s.enter("Review")
	defer unlock()
	if failed != nil {
		return lifecycle.ReviewItem{}, failed
	}
	r, err := s.review(id)
	if err != nil {
		return lifecycle.ReviewItem{}, err
	}
	return *r, nil
}

func (s *store) DecideReview(_ context.Context, id lifecycle.ReviewID, status lifecycle.ReviewStatus, by, note, content string, at time.Time) error {
	unlock, failed := s.enter("DecideReview")
	defer unlock()
	if failed != nil {
		return failed
	}
	r, err := s.review(id)
	switch {
	case err != nil:
		return err
	case r.Status != lifecycle.ReviewAwaiting:
		return lifecycle.Errorf(lifecycle.Conflict, "review %s was %s already", id, r.Status)
	case r.Content != content:
		return lifecycle.Errorf(lifecycle.Conflict, "the copy of review %s has changed", id)
	case status == lifecycle.ReviewApproved && by == r.Author:
		return lifecycle.Errorf(lifecycle.Forbidden, "%s wrote this copy and cannot approve it", by)
	}
	r.Status, r.DecidedBy, r.Note, r.DecidedAt = status, by, note, at
	for i := range s.creatives {
		if r.Kind == lifecycle.ReviewCreative && s.creatives[i].ID == r.CreativeID && status != lifecycle.ReviewExpired {
			s.creatives[i].Status = lifecycle.CreativeStatus(status)
		}
	}
	return nil
}

func (s *store) ReplaceReviewed(_ context.Context, id lifecycle.ReviewID, c lifecycle.Creative) error {
	unlock, failed := s.enter("ReplaceReviewed")
	defer unlock()
	if failed != nil {
		return failed
	}
	r, err := s.review(id)
	if err == nil {
		r.CreativeID, r.Content, r.Author = c.ID, c.ContentHash(), c.Author
	}
	return err
}

func (s *store) EscalateReview(_ context.Context, id lifecycle.ReviewID, at time.Time) error {
	unlock, failed := s.enter("EscalateReview")
	defer unlock()
	if failed != nil {
		return failed
	}
	r, err := s.review(id)
	if err == nil {
		r.EscalatedAt = at
	}
	return err
}

func (s *store) Waiters(_ context.Context, id lifecycle.ReviewID, limit int, after lifecycle.RunID) ([]ledger.Waiter, error) {
	unlock, err := s.enter("Waiters")
	defer unlock()
	waiters := slices.DeleteFunc(slices.Clone(s.waiters[id]), func(w ledger.Waiter) bool { return w.RunID <= after })
	slices.SortFunc(waiters, func(a, b ledger.Waiter) int { return compare(a.RunID, b.RunID) })
	return waiters[:min(limit, len(waiters))], err
}

func compare(a, b lifecycle.RunID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *store) ReleaseWaiters(_ context.Context, _ lifecycle.ReviewID, waiters []ledger.Waiter, approved bool, at time.Time) error {
	unlock, err := s.enter("ReleaseWaiters")
	defer unlock()
	for _, w := range waiters {
		if t := s.touches[w.TouchID]; t != nil && t.State == lifecycle.TouchInReview {
			t.State = lifecycle.TouchRejected
			if approved {
				t.State = lifecycle.TouchPlanned
			}
		}
		if r := s.runs[w.RunID]; r.Status == ledger.RunPending {
			r.DueAt = at
		}
	}
	return err
}

func (s *store) TouchReviewed(_ context.Context, id lifecycle.TouchID) (bool, error) {
	unlock, err := s.enter("TouchReviewed")
	defer unlock()
	for _, r := range s.reviews {
		if r.Status == lifecycle.ReviewApproved && r.Content == s.touches[id].Content && r.Kind == lifecycle.ReviewTouch {
			return true, err
		}
	}
	return false, err
}
