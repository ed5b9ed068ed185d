package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// logOrigin is what the first entry's previous hash is taken over.
const logOrigin = "touchstone"

// chainSQL streams the chain in order; the database only writes the payload out,
// the hashes are computed here.
const chainSQL = `select seq, prev_hash, hash,
	decision_payload(seq, at, kind, actor, customer_id, run_id, touch_id, subject, body)
from decision_log order by seq, at`

// VerifyDecisions recomputes the decision log's hash chain from its first entry
// and compares it with what is stored: every previous hash, every hash, the
// sequence without gaps, and the head. BrokenAt is the first entry that does not
// fit.
func (s *Store) VerifyDecisions(ctx context.Context) (ledger.VerifyReport, error) {
	var report ledger.VerifyReport
	err := s.snapshot(ctx, "verify the decision log", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		head, err := q.DecisionHead(ctx)
		if err != nil {
			return err
		}
		report, err = verifyChain(ctx, tx, head)
		return err
	})
	return report, err
}

func verifyChain(ctx context.Context, tx pgx.Tx, head dbsqlc.DecisionHeadRow) (ledger.VerifyReport, error) {
	var report ledger.VerifyReport
	origin := sha256.Sum256([]byte(logOrigin))
	last, expected := origin[:], int64(1)
	rows, err := tx.Query(ctx, chainSQL)
	if err != nil {
		return report, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var previous, hash []byte
		var payload string
		if err := rows.Scan(&seq, &previous, &hash, &payload); err != nil {
			return report, err
		}
		computed := sha256.Sum256(append(bytes.Clone(last), payload...))
		switch {
		case seq > expected:
			report.BrokenAt, report.Why = expected, fmt.Sprintf("entries %d to %d are missing", expected, seq-1)
		case seq < expected:
			report.BrokenAt, report.Why = seq, fmt.Sprintf("entry %d is there twice", seq)
		case !bytes.Equal(previous, last):
			report.BrokenAt, report.Why = seq, fmt.Sprintf("entry %d does not follow the entry before it", seq)
		case !bytes.Equal(hash, computed[:]):
			report.BrokenAt, report.Why = seq, fmt.Sprintf("entry %d was changed: its hash does not fit its content", seq)
		}
		if report.Why != "" {
			return report, nil
		}
		report.Entries++
		last, expected = hash, seq+1
	}
	if err := rows.Err(); err != nil {
		return report, err
	}
	if head.Seq != expected-1 || !bytes.Equal(head.Hash, last) {
		report.BrokenAt, report.Why = expected, fmt.Sprintf("the log ends at entry %d, its head says %d: entries at the end are missing or were changed", expected-1, head.Seq)
		return report, nil
	}
	report.OK = true
	return report, nil
}

// exportedDecision is one line of ExportDecisions.
type exportedDecision struct {
	Seq        int64                `json:"seq"`
	At         time.Time            `json:"at"`
	Kind       string               `json:"kind"`
	Actor      string               `json:"actor"`
	CustomerID lifecycle.CustomerID `json:"customer_id,omitempty"`
	RunID      lifecycle.RunID      `json:"run_id,omitempty"`
	TouchID    lifecycle.TouchID    `json:"touch_id,omitempty"`
	Subject    string               `json:"subject,omitempty"`
	Body       json.RawMessage      `json:"body"`
	PrevHash   string               `json:"prev_hash"`
	Hash       string               `json:"hash"`
}

// ExportDecisions writes the entries at or after since to w in order, one JSON
// object per line, and returns how many.
func (s *Store) ExportDecisions(ctx context.Context, since time.Time, w io.Writer) (n int, err error) {
	out := json.NewEncoder(w)
	err = s.snapshot(ctx, "export the decision log", func(_ *dbsqlc.Queries, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select seq, at, kind, actor, customer_id, run_id, touch_id, subject, body, prev_hash, hash
			from decision_log where at >= $1 order by seq, at`, instant(since))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			d, err := pgx.RowToStructByPos[dbsqlc.DecisionLog](rows)
			if err != nil {
				return err
			}
			if err := out.Encode(exportedDecision{Seq: d.Seq, At: d.At.UTC(), Kind: d.Kind, Actor: d.Actor,
				CustomerID: given[lifecycle.CustomerID](d.CustomerID), RunID: given[lifecycle.RunID](d.RunID),
				TouchID: given[lifecycle.TouchID](d.TouchID), Subject: d.Subject, Body: json.RawMessage(d.Body),
				PrevHash: hex.EncodeToString(d.PrevHash), Hash: hex.EncodeToString(d.Hash)}); err != nil {
				return lifecycle.Errorf(lifecycle.Internal, "write the export: %w", err)
			}
			n++
		}
		return rows.Err()
	})
	return n, err
}
