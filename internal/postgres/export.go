package postgres

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// ExportFormat names the layout of a customer's export.
const ExportFormat = "touchstone/customer/1"

// exportPart is a section of an export: rows of JSON about the customer $1, in order.
type exportPart struct {
	name  string
	table string // with a customer_id, "" where rows are found by others
	query string
}

// exportParts are the sections with a name of their own. Tables with a customer_id
// that are not among them go under "other", so that nothing is left out that comes
// into the schema later.
var exportParts = []exportPart{
	{"statistics", "customer_stats", `select to_jsonb(t) - 'customer_id' from customer_stats t where t.customer_id = $1`},
	{"consents", "consents", `select to_jsonb(t) - 'customer_id' from consents t where t.customer_id = $1 order by t.channel`},
	{"consent_history", "consent_records", `select to_jsonb(t) - 'customer_id' from consent_records t
		where t.customer_id in (select c.id from customers c where c.id = $1 or c.merged_into = $1) order by t.at, t.id`},
	{"wishes", "wishes", `select to_jsonb(t) - 'customer_id' from wishes t where t.customer_id = $1`},
	{"suppressions", "", `select jsonb_build_object('channel', p.channel, 'reason', p.reason, 'source', p.source, 'at', p.at)
		from customers c cross join (select unnest(array['email', 'sms', 'whatsapp', 'push', 'web']) as channel) h
		join suppressions p on p.channel = h.channel and p.address_hash = address_hash(address_of(h.channel, c.email, c.phone, c.id))
		where c.id = $1 order by p.at, p.channel`},
	{"events", "events", `select to_jsonb(t) - 'customer_id' from events t where t.customer_id = $1 order by t.occurred_at, t.id`},
	{"orders", "orders", `select to_jsonb(t) - 'customer_id' from orders t where t.customer_id = $1 order by t.at, t.external_id`},
	{"runs", "journey_runs", `select to_jsonb(t) - 'customer_id' from journey_runs t where t.customer_id = $1 order by t.entered_at, t.id`},
	{"touches", "touches", `select to_jsonb(t) - 'customer_id' from touches t where t.customer_id = $1 order by t.planned_at, t.id`},
	{"touch_history", "", `select to_jsonb(h) from touches t join touch_history h on h.touch_id = t.id where t.customer_id = $1 order by h.at, h.seq`},
	{"provider_reports", "", `select to_jsonb(p) from touches t join provider_events p on p.touch_id = t.id where t.customer_id = $1 order by p.at, p.dedupe_key`},
	{"reviews", "", `select jsonb_build_object('id', r.id, 'kind', r.kind, 'journey', r.journey, 'status', r.status, 'opened_at', r.opened_at, 'decided_at', r.decided_at)
		from reviews r where r.id in (select w.review_id from journey_runs t join review_waiters w on w.run_id = t.id where t.customer_id = $1) order by r.opened_at, r.id`},
	{"decisions", "decision_log", `select jsonb_build_object('seq', d.seq, 'at', d.at, 'kind', d.kind, 'run_id', d.run_id, 'touch_id', d.touch_id,
		'subject', d.subject, 'body', d.body::jsonb) from decision_log d
		where d.customer_id in (select c.id from customers c where c.id = $1 or c.merged_into = $1) order by d.seq`},
	{"privacy_requests", "privacy_requests", `select to_jsonb(t) - 'customer_id' - 'by' from privacy_requests t where t.customer_id = $1 order by t.recorded_at, t.id`},
}

// otherTablesSQL finds the tables with a customer_id that have no section.
const otherTablesSQL = `
select c.oid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
where a.attname = 'customer_id' and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p') and not c.relispartition
    and c.relnamespace = current_schema()::regnamespace and c.relname <> all($1::text[]) order by 1`

// ExportCustomer writes everything that is held about a customer to w, as one JSON
// document and as of one instant, row by row: its length is no matter. The request
// is recorded, with the number of rows of each section as its receipt.
func (s *Store) ExportCustomer(ctx context.Context, r ledger.PrivacyRequest, w io.Writer) (ledger.PrivacyRequest, error) {
	id, err := newID()
	if err != nil {
		return r, err
	}
	customer, err := s.Profile(ctx, r.CustomerID)
	if err != nil {
		return r, err
	}
	row, err := s.q.AddPrivacyRequest(ctx, dbsqlc.AddPrivacyRequestParams{ID: id, Kind: string(ledger.PrivacyExport), CustomerID: string(r.CustomerID),
		Reason: r.Reason, By: r.By, RequestedAt: instant(r.RequestedAt)})
	if err != nil {
		return r, translate(err, "record an export")
	}
	done := privacyOf(row)
	out := &exporter{w: bufio.NewWriter(w), counts: map[string]int{}}
	err = s.snapshot(ctx, "export customer "+string(r.CustomerID), func(_ *dbsqlc.Queries, tx pgx.Tx) error {
		return out.document(ctx, tx, done, customer.Customer)
	})
	if err != nil {
		return done, err
	}
	if done.Receipt, err = json.Marshal(map[string]any{"rows": out.counts}); err != nil {
		return done, lifecycle.Errorf(lifecycle.Internal, "encode a receipt: %w", err)
	}
	done.DoneAt = r.RequestedAt
	return done, s.FinishPrivacy(ctx, done)
}

