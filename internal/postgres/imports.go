package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/postgres/dbsqlc"
)

// Import returns how far the import of this source came; the zero progress when
// it never started.
func (s *Store) Import(ctx context.Context, sourceHash, kind string) (ledger.ImportProgress, error) {
	row, err := s.q.ImportProgress(ctx, dbsqlc.ImportProgressParams{SourceHash: sourceHash, Kind: kind})
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.ImportProgress{SourceHash: sourceHash, Kind: kind}, nil
	}
	return ledger.ImportProgress{SourceHash: row.SourceHash, Kind: row.Kind, Lines: row.Lines, Accepted: row.Accepted,
		Rejected: row.Rejected, Done: row.Done, UpdatedAt: row.UpdatedAt.UTC()}, translate(err, "read the progress of an import")
}

// SaveImport stores how far an import came.
func (s *Store) SaveImport(ctx context.Context, p ledger.ImportProgress) error {
	err := s.q.SaveImportProgress(ctx, dbsqlc.SaveImportProgressParams{SourceHash: p.SourceHash, Kind: p.Kind, Lines: p.Lines,
		Accepted: p.Accepted, Rejected: p.Rejected, Done: p.Done, UpdatedAt: instant(p.UpdatedAt)})
	return translate(err, "save the progress of an import")
}
