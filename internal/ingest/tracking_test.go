package ingest_test

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
)

var received = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func decode(t testing.TB, kind, text string) (ingest.Message, error) {
	t.Helper()
	return (&ingest.Tracker{Currency: "GBP", Now: received, Source: "api"}).Decode([]byte(text), kind, "")
}

func TestTrackedInstantsAreCorrected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fields, want string }{
		"no instant":           {`"a":1`, "2026-03-01T12:00:00Z"},
		"right clock":          {`"timestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T12:00:00Z"`, "2026-03-01T11:00:00Z"},
		"clock a day ahead":    {`"timestamp":"2026-03-02T11:00:00Z","sentAt":"2026-03-02T12:00:00Z"`, "2026-03-01T11:00:00Z"},
		"original wins":        {`"originalTimestamp":"2026-03-01T10:30:00Z","timestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T11:59:00Z"`, "2026-03-01T10:31:00Z"},
		"no sentAt, as stated": {`"timestamp":"2026-03-01T13:00:00+01:00"`, "2026-03-01T12:00:00Z"},
	} {
		m, err := decode(t, "track", `{"userId":"u","event":"Seen",`+c.fields+`}`)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := m.Event.At.Format(time.RFC3339); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestMessagesAreRefusedWithReasons(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"event":"X"}`:            "userId and anonymousId are missing",
		`{"userId":"u"}`:           "event is missing",
		`[]`:                       "message is not a JSON object",
		`{"userId":"u","event":5}`: "wrong type: event is a number",
		`{"userId":"u","event":"X","properties":[]}`:                                                            "properties is not a JSON object",
		`{"userId":"u","event":"X","timestamp":"soon"}`:                                                         "timestamp is not an RFC 3339 instant",
		`{"userId":"u","event":"X","timestamp":"2026-03-09T00:00:00Z"}`:                                         "more than a day in the future",
		`{"userId":"u","event":"X","messageId":"` + nines(101) + `"}`:                                           "messageId is longer",
		`{"userId":"u","event":"X","properties":{"a":"` + nines(33000) + `"}}`:                                  "larger than 32 KB",
		`{"userId":"u","event":"Order Completed","properties":{"total":1}}`:                                     "order_id is missing",
		`{"userId":"u","event":"Order Completed","properties":{"order_id":"1"}}`:                                "total is missing",
		`{"userId":"u","event":"Order Completed","properties":{"order_id":"1","total":1,"currency":"EUR"}}`:     "not the brand's currency",
		`{"userId":"u","event":"Order Completed","properties":{"order_id":"1","total":-1,"currency":"GBP"}}`:    "total is negative",
		`{"userId":"u","event":"Order Completed","properties":{"order_id":"1","total":"1e9","currency":"GBP"}}`: "total is not a decimal number",
	} {
		if _, err := decode(t, "track", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %v, want %q", text, err, want)
		}
	}
}

func nines(n int) string { return strings.Repeat("9", n) }

func TestIdentify(t *testing.T) {
	t.Parallel()
	m, err := decode(t, "identify", `{"userId":12,"timestamp":"2026-03-01T11:00:00Z","context":{"timezone":"Nowhere/Land","locale":"en-GB","ip":"192.0.2.1"},
		"traits":{"email":"ann@shop.example","firstName":"Ann","phone":null,"address":{"country":"GB","postalCode":"LS1"},"logins":7,
		"email_consent":{"state":"granted","wording":"Yes, write to me"},"sms_consent":false,"fax_consent":true}}`)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Customer.Customer
	if c.ExternalID != "12" || c.Email != "ann@shop.example" || c.Country != "GB" || c.PostalCode != "LS1" || c.TimeZone != "" || c.Locale != "en-GB" ||
		c.Attributes["logins"] != 7.0 || c.Attributes["fax_consent"] != true || len(c.Attributes) != 2 {
		t.Errorf("customer %+v", c)
	}
	if k := m.Customer.Consents; len(k) != 2 || k[0].State != lifecycle.ConsentGranted || k[0].Wording != "Yes, write to me" || k[0].IP != "192.0.2.1" ||
		k[0].Source != "identify" || k[0].At.Hour() != 11 || k[1].State != lifecycle.ConsentWithdrawn || k[1].Channel != lifecycle.SMS {
		t.Errorf("consents %+v", k)
	}
	if _, err := decode(t, "identify", `{"userId":"u","traits":{"email":"nobody"}}`); err == nil {
		t.Error("a bad address must be refused")
	}
}

func TestRefundsAreOrdersOfTheirOwn(t *testing.T) {
	t.Parallel()
	m, err := decode(t, "track", `{"userId":"u","event":"Order Refunded","messageId":"r1","properties":{"order_id":"o1","products":[{"name":"Mug","price":4.5,"quantity":2}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	o := m.Order.Order
	if o.Total.Amount != -900 || o.ExternalID == "o1" || !strings.HasPrefix(o.ExternalID, "o1/refund/") || m.Order.Event.ID != ingest.OrderEventID(o.ExternalID) {
		t.Errorf("refund %+v", o)
	}
}

func TestEventIdentity(t *testing.T) {
	t.Parallel()
	at := received
	base := ingest.ContentEventID("u", "X", at, []byte("{}"))
	if base != ingest.ContentEventID("u", "X", at.In(time.FixedZone("", 3600)), []byte("{}")) {
		t.Error("the zone an instant is written in does not matter")
	}
	for _, other := range []lifecycle.EventID{
		ingest.ContentEventID("uX", "", at, []byte("{}")), ingest.ContentEventID("u", "X", at.Add(time.Microsecond), []byte("{}")),
		ingest.ContentEventID("u", "X", at, []byte("{ }")), ingest.EventIDOf("u"), ingest.OrderEventID("u"),
	} {
		if other == base {
			t.Errorf("%s is not the same event", other)
		}
	}
	if ingest.EventIDOf("a") == ingest.OrderEventID("a") || base[14] != '8' {
		t.Error("ids are version 8 and kept apart by what they derive from")
	}
}

func FuzzTracked(f *testing.F) {
	f.Add(`{"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":1,"total":1.5,"products":[{"price":"1","quantity":2}]}}`)
	f.Add(`{"type":"identify","userId":1,"traits":{"email":"a@b.cd","address":{},"email_consent":{"state":1}}}`)
	f.Add(`{"userId":"\ud800","type":"page"}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decode(t, "", text)
		if err != nil {
			return
		}
		for _, e := range []*ingest.EventRow{m.Event, orderEvent(m)} {
			if e != nil && (!json.Valid(e.Properties) || e.Name == "" || e.ExternalID == "" || len(e.ID) != 36) {
				t.Fatalf("accepted %q as %+v", text, e)
			}
		}
	})
}

func orderEvent(m ingest.Message) *ingest.EventRow {
	if m.Order == nil {
		return nil
	}
	return &m.Order.Event
}

// Whatever the bytes, an import ends, and every row read is accounted for.
func FuzzImport(f *testing.F) {
	f.Add("events", []byte("external_id,name,at\n1,X,2025-01-01\n\"a\n"))
	f.Add("orders", []byte("order_id;external_id;at;total\n1;2;2025-01-01;\"1,5\"\n"))
	f.Add("customers", []byte(`{"external_id":1,"email":"a@b.cd","x":{"y":1}}`))
	f.Add("events", []byte(`{"batch":[{"type":"track","userId":"u","event":"E","timestamp":"2025-01-01"},3]}`))
	f.Add("events", []byte("\x1f\x8b\x08"))
	f.Add("touches", []byte("external_id,at,journey,channel,arm,opened_at\n1,2025-01-01,spring,email,,2025-01-02\n2,2025-01-01,spring,,holdout,\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		k, err := ingest.ParseKind(kind)
		if err != nil {
			return
		}
		m := newMemory()
		o := options(m, k, "")
		o.Reader, o.Rejects, o.BatchSize = io.MultiReader(strings.NewReader(string(text))), filepath.Join(dir, "rejects.csv"), 3
		s, err := ingest.Import(context.Background(), o)
		if err == nil && s.Accepted+s.Present+s.Rejected+s.Skipped < s.Rows {
			t.Fatalf("%q: rows are missing: %+v", text, s)
		}
	})
}
