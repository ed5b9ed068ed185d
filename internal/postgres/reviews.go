package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// OpenReview puts an item into the review queue, once per workflow id, and adds
// the waiters to it. An item that is there already is returned with created
// false; if it has been decided, no waiters are added and its status says how.
func (s *Store) OpenReview(ctx context.Context, item lifecycle.ReviewItem, workflowID string, waiters []ledger.Waiter) (stored lifecycle.ReviewItem, created bool, err error) {
	if item.ID == "" {
		id, err := newID()
		if err != nil {
			return stored, false, err
		}
		item.ID = lifecycle.ReviewID(id)
	}
	reasons, err := json.Marshal(item.Reasons)
	if err != nil {
		return stored, false, lifecycle.Errorf(lifecycle.Invalid, "encode the reasons of a review: %w", err)
	}
	if item.Reasons == nil {
		reasons = json.RawMessage("[]")
	}
	var row dbsqlc.ReviewByWorkflowRow
	err = s.transaction(ctx, "open a review", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		n, err := q.InsertReview(ctx, dbsqlc.InsertReviewParams{ID: string(item.ID), WorkflowID: workflowID, Kind: string(item.Kind),
			CreativeID: string(item.CreativeID), ContentHash: item.Content, Journey: item.Journey, Campaign: item.Campaign,
			Reasons: reasons, Author: item.Author, OpenedAt: instant(item.OpenedAt), DueAt: instant(item.DueAt)})
		if err != nil {
			return err
		}
		created = n == 1
		standing, err := q.LockReview(ctx, workflowID)
		if err != nil {
			return err
		}
		if standing.Status == string(lifecycle.ReviewAwaiting) && len(waiters) > 0 {
			rows := make([]dbsqlc.ReviewWaiter, len(waiters))
			for i, w := range waiters {
				rows[i] = dbsqlc.ReviewWaiter{ReviewID: standing.ID, RunID: string(w.RunID), TouchID: optional(w.TouchID)}
			}
			encoded, err := batch(rows)
			if err != nil {
				return err
			}
			if err := q.AddWaiters(ctx, encoded); err != nil {
				return err
			}
		}
		row, err = q.ReviewByWorkflow(ctx, workflowID)
		return err
	})
	if err != nil {
		return stored, false, err
	}
	stored, err = reviewOf(row.Review, row.Waiting)
	return stored, created, err
}

// Review returns one item of the review queue.
func (s *Store) Review(ctx context.Context, id lifecycle.ReviewID) (lifecycle.ReviewItem, error) {
	row, err := s.q.Review(ctx, string(id))
	if err != nil {
		return lifecycle.ReviewItem{}, translate(err, "read review "+string(id))
	}
	return reviewOf(row.Review, row.Waiting)
}

// ReviewByWorkflow returns the item that a review workflow is about.
func (s *Store) ReviewByWorkflow(ctx context.Context, workflowID string) (lifecycle.ReviewItem, error) {
	row, err := s.q.ReviewByWorkflow(ctx, workflowID)
	if err != nil {
		return lifecycle.ReviewItem{}, translate(err, "read the review of workflow "+workflowID)
	}
	return reviewOf(row.Review, row.Waiting)
}

// ReviewWorkflow returns the id of the workflow that waits for a decision.
func (s *Store) ReviewWorkflow(ctx context.Context, id lifecycle.ReviewID) (workflowID string, err error) {
	row, err := s.q.Review(ctx, string(id))
	return row.Review.WorkflowID, translate(err, "read review "+string(id))
}

