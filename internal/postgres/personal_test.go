package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
)

// TestEveryTableOfACustomerIsErased: whoever adds a table with a customer_id says
// what an erasure does about it.
func TestEveryTableOfACustomerIsErased(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Migrated(t, Migrate))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := unknownTables(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range unknown {
		t.Errorf("nobody said what an erasure does about table %s: empty it in EraseCustomer (or add it to belongings), and add it to personalTables", table)
	}
	if _, err := tx.Exec(t.Context(), "create table diary (customer_id uuid)"); err != nil {
		t.Fatal(err)
	}
	if unknown, err = unknownTables(t.Context(), tx); err != nil || len(unknown) == 0 || unknown[len(unknown)-1] != "diary" {
		t.Errorf("a new table goes unnoticed: %v, %v", unknown, err)
	}
}
