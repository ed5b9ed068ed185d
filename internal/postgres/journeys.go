package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/postgres/dbsqlc"
)

// SaveJourney stores a journey's source as its next version and returns the
// version. A source with the hash of the latest version is that version again
// (created is false); an older source makes a new version, so a rollback counts.
func (s *Store) SaveJourney(ctx context.Context, name string, source []byte, hash string, listens []string,
	entryEvent, by string, at time.Time) (version int, created bool, err error) {
	err = s.transaction(ctx, "save journey "+name, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		version, created = 1, true
		if err := lock(ctx, q, "journey", name); err != nil {
			return err
		}
		switch latest, err := q.LatestJourney(ctx, name); {
		case err == nil && latest.Hash == hash:
			version, created = int(latest.Version), false
			return nil
		case err == nil:
			version = int(latest.Version) + 1
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if listens == nil {
			listens = []string{}
		}
		return q.InsertJourney(ctx, dbsqlc.InsertJourneyParams{Name: name, Version: int32(version), Source: string(source),
			Hash: hash, Listens: listens, EntryEvent: entryEvent, AppliedAt: instant(at), AppliedBy: by})
	})
	return version, created, err
}

// Journey returns one version of a journey; version 0 is the latest.
func (s *Store) Journey(ctx context.Context, name string, version int) (ledger.JourneyRow, error) {
	var row dbsqlc.Journey
	var err error
	if version == 0 {
		row, err = s.q.LatestJourney(ctx, name)
	} else {
		row, err = s.q.Journey(ctx, dbsqlc.JourneyParams{Name: name, Version: int32(version)})
	}
	return journeyOf(row), translate(err, "read journey "+name)
}

// Journeys returns the latest version of every journey, by name.
func (s *Store) Journeys(ctx context.Context) ([]ledger.JourneyRow, error) {
	rows, err := s.q.LatestJourneys(ctx)
	if err != nil {
		return nil, translate(err, "read the journeys")
	}
	journeys := make([]ledger.JourneyRow, len(rows))
	for i, row := range rows {
		journeys[i] = journeyOf(row)
	}
	return journeys, nil
}

func journeyOf(row dbsqlc.Journey) ledger.JourneyRow {
	return ledger.JourneyRow{Name: row.Name, Version: int(row.Version), Source: []byte(row.Source), Hash: row.Hash,
		Listens: row.Listens, EntryEvent: row.EntryEvent, AppliedAt: row.AppliedAt, AppliedBy: row.AppliedBy}
}