// Reviews returns up to limit items in a status, of all when it is empty, the
// most urgent first.
func (s *Store) Reviews(ctx context.Context, status lifecycle.ReviewStatus, limit int) ([]lifecycle.ReviewItem, error) {
	rows, err := s.q.Reviews(ctx, dbsqlc.ReviewsParams{Status: string(status), N: int32(limit)})
	if err != nil {
		return nil, translate(err, "read the review queue")
	}
	items := make([]lifecycle.ReviewItem, len(rows))
	for i, row := range rows {
		if items[i], err = reviewOf(row.Review, row.Waiting); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// DecideReview records a decision on the content with this hash, moves the
// creative with it when the review is of one, and appends a record, together.
// Deciding what is decided, or content that has changed since, is a Conflict,
// except that the same decision by the same person again is a success. Approving
// one's own copy is Forbidden; approving a person's copy without a name, Invalid.
func (s *Store) DecideReview(ctx context.Context, id lifecycle.ReviewID, status lifecycle.ReviewStatus, by, note, content string, at time.Time) error {
	switch status {
	case lifecycle.ReviewApproved, lifecycle.ReviewRejected, lifecycle.ReviewExpired:
	default:
		return lifecycle.Errorf(lifecycle.Invalid, "a review cannot be decided as %q: use approved, rejected or expired", status)
	}
	if err := s.ensure(ctx, decisionsTable, at); err != nil {
		return err
	}
	return s.transaction(ctx, "decide review "+string(id), func(q *dbsqlc.Queries, _ pgx.Tx) error {
		row, err := q.LockReviewByID(ctx, string(id))
		if err != nil {
			return err
		}
		same := row.Status == string(status) && row.DecidedBy == by && row.ContentHash == content
		switch {
		case row.Status != string(lifecycle.ReviewAwaiting) && same:
			return nil
		case row.Status != string(lifecycle.ReviewAwaiting):
			return lifecycle.Errorf(lifecycle.Conflict, "review %s was %s by %s already", id, row.Status, nameOr(row.DecidedBy, "somebody"))
		case row.ContentHash != content:
			return lifecycle.Errorf(lifecycle.Conflict, "the copy of review %s has changed since you saw it: look at it again", id)
		}
		if status == lifecycle.ReviewApproved {
			if err := mayApprove(ctx, q, row, by); err != nil {
				return err
			}
		}
		if err := q.DecideReview(ctx, dbsqlc.DecideReviewParams{ID: row.ID, Status: string(status), By: by, Note: note, At: instant(at)}); err != nil {
			return err
		}
		if status != lifecycle.ReviewExpired && row.Kind == string(lifecycle.ReviewCreative) {
			if _, err := q.SetCreativeStatus(ctx, dbsqlc.SetCreativeStatusParams{ID: row.CreativeID, Status: string(status), By: by}); err != nil {
				return err
			}
		}
		body, err := json.Marshal(map[string]string{"review": row.ID, "kind": row.Kind, "status": string(status),
			"creative": row.CreativeID, "content": row.ContentHash, "journey": row.Journey, "campaign": row.Campaign})
		if err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{{At: at, Kind: "review.decided", Actor: nameOr(by, "engine"), Subject: row.ID, Body: body}})
	})
}

func mayApprove(ctx context.Context, q *dbsqlc.Queries, row dbsqlc.Review, by string) error {
	creative, err := q.Creative(ctx, row.CreativeID)
	if err != nil {
		return err
	}
	switch {
	case by == "" && creative.Source == string(lifecycle.FromPerson):
		return lifecycle.Errorf(lifecycle.Invalid, "a person wrote this copy: approve it with your name")
	case by != "" && (by == row.Author || by == creative.Author):
		return lifecycle.Errorf(lifecycle.Forbidden, "%s wrote this copy and cannot approve it: ask somebody else", by)
	}
	return nil
}

func nameOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// ReplaceReviewed points an open review at an edited creative, which goes back
// into review unless it is approved; the copy it replaces is retired. A decided
// review is a Conflict.
func (s *Store) ReplaceReviewed(ctx context.Context, id lifecycle.ReviewID, creative lifecycle.Creative) error {
	return s.transaction(ctx, "replace the copy of review "+string(id), func(q *dbsqlc.Queries, _ pgx.Tx) error {
		row, err := q.LockReviewByID(ctx, string(id))
		if err != nil {
			return err
		}
		replaced, err := q.ReplaceReviewed(ctx, dbsqlc.ReplaceReviewedParams{ID: row.ID, CreativeID: string(creative.ID),
			ContentHash: creative.ContentHash(), Author: creative.Author})
		if err != nil {
			return err
		}
		if replaced == 0 {
			return lifecycle.Errorf(lifecycle.Conflict, "review %s was %s already: its copy cannot be edited", id, row.Status)
		}
		if row.CreativeID != string(creative.ID) {
			if err := q.RetireCreative(ctx, row.CreativeID); err != nil {
				return err
			}
		}
		return q.ReopenCreative(ctx, string(creative.ID))
	})
}

// EscalateReview remembers that nobody decided in time; the first time counts.
func (s *Store) EscalateReview(ctx context.Context, id lifecycle.ReviewID, at time.Time) error {
	n, err := s.q.EscalateReview(ctx, dbsqlc.EscalateReviewParams{ID: string(id), At: instant(at)})
	if err == nil && n == 0 {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no review %s", id)
	}
	return translate(err, "escalate review "+string(id))
}

// Waiters returns up to limit runs that wait for a review, by run id after the
// given one.
func (s *Store) Waiters(ctx context.Context, id lifecycle.ReviewID, limit int, after lifecycle.RunID) ([]ledger.Waiter, error) {
	rows, err := s.q.Waiters(ctx, dbsqlc.WaitersParams{ID: string(id), After: orNoID(after), N: int32(limit)})
	if err != nil {
		return nil, translate(err, "read who waits for review "+string(id))
	}
	waiters := make([]ledger.Waiter, len(rows))
	for i, row := range rows {
		waiters[i] = ledger.Waiter{RunID: lifecycle.RunID(row.RunID), TouchID: given[lifecycle.TouchID](row.TouchID)}
	}
	return waiters, nil
}

// ReleaseWaiters gives touches that are in review back to their runs, planned
// when the review was approved and rejected otherwise, and makes waiting runs
// without a workflow due. Repeating it changes nothing.
func (s *Store) ReleaseWaiters(ctx context.Context, id lifecycle.ReviewID, waiters []ledger.Waiter, approved bool, at time.Time) error {
	if err := s.ensure(ctx, historyTable, at); err != nil {
		return err
	}
	var touches, runs []string
	for _, w := range waiters {
		runs = append(runs, string(w.RunID))
		if w.TouchID != "" {
			touches = append(touches, string(w.TouchID))
		}
	}
	state, reason := lifecycle.TouchPlanned, "approved in review "+string(id)
	if !approved {
		state, reason = lifecycle.TouchRejected, "not approved in review "+string(id)
	}
	return s.transaction(ctx, "release what waited for review "+string(id), func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := q.ReleaseTouches(ctx, dbsqlc.ReleaseTouchesParams{Ids: touches, State: string(state), Reason: reason, At: instant(at)}); err != nil {
			return err
		}
		return q.ReleaseRuns(ctx, dbsqlc.ReleaseRunsParams{Ids: runs, At: instant(at)})
	})
}

