package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/internal/ingest"
)

func TestMappingErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", "empty"},
		{"kind: orders\ncolumn: {}\n", "[2:1]"},
		{"kind: people\n", "customers, events, orders or touches"},
		{"kind: orders\ncolumns: {foo: bar}\n", `no column "foo"`},
		{"kind: orders\ncolumns: {at: {layout: x}}\n", "exactly one of"},
		{"kind: orders\ncolumns: {at: {column: a, constant: b}}\n", "exactly one of"},
		{"kind: orders\ncolumns: {at: {column: a, zone: Local}}\n", "IANA"},
		{"kind: orders\ncolumns: {at: {column: a, zone: Moon/Base}}\n", "Moon/Base"},
		{"kind: events\nlines: true\n", "lines belongs to kind orders"},
		{"kind: orders\ndelimiter: ab\n", "delimiter"},
		{"kind: orders\nwindow: -1\n", "window"},
		{"kind: events\nproperties: {a: {column: b, type: date}}\n", "type must be"},
		{"kind: events\ncolumns: {name: {column: b, otherwise: x}}\n", "otherwise needs values"},
	} {
		if _, err := ingest.ParseMapping([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestShippedMappingsParse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/mappings/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("mappings %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ingest.ParseMapping(text); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestShippedMappingsRead(t *testing.T) {
	t.Parallel()
	load := func(name string) func(*ingest.Options) {
		text, err := os.ReadFile("../../docs/examples/mappings/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		return mapping(t, string(text))
	}
	m := newMemory()
	run(t, m, ingest.Orders, `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,22728,"CLOCK, PINK",24,2010-12-01 08:45:00,3.75,12583,Norway
1,POST,POSTAGE,3,2010-12-01 08:45:00,18,12583,Norway
2,22728,MUG,1,2010-12-01 08:46:00,3.75,,France
C3,22728,CLOCK,-1,2011-07-01 12:00:00,3.75,12583,Norway
`, load("online_retail"))
	if o := m.orders["1"]; len(m.orders) != 2 || o.Total.Amount != 9000 || o.Items != 24 || m.orders["C3"].Total.Amount != -375 || m.orders["C3"].At.Hour() != 11 {
		t.Errorf("orders %+v", m.orders)
	}
	if c := m.customers["12583"]; c.Country != "NO" || c.TimeZone != "Europe/Oslo" {
		t.Errorf("customer %+v", c)
	}
	m = newMemory()
	run(t, m, ingest.Orders, "customer_id,date,cds,amount\n00002,1997-01-12,1,12.00\n00002,1997-01-12,5,77.00\n00003,1997-01-02,2,20.76\n",
		load("cdnow"), func(o *ingest.Options) { o.Currency = "USD" })
	if o := m.orders["cdnow-00002-1997-01-12"]; len(m.orders) != 2 || o.Total.Amount != 8900 || o.Items != 6 {
		t.Errorf("orders %+v", m.orders)
	}
}

func TestMappedAttributesAndEuropeanNumbers(t *testing.T) {
	t.Parallel()
	m := newMemory()
	run(t, m, ingest.Customers, "Kunde;Alter;VIP;Rest\n7;41,5;ja;x\n", mapping(t, `
kind: customers
decimal: ","
columns: {external_id: Kunde}
attributes:
  age: {column: Alter, type: number}
  vip: {column: VIP, values: {ja: "true", nein: "false"}, type: bool}
  source: {constant: shop}
`))
	if a := m.customers["7"].Attributes; len(a) != 3 || a["age"] != 41.5 || a["vip"] != true || a["source"] != "shop" {
		t.Errorf("attributes %v", a)
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add([]byte(linesMapping))
	f.Add([]byte("kind: events\nskip: row.a\n"))
	f.Add([]byte("columns: {at: &a {column: *a}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := ingest.ParseMapping(text); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}
