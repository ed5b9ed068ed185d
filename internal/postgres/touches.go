package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Touch returns one row of the ledger.
func (s *Store) Touch(ctx context.Context, id lifecycle.TouchID) (lifecycle.Touch, error) {
	row, err := s.q.Touch(ctx, string(id))
	return touchOf(row), translate(err, "read touch "+string(id))
}

// TouchByKey returns the touch with this key.
func (s *Store) TouchByKey(ctx context.Context, key string) (lifecycle.Touch, error) {
	row, err := s.q.TouchByKey(ctx, key)
	return touchOf(row), translate(err, "read the touch of a key")
}

func touchOf(row dbsqlc.Touch) lifecycle.Touch {
	return lifecycle.Touch{ID: lifecycle.TouchID(row.ID), Key: row.Key, RunID: lifecycle.RunID(row.RunID),
		CustomerID: lifecycle.CustomerID(row.CustomerID), Journey: row.Journey, Version: int(row.Version),
		Campaign: row.Campaign, Step: row.Step, Agent: row.Agent, Channel: lifecycle.Channel(row.Channel),
		Class: lifecycle.MessageClass(row.Class), Tags: row.Tags, Slot: row.Slot,
		CreativeID: given[lifecycle.CreativeID](row.CreativeID), Content: row.ContentHash, OfferID: row.OfferID,
		State: lifecycle.TouchState(row.State), Reason: row.Reason, NotBefore: moment(row.NotBefore),
		PlannedAt: row.PlannedAt.UTC(), ReservedAt: moment(row.ReservedAt), SentAt: moment(row.SentAt),
		ProviderID: row.ProviderID, Attempts: int(row.Attempts), Cost: lifecycle.Money{Amount: row.Cost, Currency: row.Currency}}
}

// touchRow is the row of a touch planned at an instant.
func touchRow(t lifecycle.Touch, group string, at time.Time) dbsqlc.Touch {
	row := dbsqlc.Touch{ID: string(t.ID), Key: t.Key, RunID: string(t.RunID), CustomerID: string(t.CustomerID),
		Journey: t.Journey, Version: int32(t.Version), Campaign: t.Campaign, Step: t.Step, Agent: t.Agent,
		Channel: string(t.Channel), Class: string(t.Class), Tags: t.Tags, Slot: t.Slot,
		CreativeID: optional(t.CreativeID), ContentHash: t.Content, OfferID: t.OfferID, State: string(t.State),
		Reason: t.Reason, NotBefore: stamp(t.NotBefore), PlannedAt: instant(t.PlannedAt),
		Cost: t.Cost.Amount, Currency: t.Cost.Currency, GroupKey: group}
	if t.PlannedAt.IsZero() {
		row.PlannedAt = instant(at)
	}
	if row.Class == "" {
		row.Class = string(lifecycle.Marketing)
	}
	if row.Tags == nil {
		row.Tags = []string{}
	}
	return row
}

// plannedRow is the row of a planned touch; states after planning are Invalid.
func plannedRow(p ledger.Plan) (dbsqlc.Touch, error) {
	row := touchRow(p.Touch, p.Group, p.At)
	switch p.Touch.State {
	case lifecycle.TouchPlanned, lifecycle.TouchInReview, lifecycle.TouchDeferred:
	case lifecycle.TouchSkipped, lifecycle.TouchBlocked, lifecycle.TouchRejected:
		row.SettledAt = stamp(p.At)
	default:
		return row, lifecycle.Errorf(lifecycle.Invalid, "a touch cannot be planned as %q: reserve it first", p.Touch.State)
	}
	if p.At.IsZero() {
		return row, lifecycle.Errorf(lifecycle.Invalid, "the plan of touch %s has no instant: set At", p.Touch.ID)
	}
	return row, nil
}
