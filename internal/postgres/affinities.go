package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
)

// leastAffinity is the weight below which an interest is over: a view of a product
// after nearly seven half-lives.
const leastAffinity = 0.01

// ForgetAffinities removes interests that are over at an instant, so that their
// table stays as small as what customers do. It reads all of it.
func (s *Store) ForgetAffinities(ctx context.Context, now time.Time) (n int, err error) {
	err = s.planned(ctx, func(tx pgx.Tx) error {
		gone, err := s.q.WithTx(tx).ForgetAffinities(ctx, leastAffinity/lifecycle.AffinityLeft(now))
		n = int(gone)
		return err
	})
	return n, translate(err, "forget old interests")
}
