package experiment_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/experiment"
	"touchstone/internal/postgres"
)

func TestBucketIsEvenAndIndependentOfOtherSalts(t *testing.T) {
	t.Parallel()
	const n = 20_000
	first, both := 0, 0
	for i := range n {
		a, b := experiment.Bucket("a", fmt.Sprint(i)), experiment.Bucket("b", fmt.Sprint(i))
		if a < 0 || a >= 1 {
			t.Fatalf("bucket %v", a)
		}
		if a < 0.1 {
			first++
			if b < 0.1 {
				both++
			}
		}
	}
	// Five standard deviations of a binomial.
	if d := math.Abs(float64(first) - 0.1*n); d > 5*math.Sqrt(n*0.09) {
		t.Errorf("%d of %d below 0.1", first, n)
	}
	if d := math.Abs(float64(both) - 0.01*n); d > 5*math.Sqrt(n*0.0099) {
		t.Errorf("%d of %d below 0.1 under both salts", both, n)
	}
}

func TestDatabaseDrawsTheSame(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, pgtest.Migrated(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(ctx)
	for range 50 {
		id := uuid.NewString()
		var got float64
		if err := connection.QueryRow(ctx, "select bucket('holdout/winback', $1::uuid)", id).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := experiment.Bucket("holdout/winback", id); got != want {
			t.Errorf("%s: the database draws %v, Go %v", id, got, want)
		}
	}
}
