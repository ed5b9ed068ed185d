package postgres_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Every view for analysts is documented column by column, can be read, and shows
// nothing of a person.
func TestReportViewsShowNoPersonalData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	x := b.planned(b.customers(1)[0], "one")
	b.send(x, noon)
	_, err := b.ApplyOutcomes(t.Context(), []ledger.Outcome{{Key: "o", TouchID: x.ID, Kind: ledger.OutcomeDelivered, At: noon.Add(time.Hour), Detail: "250 OK c000000@example.com"}})
	b.must(err)
	_, err = b.InsertOrders(t.Context(), []ledger.OrderRow{{Coupon: "ADA10", Order: lifecycle.Order{ExternalID: "o1", CustomerID: x.CustomerID, At: noon.Add(day),
		FirstItem: "a secret gift", Total: lifecycle.Money{Amount: 4200, Currency: "USD"}}}})
	b.must(err)
	b.must(b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "review.decided", Actor: "rita", Subject: "secret", Body: []byte(`{"note":"secret"}`)}}))
	b.exec("insert into reviews (id, workflow_id, kind, creative_id, content_hash, status, decided_by, note, opened_at, due_at, decided_at) values ($1, 'w', 'touch', $1, 'h', 'approved', 'rita', 'secret', $2, $2, $2)", id(), noon)
	b.exec("update touches set reason = 'merge-fields: Ada at c000000@example.com'")
	b.exec("update journey_runs set end_reason = 'exit: Ada'")
	b.roll()
	documented, err := os.ReadFile("../../docs/analytics.md")
	b.must(err)
	rows, err := b.raw.Query(t.Context(), "select table_name::text from information_schema.views where table_schema = 'public' and table_name like 'report%' order by 1")
	b.must(err)
	views, err := pgx.CollectRows(rows, pgx.RowTo[string])
	b.must(err)
	if len(views) != 8 {
		t.Errorf("views %v, want 8", views)
	}
	for _, view := range views {
		row := ""
		for line := range strings.Lines(string(documented)) {
			if strings.HasPrefix(line, "| `"+view+"`") {
				row = line
			}
		}
		for _, column := range strings.Split(query[string](b, "select string_agg(column_name, ',' order by ordinal_position) from information_schema.columns where table_name = $1", view), ",") {
			if view != "report_daily" && !strings.Contains(row, column) {
				t.Errorf("docs/analytics.md does not name %s.%s", view, column)
			}
		}
		text := query[string](b, "select coalesce(string_agg(row_to_json(v)::text, ' '), '') from "+view+" v")
		if text == "" {
			t.Errorf("%s is empty; it proves nothing", view)
		}
		for _, personal := range []string{"example.com", "Ada", "ADA10", "secret", "rita"} {
			if strings.Contains(text, personal) {
				t.Errorf("%s shows %q: %s", view, personal, text)
			}
		}
	}
	if got := query[int](b, "select sum(revenue)::int from report_daily where day = $1", noon.Add(day).Truncate(day)); got != 4200 {
		t.Errorf("report_daily has a revenue of %d on the day of the order, want 4200", got)
	}
	if got := query[int](b, "select (revenue * orders)::int from report_holdout"); got != 4200 {
		t.Errorf("report_holdout has %d", got)
	}
}