// exporter writes one document.
type exporter struct {
	w      *bufio.Writer
	counts map[string]int
}

func (e *exporter) document(ctx context.Context, tx pgx.Tx, r ledger.PrivacyRequest, c lifecycle.Customer) error {
	head, err := json.Marshal(map[string]any{"format": ExportFormat, "request": r.ID, "customer": r.CustomerID, "external_id": c.ExternalID, "exported_at": r.RequestedAt})
	if err != nil {
		return err
	}
	e.write(string(head[:len(head)-1]))
	if err := e.one(ctx, tx, "profile", `select to_jsonb(c) from customers c where c.id = $1`, string(r.CustomerID)); err != nil {
		return err
	}
	known := []string{}
	for _, p := range exportParts {
		if p.table != "" {
			known = append(known, p.table)
		}
		e.write(",\n" + quoted(p.name) + ":[")
		if err := e.rows(ctx, tx, p.name, p.query, string(r.CustomerID)); err != nil {
			return err
		}
		e.write("]")
	}
	rows, err := tx.Query(ctx, otherTablesSQL, known)
	if err != nil {
		return err
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	e.write(",\n\"other\":{")
	for i, table := range others {
		if i > 0 {
			e.write(",")
		}
		e.write(quoted(table) + ":[")
		// table is a name that the database has quoted.
		if err := e.rows(ctx, tx, table, `select to_jsonb(t) - 'customer_id' from `+table+` t where t.customer_id = $1`, string(r.CustomerID)); err != nil {
			return err
		}
		e.write("]")
	}
	e.write("}}\n")
	if err := e.w.Flush(); err != nil {
		return lifecycle.Errorf(lifecycle.Internal, "write the export: %w", err)
	}
	return nil
}

func (e *exporter) one(ctx context.Context, tx pgx.Tx, name, query, customer string) error {
	var row string
	if err := tx.QueryRow(ctx, query, customer).Scan(&row); err != nil {
		return err
	}
	e.write(",\n" + quoted(name) + ":" + row)
	return nil
}

// rows writes the rows of a section, one a line.
func (e *exporter) rows(ctx context.Context, tx pgx.Tx, name, query, customer string) error {
	rows, err := tx.Query(ctx, query, customer)
	if err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var row string
		if err := rows.Scan(&row); err != nil {
			return err
		}
		if n > 0 {
			e.write(",")
		}
		e.write("\n" + row)
	}
	e.counts[name] = n
	return rows.Err()
}

// write keeps the first error until the end: see bufio.Writer.
func (e *exporter) write(s string) { _, _ = e.w.WriteString(s) } // reported by Flush

func quoted(name string) string {
	b, err := json.Marshal(name)
	if err != nil {
		panic("postgres: a name must marshal: " + err.Error())
	}
	return string(b)
}

// personalTables says of each table with a customer_id what an erasure does about
// it; a test holds it against the schema.
var personalTables = map[string]string{
	"customer_stats": "the last item is emptied", "consents": "withdrawn, proof emptied", "consent_records": "proof emptied",
	"wishes": "deleted", "events": "properties emptied", "orders": "products and coupons emptied", "event_outbox": "deleted",
	"journey_runs": "ended, entry data emptied", "touches": "open ones closed; no personal columns", "decision_log": "ids only",
	"agent_cells": "ids only", "opt_outs": "ids and hashes only", "privacy_requests": "ids only", "devices": "deleted",
	"identities": "names emptied", "carts": "deleted", "customer_affinities": "deleted", "rollup_order_marks": "ids only",
	"touch_moves": "ids only",
}

// unknownTables lists tables with a customer_id of which nobody said what an erasure
// does about them.
func unknownTables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, otherTablesSQL, []string{})
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return slices.DeleteFunc(tables, func(t string) bool { _, known := personalTables[strings.Trim(t, `"`)]; return known }), err
}