// TouchReviewed reports whether a person approved this touch as it is now.
func (s *Store) TouchReviewed(ctx context.Context, id lifecycle.TouchID) (bool, error) {
	reviewed, err := s.q.TouchReviewed(ctx, string(id))
	return reviewed, translate(err, "look for the review of touch "+string(id))
}

func reviewOf(row dbsqlc.Review, waiting int32) (lifecycle.ReviewItem, error) {
	item := lifecycle.ReviewItem{ID: lifecycle.ReviewID(row.ID), WorkflowID: row.WorkflowID, Kind: lifecycle.ReviewKind(row.Kind),
		CreativeID: lifecycle.CreativeID(row.CreativeID), Content: row.ContentHash, Journey: row.Journey, Campaign: row.Campaign,
		Author: row.Author, Status: lifecycle.ReviewStatus(row.Status), DecidedBy: row.DecidedBy, Note: row.Note,
		OpenedAt: row.OpenedAt.UTC(), DueAt: row.DueAt.UTC(), DecidedAt: moment(row.DecidedAt),
		EscalatedAt: moment(row.EscalatedAt), Waiting: int(waiting)}
	if err := json.Unmarshal(row.Reasons, &item.Reasons); err != nil {
		return item, lifecycle.Errorf(lifecycle.Internal, "decode the reasons of review %s: %w", row.ID, err)
	}
	return item, nil
}
