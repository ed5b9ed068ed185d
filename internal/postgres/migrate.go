package postgres

import (
	"context"
	"embed"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"touchstone/internal/lifecycle"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable remembers which migrations have run.
const versionTable = "schema_version"

// Migrate brings the schema at url to the version this program knows. Callers
// may race: one migrates, the others wait and find nothing left to do. A schema
// newer than this program is a Conflict.
func Migrate(ctx context.Context, url string) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return translate(err, "connect to migrate")
	}
	defer func() {
		if closing := conn.Close(context.WithoutCancel(ctx)); err == nil && closing != nil {
			err = translate(closing, "close after migrating")
		}
	}()
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return translate(err, "read the migrations")
	}
	migrator, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return translate(err, "prepare to migrate")
	}
	if err := migrator.LoadMigrations(folder); err != nil {
		return translate(err, "read the migrations")
	}
	var newer migrate.BadVersionError
	switch err := migrator.Migrate(ctx); {
	case errors.As(err, &newer):
		return lifecycle.Errorf(lifecycle.Conflict, "the database was migrated by a newer version, use that one: %w", err)
	default:
		return translate(err, "migrate the schema")
	}
}
