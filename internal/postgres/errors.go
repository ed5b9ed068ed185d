package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"touchstone/internal/lifecycle"
)

// translate classifies a driver error by its SQLSTATE, never by its text. What
// names the operation that failed, for people. Errors that are classified
// already, and a cancelled context, pass as they are.
func translate(err error, what string) error {
	if err == nil {
		return nil
	}
	var known *lifecycle.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return lifecycle.Errorf(lifecycle.NotFound, "%s: %w", what, err)
	case errors.As(err, &pg):
		return lifecycle.Errorf(codeOf(pg.Code), "%s: %w", what, err)
	case lostConnection(err):
		return lifecycle.Errorf(lifecycle.Unavailable, "%s: the database did not answer, try again: %w", what, err)
	}
	return lifecycle.Errorf(lifecycle.Internal, "%s: %w", what, err)
}

// codeOf maps an SQLSTATE (PostgreSQL manual, appendix A) to what a caller can do.
func codeOf(state string) lifecycle.Code {
	switch state {
	case "23505", "23P01": // unique_violation, exclusion_violation
		return lifecycle.Conflict
	case "23503": // foreign_key_violation: the row pointed to does not exist
		return lifecycle.NotFound
	case "21000": // cardinality_violation: the same key twice in one batch
		return lifecycle.Invalid
	case "25006", // read_only_sql_transaction: connected to a standby
		"55P03", // lock_not_available
		"57014": // query_canceled: statement timeout
		return lifecycle.Unavailable
	}
	switch {
	case strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"): // data exception, integrity constraint
		return lifecycle.Invalid
	case strings.HasPrefix(state, "08"), // connection exception
		strings.HasPrefix(state, "40"),  // transaction rollback
		strings.HasPrefix(state, "53"),  // insufficient resources
		strings.HasPrefix(state, "57P"), // operator intervention: shutdown, crash, starting up
		strings.HasPrefix(state, "58"):  // system error
		return lifecycle.Unavailable
	}
	return lifecycle.Internal
}

func lostConnection(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool) || errors.Is(err, context.DeadlineExceeded)
}
