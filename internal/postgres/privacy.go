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

// AcceptErasure records that a customer is to be erased, and from its commit on
// nothing is sent to them any more: the addresses are suppressed by their hash,
// planned touches closed, the customer marked as erased, all in one transaction with
// the record in the decision log. The erasure itself is for the workflow to do.
// Asking again returns the first request. An unknown customer is NotFound.
func (s *Store) AcceptErasure(ctx context.Context, r ledger.PrivacyRequest) (accepted ledger.PrivacyRequest, err error) {
	if r.By == "" {
		return accepted, lifecycle.Errorf(lifecycle.Invalid, "say who asks for the erasure: it goes into the decision log")
	}
	if r.ID, err = newID(); err != nil {
		return accepted, err
	}
	if err := s.ensure(ctx, historyTable, r.RequestedAt); err != nil {
		return accepted, err
	}
	if err := s.ensure(ctx, decisionsTable, r.RequestedAt); err != nil {
		return accepted, err
	}
	at, customer := instant(r.RequestedAt), string(r.CustomerID)
	err = s.transaction(ctx, "accept the erasure of customer "+customer, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		// The same lock as every reservation: one that was granted before is sent.
		if err := lock(ctx, q, "customer", r.CustomerID); err != nil {
			return err
		}
		if err := q.SuppressErased(ctx, dbsqlc.SuppressErasedParams{ID: customer, At: at}); err != nil {
			return err
		}
		if _, err := q.AcceptErasure(ctx, dbsqlc.AcceptErasureParams{ID: customer, At: at}); err != nil {
			return err
		}
		row, err := q.AddPrivacyRequest(ctx, dbsqlc.AddPrivacyRequestParams{ID: r.ID, Kind: string(ledger.PrivacyErase), CustomerID: customer,
			Reason: r.Reason, By: r.By, RequestedAt: at})
		if err != nil {
			return err
		}
		accepted = privacyOf(row)
		if accepted.ID != r.ID {
			return nil
		}
		if err := q.CloseOpenTouches(ctx, dbsqlc.CloseOpenTouchesParams{ID: customer, At: at, Reason: "the customer asked to be erased"}); err != nil {
			return err
		}
		body, err := json.Marshal(map[string]string{"request": r.ID})
		if err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{{At: r.RequestedAt, Kind: "privacy.erasure_accepted", Actor: r.By,
			CustomerID: r.CustomerID, Subject: customer, Body: body}})
	})
	return accepted, err
}

// FinishPrivacy stores the receipt of a request with its record in the decision
// log. What was finished before stays as it is; then the receipt is added to.
func (s *Store) FinishPrivacy(ctx context.Context, r ledger.PrivacyRequest) error {
	if err := s.ensure(ctx, decisionsTable, r.DoneAt); err != nil {
		return err
	}
	return s.transaction(ctx, "finish a privacy request", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		fresh, err := q.FinishPrivacyRequest(ctx, dbsqlc.FinishPrivacyRequestParams{ID: r.ID, DoneAt: instant(r.DoneAt), Receipt: r.Receipt})
		if err != nil {
			return err
		}
		if fresh == 0 {
			return q.AmendReceipt(ctx, dbsqlc.AmendReceiptParams{ID: r.ID, Receipt: r.Receipt})
		}
		row, err := q.PrivacyRequest(ctx, r.ID)
		if err != nil {
			return err
		}
		kind := map[ledger.PrivacyKind]string{ledger.PrivacyErase: "customer.erased", ledger.PrivacyExport: "customer.exported"}
		return appendRecords(ctx, q, []ledger.Record{{At: r.DoneAt, Kind: kind[ledger.PrivacyKind(row.Kind)], Actor: row.By,
			CustomerID: lifecycle.CustomerID(row.CustomerID), Subject: row.CustomerID, Body: r.Receipt}})
	})
}

// PrivacyRequest returns a request with its receipt.
func (s *Store) PrivacyRequest(ctx context.Context, id string) (ledger.PrivacyRequest, error) {
	row, err := s.q.PrivacyRequest(ctx, id)
	if err != nil {
		return ledger.PrivacyRequest{}, translate(err, "read privacy request "+id)
	}
	return privacyOf(row), nil
}

// PrivacyRequests returns the latest requests, the latest first.
func (s *Store) PrivacyRequests(ctx context.Context, limit int) ([]ledger.PrivacyRequest, error) {
	rows, err := s.q.PrivacyRequests(ctx, int32(limit))
	return privacyList(rows), translate(err, "list privacy requests")
}

// OpenErasures returns erasures that were accepted before a real instant and are
// not done, the oldest first: their workflow may never have been started.
func (s *Store) OpenErasures(ctx context.Context, before time.Time, limit int) ([]ledger.PrivacyRequest, error) {
	rows, err := s.q.OpenErasures(ctx, dbsqlc.OpenErasuresParams{Before: before.UTC(), N: int32(limit)})
	return privacyList(rows), translate(err, "list open erasures")
}

// CountRunning counts a customer's runs whose workflow has not ended.
func (s *Store) CountRunning(ctx context.Context, customer lifecycle.CustomerID) (int, error) {
	n, err := s.q.CountRunning(ctx, string(customer))
	return int(n), translate(err, "count running journeys")
}

func privacyList(rows []dbsqlc.PrivacyRequest) []ledger.PrivacyRequest {
	list := make([]ledger.PrivacyRequest, len(rows))
	for i, row := range rows {
		list[i] = privacyOf(row)
	}
	return list
}

func privacyOf(row dbsqlc.PrivacyRequest) ledger.PrivacyRequest {
	return ledger.PrivacyRequest{ID: row.ID, Kind: ledger.PrivacyKind(row.Kind), CustomerID: lifecycle.CustomerID(row.CustomerID), Reason: row.Reason,
		By: row.By, RequestedAt: row.RequestedAt.UTC(), RecordedAt: row.RecordedAt.UTC(), DoneAt: moment(row.DoneAt), Receipt: row.Receipt}
}

// Erased returns the erasure of the customer who had this external id, NotFound when
// nobody had it or nobody asked.
func (s *Store) Erased(ctx context.Context, externalID string) (ledger.PrivacyRequest, error) {
	row, err := s.q.ErasedByExternalID(ctx, externalID)
	if err != nil {
		return ledger.PrivacyRequest{}, translate(err, "look for an erasure")
	}
	return privacyOf(row), nil
}
