package postgres

import (
	"context"
	"encoding/json"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SaveCreatives stores copy once per slot, channel and content hash, and returns
// the stored rows in the order given: a copy that was there keeps its id and
// status. Creatives without an id get one.
func (s *Store) SaveCreatives(ctx context.Context, creatives []lifecycle.Creative) ([]lifecycle.Creative, error) {
	if len(creatives) == 0 {
		return nil, nil
	}
	type place struct{ slot, channel, hash string }
	rows, places := make([]dbsqlc.Creative, len(creatives)), make([]place, len(creatives))
	for i, c := range creatives {
		row, err := creativeRow(c)
		if err != nil {
			return nil, err
		}
		rows[i], places[i] = row, place{row.Slot, row.Channel, row.ContentHash}
	}
	encoded, err := batch(rows)
	if err != nil {
		return nil, err
	}
	if err := s.q.InsertCreatives(ctx, encoded); err != nil {
		return nil, translate(err, "save creatives")
	}
	found, err := s.q.StoredCreatives(ctx, encoded)
	if err != nil {
		return nil, translate(err, "read creatives back")
	}
	byPlace := map[place]lifecycle.Creative{}
	for _, f := range found {
		c, err := creativeOf(f.Creative)
		if err != nil {
			return nil, err
		}
		byPlace[place{f.Creative.Slot, f.Creative.Channel, f.Creative.ContentHash}] = c
	}
	stored := make([]lifecycle.Creative, len(places))
	for i, p := range places {
		stored[i] = byPlace[p]
	}
	return stored, nil
}

// Creative returns one creative.
func (s *Store) Creative(ctx context.Context, id lifecycle.CreativeID) (lifecycle.Creative, error) {
	row, err := s.q.Creative(ctx, string(id))
	if err != nil {
		return lifecycle.Creative{}, translate(err, "read creative "+string(id))
	}
	return creativeOf(row)
}

// Creatives returns the creatives of these slots, of all slots when none are
// given, by slot, channel, variant and age.
func (s *Store) Creatives(ctx context.Context, slots []string) ([]lifecycle.Creative, error) {
	var rows []dbsqlc.Creative
	var err error
	if len(slots) == 0 {
		rows, err = s.q.AllCreatives(ctx)
	} else {
		rows, err = s.q.Creatives(ctx, slots)
	}
	if err != nil {
		return nil, translate(err, "read creatives")
	}
	creatives := make([]lifecycle.Creative, len(rows))
	for i, row := range rows {
		if creatives[i], err = creativeOf(row); err != nil {
			return nil, err
		}
	}
	return creatives, nil
}

// SetCreativeStatus moves a creative to a status; by is remembered as the
// approver when the status is approved.
func (s *Store) SetCreativeStatus(ctx context.Context, id lifecycle.CreativeID, status lifecycle.CreativeStatus, by string) error {
	n, err := s.q.SetCreativeStatus(ctx, dbsqlc.SetCreativeStatusParams{ID: string(id), Status: string(status), By: by})
	if err == nil && n == 0 {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no creative %s", id)
	}
	return translate(err, "set the status of creative "+string(id))
}

func creativeRow(c lifecycle.Creative) (dbsqlc.Creative, error) {
	parts, err := json.Marshal(c.Parts)
	if err != nil {
		return dbsqlc.Creative{}, lifecycle.Errorf(lifecycle.Invalid, "encode the parts of a creative: %w", err)
	}
	if c.ID == "" {
		id, err := newID()
		if err != nil {
			return dbsqlc.Creative{}, err
		}
		c.ID = lifecycle.CreativeID(id)
	}
	if c.CreatedAt.IsZero() {
		return dbsqlc.Creative{}, lifecycle.Errorf(lifecycle.Invalid, "creative for slot %s has no creation time: set CreatedAt", c.Slot)
	}
	return dbsqlc.Creative{ID: string(c.ID), Slot: c.Slot, Channel: string(c.Channel), Variant: c.Variant, OfferID: c.OfferID,
		Parts: parts, ContentHash: c.ContentHash(), Source: string(c.Source), Author: c.Author, Status: string(c.Status),
		ApprovedBy: c.ApprovedBy, Model: c.Model, Cost: c.Cost.Amount, Currency: c.Cost.Currency, CreatedAt: instant(c.CreatedAt)}, nil
}

func creativeOf(row dbsqlc.Creative) (lifecycle.Creative, error) {
	c := lifecycle.Creative{ID: lifecycle.CreativeID(row.ID), Slot: row.Slot, Channel: lifecycle.Channel(row.Channel),
		Variant: row.Variant, OfferID: row.OfferID, Source: lifecycle.CreativeSource(row.Source), Author: row.Author,
		Status: lifecycle.CreativeStatus(row.Status), ApprovedBy: row.ApprovedBy, CreatedAt: row.CreatedAt,
		Model: row.Model, Cost: lifecycle.Money{Amount: row.Cost, Currency: row.Currency}}
	if err := json.Unmarshal(row.Parts, &c.Parts); err != nil {
		return c, lifecycle.Errorf(lifecycle.Internal, "decode the parts of creative %s: %w", row.ID, err)
	}
	return c, nil
}
