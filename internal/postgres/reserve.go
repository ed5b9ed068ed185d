package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Reserve gives each touch its place in the ledger and its cap slots and marks it
// as being sent, in one transaction that excludes every other reservation for the
// same customers: whatever runs at the same time, no cap is exceeded, and only one
// caller is granted a touch. The answer is committed before it is returned.
// Results come in the order asked. Two touches of one customer in a batch, or a
// touch of another customer than said, are Invalid; then nothing is reserved.
func (s *Store) Reserve(ctx context.Context, asked []ledger.Reservation) ([]ledger.Reserved, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	customers := make([]lifecycle.CustomerID, len(asked))
	ats := make([]time.Time, len(asked))
	seen := map[lifecycle.CustomerID]bool{}
	for i, r := range asked {
		if seen[r.Touch.CustomerID] {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "customer %s has two touches in one reservation: reserve them one after the other", r.Touch.CustomerID)
		}
		seen[r.Touch.CustomerID] = true
		customers[i], ats[i] = r.Touch.CustomerID, r.At
		if err := s.ensureFor(ctx, r.Records); err != nil {
			return nil, err
		}
	}
	if err := s.ensure(ctx, historyTable, ats...); err != nil {
		return nil, err
	}
	var results []ledger.Reserved
	err := s.pipelined(ctx, "reserve touches", func(q *dbsqlc.Queries, _ *pipeline) error {
		return lock(ctx, q, "customer", customers...)
	}, func(q *dbsqlc.Queries) error {
		standing, err := q.LockStanding(ctx, inOrder(asked))
		if err != nil {
			return err
		}
		if results, err = reserveLocked(ctx, q, asked, standing); err != nil {
			return err
		}
		return appendRecords(ctx, q, decided(asked, results))
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// inOrder are the ids of the touches in the order in which everybody locks them.
func inOrder(asked []ledger.Reservation) dbsqlc.LockStandingParams {
	sorted := slices.SortedFunc(slices.Values(asked), func(a, b ledger.Reservation) int {
		return cmp.Or(cmp.Compare(a.Touch.CustomerID, b.Touch.CustomerID), cmp.Compare(a.Touch.ID, b.Touch.ID))
	})
	params := dbsqlc.LockStandingParams{Ids: make([]string, len(sorted)), Customers: make([]string, len(sorted))}
	for i, r := range sorted {
		params.Ids[i], params.Customers[i] = string(r.Touch.ID), string(r.Touch.CustomerID)
	}
	return params
}

// decided are the records of the touches that were granted or lost their slot.
func decided(asked []ledger.Reservation, results []ledger.Reserved) []ledger.Record {
	var records []ledger.Record
	for i, r := range results {
		if r.Result == ledger.Granted || r.Result == ledger.CapFull {
			records = append(records, asked[i].Records...)
		}
	}
	return records
}

func reserveLocked(ctx context.Context, q *dbsqlc.Queries, asked []ledger.Reservation, standing []dbsqlc.LockStandingRow) ([]ledger.Reserved, error) {
	known := make(map[lifecycle.TouchID]dbsqlc.LockStandingRow, len(standing))
	for _, row := range standing {
		known[lifecycle.TouchID(row.ID)] = row
	}
	results := make([]ledger.Reserved, len(asked))
	var params dbsqlc.ReserveTouchesParams
	for i, r := range asked {
		row, stored := known[r.Touch.ID]
		results[i] = ledger.Reserved{TouchID: r.Touch.ID, State: lifecycle.TouchState(row.State)}
		switch results[i].State {
		case "", lifecycle.TouchPlanned, lifecycle.TouchInReview, lifecycle.TouchDeferred:
		case lifecycle.TouchSending:
			results[i].Result = ledger.InFlight
			continue
		default:
			results[i].Result = ledger.Closed // also when the customer was merged into another
			continue
		}
		if stored && row.CustomerID != string(r.Touch.CustomerID) {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "touch %s belongs to another customer than %s", r.Touch.ID, r.Touch.CustomerID)
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
	answers := make(map[string]dbsqlc.ReserveTouchesRow, len(rows))
	for _, row := range rows {
		answers[row.ID] = row
	}
	for i := range results {
		if results[i].Result != "" {
			continue
		}
		switch answer := answers[string(results[i].TouchID)]; {
		case answer.Erased: // since it was planned: nothing is sent any more
			results[i].Result, results[i].State = ledger.Closed, lifecycle.TouchSkipped
		case answer.Cap != "":
			results[i].Result, results[i].Cap = ledger.CapFull, answer.Cap
		case answer.Sending:
			results[i].Result, results[i].State = ledger.Granted, lifecycle.TouchSending
		default:
			return nil, lifecycle.Errorf(lifecycle.Conflict, "the ledger has the key of touch %s under another id", results[i].TouchID)
		}
	}
	return results, nil
}

// tagsSeparator joins a touch's tags on their way to the database.
const tagsSeparator = "\x1f"

func addReservation(params *dbsqlc.ReserveTouchesParams, r ledger.Reservation) error {
	caps := slices.Clone(r.Caps)
	for i := range caps {
		caps[i].Since = instant(caps[i].Since)
		if caps[i].Cap == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "a cap on touch %s has no name", r.Touch.ID)
		}
	}
	if caps == nil {
		caps = []ledger.CapWindow{}
	}
	recorded, err := json.Marshal(caps)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode the caps of touch %s: %w", r.Touch.ID, err)
	}
	row := touchRow(r.Touch, r.Group, r.At)
	params.Ids = append(params.Ids, row.ID)
	params.Keys = append(params.Keys, row.Key)
	params.Runs = append(params.Runs, row.RunID)
	params.Customers = append(params.Customers, row.CustomerID)
	params.Journeys = append(params.Journeys, row.Journey)
	params.Versions = append(params.Versions, row.Version)
	params.Campaigns = append(params.Campaigns, row.Campaign)
	params.Steps = append(params.Steps, row.Step)
	params.Agents = append(params.Agents, row.Agent)
	params.Channels = append(params.Channels, row.Channel)
	params.Classes = append(params.Classes, row.Class)
	params.Tags = append(params.Tags, strings.Join(row.Tags, tagsSeparator))
	params.Slots = append(params.Slots, row.Slot)
	params.Creatives = append(params.Creatives, string(r.Touch.CreativeID))
	params.Contents = append(params.Contents, row.ContentHash)
	params.Offers = append(params.Offers, row.OfferID)
	params.Planned = append(params.Planned, row.PlannedAt)
	params.Costs = append(params.Costs, row.Cost)
	params.Currencies = append(params.Currencies, row.Currency)
	params.Groups = append(params.Groups, row.GroupKey)
	params.Ats = append(params.Ats, instant(r.At))
	params.Caps = append(params.Caps, string(recorded))
	for _, c := range caps {
		params.CapTouches = append(params.CapTouches, row.ID)
		params.CapNames = append(params.CapNames, c.Cap)
		params.CapChannels = append(params.CapChannels, string(c.Channel))
		params.CapTags = append(params.CapTags, c.Tag)
		params.CapSinces = append(params.CapSinces, c.Since)
		params.CapLimits = append(params.CapLimits, int32(c.Limit))
	}
	return nil
}
