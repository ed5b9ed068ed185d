package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/clock"
	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
)

func options(m *memory, kind ingest.Kind, text string) ingest.Options {
	return ingest.Options{Kind: kind, Reader: strings.NewReader(text), Currency: "GBP", Store: m, Bulk: m, Imports: m}
}

// run imports text and returns the summary and the rejected rows as
// "line: reason".
func run(t testing.TB, m *memory, kind ingest.Kind, text string, change ...func(*ingest.Options)) (ingest.Summary, []string) {
	t.Helper()
	o := options(m, kind, text)
	o.Rejects = filepath.Join(t.TempDir(), "rejects.csv")
	for _, c := range change {
		c(&o)
	}
	s, err := ingest.Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, rejected(t, o.Rejects)
}

func rejected(t testing.TB, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rows[1:] {
		out = append(out, r[0]+": "+r[1])
	}
	return out
}

func mapping(t testing.TB, text string) func(*ingest.Options) {
	t.Helper()
	m, err := ingest.ParseMapping([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *ingest.Options) { o.Mapping = m }
}

func TestCustomersFromCSV(t *testing.T) {
	t.Parallel()
	m := newMemory()
	text := "\ufeffemail,external_id,phone,time_zone,country,consent_email,created_at,plan\r\n" +
		"ann@shop.example,1,+447700900123,Europe/London,GB,yes,2024-02-29T10:00:00Z,\"gold, extra\"\r\n" +
		"bob@@shop.example,2,,,,,,\n" +
		"cy@shop.example,3,07700900123,,,,,\n" +
		"di@shop.example,4,,Mars/Base,,,,\n" +
		"ed@localhost,5,,,,,,\n" +
		"flo@shop.example,6,,Asia/Calcutta,,maybe,,\n" +
		",,,,,,,\n" +
		"gil@shop.example,8,,,England,,,\n" +
		"hal@shop.example,9,,,,,2999-01-01,\n" +
		"ivy@shop.example,10,,,,,1969-12-31,\n" +
		"\n" +
		"joe\xff@shop.example,11,,,,,,\n" +
		"kim@shop.example,12,,\n" +
		"lee@shop.example,13,,Local,,,,\n" +
		"a\"b,14,,,,,,\n" +
		"mia@shop.example,15,,Asia/Calcutta,,no,,\n"
	s, rejects := run(t, m, ingest.Customers, text)
	want := []string{
		"3: email is not an e-mail address",
		"4: phone is not an E.164 number such as +14155550100",
		"5: time_zone is not an IANA time zone such as Europe/London",
		"6: email has a domain without a dot",
		"7: consent_email is not a consent state: use granted, withdrawn, pending or unknown",
		"8: external_id is missing",
		"9: country is not a two-letter country code such as GB: translate names with values in the mapping",
		"10: created_at lies more than a day in the future",
		"11: created_at lies before 1970",
		"13: is not valid UTF-8",
		"14: has 4 columns, the header 8",
		"15: time_zone is not an IANA time zone such as Europe/London",
		"16: a quote is opened and never closed",
	}
	// An odd quote swallows what follows; the first line alone is refused.
	if got := strings.Join(rejects, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("rejected:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	if s.Accepted != 2 || s.Rejected != 13 || s.Skipped != 1 || s.Rows != 16 {
		t.Errorf("summary %+v", s)
	}
	ann := m.customers["1"]
	if ann.Attributes["plan"] != "gold, extra" || ann.TimeZone != "Europe/London" || ann.CreatedAt.Year() != 2024 {
		t.Errorf("ann is %+v", ann)
	}
	if len(m.consents) != 2 || m.consents[0].State != lifecycle.ConsentGranted || m.consents[1].State != lifecycle.ConsentWithdrawn {
		t.Errorf("consents %+v", m.consents)
	}
}

func TestCustomerTwiceInOneBatchIsMerged(t *testing.T) {
	t.Parallel()
	m := newMemory()
	s, _ := run(t, m, ingest.Customers, "external_id,email,first_name\n1,a@shop.example,Ann\n1,,Anna\n")
	if c := m.customers["1"]; c.Email != "a@shop.example" || c.FirstName != "Anna" || s.Accepted != 1 || s.Present != 1 {
		t.Errorf("got %+v, %+v", c, s)
	}
}

func TestEventsFromJSONLines(t *testing.T) {
	t.Parallel()
	m := newMemory()
	text := `{"external_id":"7","name":"Checkout Started","at":"2025-03-01T10:00:00+01:00","properties":{"cart_id":"c1","value":12.50},"store":"Leeds"}
{"external_id":7,"name":"Checkout Started","at":"2025-03-01T09:00:00Z","properties":{"cart_id":"c1","value":12.50},"store":"Leeds"}
{"external_id":"8","name":"Seen","at":"2025-03-01T10:00:00Z","message_id":"m1"}
{"external_id":"8","name":"Seen","at":"2025-03-01T10:00:00Z","message_id":"m1"}
{"external_id":"8","name":"Seen","at":"yesterday"}
{"external_id":"8","name":"Bad","at":"2025-03-01","properties":{"a":"\u0000"}}
{"external_id":"8","name":"Bad","at":"2025-03-01","properties":{"a":"\ud800"}}
{"external_id":"8","name":"Bad","at":"2025-03-01","properties":{"a":1e999}}
{"external_id":"8","name":"Bad","at":"2025-03-01","properties":[1]}
{"external_id":"8","name":"","at":"2025-03-01"}
nonsense
`
	s, rejects := run(t, m, ingest.Events, text)
	want := []string{
		"5: at is not an RFC 3339 instant such as 2026-03-01T09:30:00Z",
		"6: properties contains a NUL character",
		"7: properties contains half of a surrogate pair",
		"8: properties has a number out of range",
		"9: properties is not a JSON object",
		"10: name is missing",
		"11: is not a JSON object on one line",
	}
	if got := strings.Join(rejects, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("rejected:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	// The same instant written in two zones is the same event.
	if s.Accepted != 2 || s.Present != 2 || s.Created != 2 || len(m.events) != 2 {
		t.Errorf("summary %+v, %d events", s, len(m.events))
	}
	for _, e := range m.events {
		if e.Name == "Checkout Started" && string(e.Properties) != `{"cart_id":"c1","store":"Leeds","value":12.50}` {
			t.Errorf("properties %s", e.Properties)
		}
	}
	if c := m.customers["7"].CreatedAt; !c.Equal(time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("a customer made for an event dates from it, got %v", c)
	}
}

const linesMapping = `
kind: orders
lines: true
window: 3
skip: row.sku == "POST"
columns:
  order_id: invoice
  external_id: who
  at: {column: when, layout: "02.01.2006 15:04", zone: Europe/London}
  total: {multiply: [quantity, price]}
  currency: {constant: GBP}
  items: quantity
  first_item: what
  country: {column: land, values: {England: GB}, otherwise: ""}
`

func TestOrderLinesBecomeOrders(t *testing.T) {
	t.Parallel()
	m := newMemory()
	text := "invoice,who,when,sku,what,quantity,price,land\n" +
		"A1,9,01.07.2025 12:00,x,Mug,2,1.005,England\n" +
		"B1,8,01.07.2025 12:00,y,Cup,1,3.10,Nowhere\n" +
		"A1,9,01.07.2025 12:01,z,Pot,1,10,England\n" +
		"A1,9,01.07.2025 12:01,POST,Postage,1,4.95,England\n" +
		"CA1,9,02.07.2025 12:01,x,Mug,-1,1.005,England\n" +
		"D1,7,02.07.2025 12:01,x,Mug,1,2,England\n" +
		"D1,6,02.07.2025 12:01,x,Mug,1,2,England\n" +
		"E1,6,02.07.2025 12:01,x,Mug,1,2,England\n" +
		"E2,6,02.07.2025 12:01,x,Mug,1,2,England\n" +
		"B1,8,02.07.2025 12:00,y,Cup,1,3.10,Nowhere\n" +
		"F1,6,02.07.2025 12:01,x,Mug,one,2,England\n"
	s, rejects := run(t, m, ingest.Orders, text, mapping(t, linesMapping))
	want := []string{
		"8: order_id is shared by lines of different customers",
		"11: order_id appears again more than 3 rows after its order ended: sort the file by order or raise window",
		"12: quantity is not a decimal number",
	}
	if got := strings.Join(rejects, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("rejected:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	if s.Accepted != 6 || s.Skipped != 1 || s.Created != 4 {
		t.Errorf("summary %+v", s)
	}
	a := m.orders["A1"]
	if a.Total != (lifecycle.Money{Amount: 1201, Currency: "GBP"}) || a.Items != 3 || a.FirstItem != "Mug" || !a.At.Equal(time.Date(2025, 7, 1, 11, 0, 0, 0, time.UTC)) {
		t.Errorf("A1 is %+v", a)
	}
	if c := m.orders["CA1"]; c.Total.Amount != -101 || c.Event.Name != ingest.OrderRefunded || c.Items != 1 {
		t.Errorf("CA1 is %+v", c)
	}
	if p := string(a.Event.Properties); p != `{"order_id":"A1","total":12.01,"currency":"GBP","items":3,"products":[{"name":"Mug","quantity":2},{"name":"Pot","quantity":1}]}` {
		t.Errorf("event %s", p)
	}
	if m.customers["9"].Country != "GB" || m.customers["8"].Country != "" {
		t.Error("countries are translated, unknown ones left empty")
	}
}

func TestTrackedFile(t *testing.T) {
	t.Parallel()
	text := `{"type":"identify","userId":"u1","messageId":"a","timestamp":"2025-01-01T00:00:00Z","traits":{"email":"u1@shop.example","email_consent":true,"vip":3},"context":{"timezone":"Europe/Paris"}}
{"batch":[{"type":"track","event":"Order Completed","userId":"u1","messageId":"b","timestamp":"2025-01-02T00:00:00Z","properties":{"order_id":"o1","total":"20.00","currency":"GBP"}},{"type":"page","name":"Home","userId":"u2","messageId":"c","timestamp":"2025-01-02T00:00:00Z","context":{"timezone":"Asia/Tokyo"}},{"type":"track","event":"X","anonymousId":"q","timestamp":"2025-01-02T00:00:00Z"}]}
`
	m := newMemory()
	s, rejects := run(t, m, ingest.Events, text)
	if len(rejects) != 1 || !strings.Contains(rejects[0], "2: userId is missing") {
		t.Errorf("rejected %q", rejects)
	}
	if s.Accepted != 3 || m.orders["o1"].Total.Amount != 2000 || m.customers["u1"].TimeZone != "Europe/Paris" || m.customers["u2"].TimeZone != "Asia/Tokyo" {
		t.Errorf("summary %+v, customers %+v", s, m.customers)
	}
	if again, _ := run(t, m, ingest.Events, text); again.Accepted != 0 || again.Present != 3 {
		t.Errorf("again: %+v", again)
	}
	// The same order through the other door changes nothing.
	file := "order_id,external_id,at,total\no1,u1,2025-01-02,20.00\n"
	if s, _ := run(t, m, ingest.Orders, file); s.Present != 1 || s.Accepted != 0 || len(m.events) != 2 {
		t.Errorf("other door: %+v, %d events", s, len(m.events))
	}
}

func eventsCSV(n int) string {
	var b strings.Builder
	b.WriteString("external_id,name,at,message_id,properties\n")
	for i := range n {
		fmt.Fprintf(&b, "c%d,Seen,2025-01-01T00:00:00Z,m%d,\"{\"\"n\"\":%d}\"\n", i%50, i, i)
	}
	return b.String()
}

func TestInterruptedImportResumes(t *testing.T) {
	t.Parallel()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte(eventsCSV(5000) + "c1,,2025-01-01T00:00:00Z,x,\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "events.csv.gz")
	if err := os.WriteFile(path, z.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	m.failAfter = 3
	o := options(m, ingest.Events, "")
	o.Path, o.Reader, o.BatchSize = path, nil, 500
	if _, err := ingest.Import(context.Background(), o); lifecycle.CodeOf(err) != lifecycle.Unavailable {
		t.Fatalf("got %v", err)
	}
	if len(m.events) != 1500 {
		t.Fatalf("%d events before the interruption", len(m.events))
	}
	m.failAfter = 0
	s, err := ingest.Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.ResumedAt != 1501 || s.Accepted != 3500 || s.Present != 0 || s.Rejected != 1 || len(m.events) != 5000 {
		t.Errorf("resumed: %+v, %d events", s, len(m.events))
	}
	s, err = ingest.Import(context.Background(), o)
	if err != nil || !s.Done || s.Rows != 0 {
		t.Errorf("a finished file is not read again: %+v, %v", s, err)
	}
	o.Restart = true
	if s, err = ingest.Import(context.Background(), o); err != nil || s.Present != 5000 || s.Accepted != 0 {
		t.Errorf("restarted: %+v, %v", s, err)
	}
	if got := rejected(t, path+".rejects.csv"); len(got) != 1 || got[0] != "5002: name is missing" {
		t.Errorf("rejected %q", got)
	}
}

func TestHistoryStartsNoJourney(t *testing.T) {
	t.Parallel()
	now := clock.Clock{}.Now()
	text := "external_id,name,at\n1,Signed Up," + now.Add(-time.Hour).Format(time.RFC3339) + "\n"
	m := newMemory()
	run(t, m, ingest.Events, text)
	if m.batches[0].Listens != nil {
		t.Error("files are history by default")
	}
	run(t, m, ingest.Events, text, func(o *ingest.Options) { o.Live, o.Listens = true, []string{"Signed Up"} })
	live := m.batches[1]
	if len(live.Listens) != 1 || now.Sub(live.Since) > 25*time.Hour || now.Sub(live.Since) < 23*time.Hour {
		t.Errorf("live batch listens %v since %v", live.Listens, live.Since)
	}
}

func TestErasedCustomersStayErased(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.erased["1"] = true
	s, rejects := run(t, m, ingest.Events, "external_id,name,at\n1,Seen,2025-01-01\n2,Seen,2025-01-01\n")
	if s.Accepted != 1 || len(rejects) != 1 || rejects[0] != "2: external_id belongs to a customer who was erased" {
		t.Errorf("%+v, %q", s, rejects)
	}
}

func TestBadFilesAreRefusedWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, text, want string }{
		"empty":            {"events", "", "the file is empty"},
		"array":            {"events", "[{}]", "one JSON array"},
		"duplicate column": {"events", "external_id,name,at,name\n", `names column "name" twice`},
		"missing columns":  {"orders", "order_id,total\n", "no column for external_id, at"},
		"unnamed column":   {"events", "external_id,,at\n", "column 2 of the header has no name"},
	} {
		o := options(newMemory(), ingest.Kind(c.kind), c.text)
		if _, err := ingest.Import(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// Whatever the size of batches, every row is accounted for exactly once.
func TestEveryRowIsAccountedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1200).Draw(t, "rows")
		bad := rapid.IntRange(2, 50).Draw(t, "every so many is bad")
		var b strings.Builder
		b.WriteString("external_id,name,at,message_id\n")
		good := 0
		for i := range n {
			name := "Seen"
			if i%bad == 0 {
				name = ""
			} else {
				good++
			}
			fmt.Fprintf(&b, "\"c\n%d\",%s,2025-01-01T00:00:00Z,m%d\n", i%7, name, i)
		}
		m := newMemory()
		o := options(m, ingest.Events, b.String())
		o.BatchSize = rapid.IntRange(1, 700).Draw(t, "batch")
		o.Rejects = filepath.Join(dir, "rejects.csv")
		s, err := ingest.Import(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if s.Rows != int64(n) || s.Accepted != int64(good) || s.Rejected != int64(n-good) || len(m.events) != good {
			t.Fatalf("%d rows, %d good: %+v", n, good, s)
		}
	})
}
