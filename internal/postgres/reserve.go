package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Reserve gives each touch its place in the ledger and its cap slots, in one
// transaction that excludes every other reservation for the same customers:
// whatever runs at the same time, no cap is exceeded. Results come in the order
// asked. Two touches of one customer in a batch, or a touch of another customer
// than said, are Invalid; an unknown touch is NotFound; then nothing is reserved.
func (s *Store) Reserve(ctx context.Context, asked []ledger.Reservation) ([]ledger.Reserved, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	touches, customers := make([]lifecycle.TouchID, len(asked)), make([]lifecycle.CustomerID, len(asked))
	ats := make([]time.Time, len(asked))
	seen := map[lifecycle.CustomerID]bool{}
	for i, r := range asked {
		if seen[r.CustomerID] {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "customer %s has two touches in one reservation: reserve them one after the other", r.CustomerID)
		}
		seen[r.CustomerID] = true
		touches[i], customers[i], ats[i] = r.TouchID, r.CustomerID, r.At
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return nil, err
	}
	var results []ledger.Reserved
	err := s.transaction(ctx, "reserve touches", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := lock(ctx, q, "customer", customers...); err != nil {
			return err
		}
		standing, err := lockTouches(ctx, q, touches)
		if err != nil {
			return err
		}
		results, err = reserveLocked(ctx, q, asked, standing)
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func reserveLocked(ctx context.Context, q *dbsqlc.Queries, asked []ledger.Reservation,
	standing map[lifecycle.TouchID]dbsqlc.LockTouchesRow) ([]ledger.Reserved, error) {
	results := make([]ledger.Reserved, len(asked))
	var params dbsqlc.ReserveTouchesParams
	for i, r := range asked {
		row := standing[r.TouchID]
		if row.CustomerID != string(r.CustomerID) {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "touch %s belongs to another customer than %s", r.TouchID, r.CustomerID)
		}
		state := lifecycle.TouchState(row.State)
		results[i] = ledger.Reserved{TouchID: r.TouchID, State: state}
		switch state {
		case lifecycle.TouchPlanned, lifecycle.TouchInReview, lifecycle.TouchDeferred:
		case lifecycle.TouchReserved:
			results[i].Result = ledger.AlreadyReserved
			continue
		case lifecycle.TouchSending:
			results[i].Result = ledger.InFlight
			continue
		default:
			results[i].Result = ledger.Closed
			continue
		}
		if err := addReservation(&params, r); err != nil {
			return nil, err
		}
	}
	if len(params.Ids) == 0 {
		return results, nil
	}
	rows, err := q.ReserveTouches(ctx, params)
	if err != nil {
		return nil, err
	}
	caps := make(map[string]string, len(rows))
	for _, row := range rows {
		caps[row.ID] = row.Cap
	}
	for i := range results {
		if results[i].Result != "" {
			continue
		}
		if full := caps[string(results[i].TouchID)]; full != "" {
			results[i].Result, results[i].Cap = ledger.CapFull, full
			continue
		}
		results[i].Result, results[i].State = ledger.Granted, lifecycle.TouchReserved
	}
	return results, nil
}

func addReservation(params *dbsqlc.ReserveTouchesParams, r ledger.Reservation) error {
	caps := slices.Clone(r.Caps)
	for i := range caps {
		caps[i].Since = instant(caps[i].Since)
		if caps[i].Cap == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "a cap on touch %s has no name", r.TouchID)
		}
	}
	if caps == nil {
		caps = []ledger.CapWindow{}
	}
	recorded, err := json.Marshal(caps)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode the caps of touch %s: %w", r.TouchID, err)
	}
	params.Ids = append(params.Ids, string(r.TouchID))
	params.Customers = append(params.Customers, string(r.CustomerID))
	params.Ats = append(params.Ats, instant(r.At))
	params.Contents = append(params.Contents, r.Content)
	params.Caps = append(params.Caps, string(recorded))
	for _, c := range caps {
		params.CapTouches = append(params.CapTouches, string(r.TouchID))
		params.CapNames = append(params.CapNames, c.Cap)
		params.CapChannels = append(params.CapChannels, string(c.Channel))
		params.CapTags = append(params.CapTags, c.Tag)
		params.CapSinces = append(params.CapSinces, c.Since)
		params.CapLimits = append(params.CapLimits, int32(c.Limit))
	}
	return nil
}

// lockTouches locks these touches and their customers' statistics until commit;
// a touch that does not exist is NotFound.
func lockTouches(ctx context.Context, q *dbsqlc.Queries, ids []lifecycle.TouchID) (map[lifecycle.TouchID]dbsqlc.LockTouchesRow, error) {
	rows, err := q.LockTouches(ctx, texts(ids))
	if err != nil {
		return nil, err
	}
	standing := make(map[lifecycle.TouchID]dbsqlc.LockTouchesRow, len(rows))
	for _, row := range rows {
		standing[lifecycle.TouchID(row.ID)] = row
	}
	for _, id := range ids {
		if _, found := standing[id]; !found {
			return nil, lifecycle.Errorf(lifecycle.NotFound, "there is no touch %s in the ledger", id)
		}
	}
	return standing, nil
}
