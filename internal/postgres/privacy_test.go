package postgres_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// TestAcceptedErasureStopsEverything: from the commit on no touch is reserved, new or
// planned, nobody enters anything, and the addresses are suppressed by their hash.
func TestAcceptedErasureStopsEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(2)
	waiting := b.planned(c[0], "a")
	fresh := touch(b.enter(c[0], "winback", "k2"), "b") // planned in memory only, as a page does
	sending := b.planned(c[1], "a")
	accept := func() ledger.PrivacyRequest {
		t.Helper()
		r, err := b.AcceptErasure(t.Context(), ledger.PrivacyRequest{CustomerID: c[0], By: "jane", Reason: "asked by telephone", RequestedAt: noon})
		b.must(err)
		return r
	}
	first := accept()
	if again := accept(); again.ID != first.ID || first.ID == "" || !again.RequestedAt.Equal(noon) {
		t.Errorf("asked again: %+v, first %+v", again, first)
	}
	for _, touch := range []lifecycle.Touch{waiting, fresh} {
		if r := b.reserve(touch, noon.Add(time.Second)); r.Result != ledger.Closed || r.State != lifecycle.TouchSkipped {
			t.Errorf("touch %s after the request: %+v", touch.Step, r)
		}
	}
	if r := b.reserve(sending, noon); r.Result != ledger.Granted {
		t.Errorf("another customer's touch: %+v", r)
	}
	if b.state(waiting) != lifecycle.TouchSkipped {
		t.Errorf("the planned touch is %s", b.state(waiting))
	}
	_, _, err := b.Enter(t.Context(), ledger.Entry{Journey: "welcome", Version: 1, CustomerID: c[0], EntryKey: "late", At: noon, Always: true})
	wantCode(t, err, lifecycle.NotFound)
	if n := query[int](b, "select count(*) from suppressions where reason = 'erased' and address_hash = address_hash('C000000@example.com')"); n != 1 {
		t.Error("the address is not suppressed")
	}
	if open, err := b.OpenErasures(t.Context(), time.Now().Add(time.Minute), 10); err != nil || len(open) != 1 || open[0].ID != first.ID {
		t.Errorf("open: %+v, %v", open, err)
	}
	done := b.erase(c[0], noon.Add(time.Minute))
	if done.Runs != 2 {
		t.Errorf("erased %+v", done)
	}
	first.DoneAt, first.Receipt = noon.Add(time.Minute), []byte(`{"runs": 2}`)
	b.must(b.FinishPrivacy(t.Context(), first))
	first.DoneAt, first.Receipt = noon.Add(time.Hour), []byte(`{"late": {"events": 1}}`)
	b.must(b.FinishPrivacy(t.Context(), first))
	r, err := b.PrivacyRequest(t.Context(), first.ID)
	b.must(err)
	if !r.DoneAt.Equal(noon.Add(time.Minute)) || string(r.Receipt) != `{"late": {"events": 1}, "runs": 2}` {
		t.Errorf("receipt %+v %s", r, r.Receipt)
	}
	if n := query[int](b, "select count(*) from decision_log where kind in ('privacy.erasure_accepted', 'customer.erased') and actor = 'jane'"); n != 2 {
		t.Errorf("%d decision records", n)
	}
	_, err = b.AcceptErasure(t.Context(), ledger.PrivacyRequest{CustomerID: lifecycle.CustomerID(id()), By: "jane", RequestedAt: noon})
	wantCode(t, err, lifecycle.NotFound)
	_, err = b.AcceptErasure(t.Context(), ledger.PrivacyRequest{CustomerID: c[1], RequestedAt: noon})
	wantCode(t, err, lifecycle.Invalid)
	b.verified()
}

// TestErasureEmptiesWhatComesLate: a second look finds what was on its way.
func TestErasureEmptiesWhatComesLate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	b.exec("create table devices (id int, customer_id uuid not null, token text)") // of a channel to come
	b.exec("insert into devices values (1, $1, 'secret'), (2, $2, 'other')", string(c), id())
	if done := b.erase(c, noon); done.Belongings != 1 || query[int](b, "select count(*) from devices") != 1 {
		t.Errorf("devices: %+v", done)
	}
	_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: c, Name: "x", At: noon, ReceivedAt: noon, Properties: map[string]any{"city": "Bonn"}}}, nil)
	b.must(err)
	if late := b.erase(c, noon.Add(time.Hour)); late != (ledger.Erased{Events: 1}) {
		t.Errorf("the second look found %+v", late)
	}
	if third := b.erase(c, noon.Add(2*time.Hour)); third != (ledger.Erased{}) {
		t.Errorf("the third look found %+v", third)
	}
}

// TestComingBack: who was erased is nobody to what a shop repeats, and a new customer
// by signing up anew.
func TestComingBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(1)[0]
	b.erase(c, noon)
	back := []lifecycle.Customer{{ExternalID: "c000000", Email: "c000000@example.com", FirstName: "Ada"}}
	for name, row := range map[string]ledger.ConsentRow{"file": says("c000000", lifecycle.ConsentGranted, noon.Add(time.Hour), "Yes", false),
		"trait": says("c000000", lifecycle.ConsentGranted, noon.Add(time.Hour), "", true), "older consent": says("c000000", lifecycle.ConsentGranted, noon.Add(-time.Hour), "Yes", true)} {
		n, err := b.UpsertCustomers(t.Context(), back, []ledger.ConsentRow{row}, noon.Add(time.Hour))
		if b.must(err); n != 0 || query[int](b, "select count(*) from customers where email is not null") != 0 {
			t.Errorf("a %s brought an erased customer back", name)
		}
	}
	if ids, err := b.ActiveCustomerIDs(t.Context(), []string{"c000000"}); err != nil || len(ids) != 0 {
		t.Errorf("active %v, %v", ids, err)
	}
	n, err := b.UpsertCustomers(t.Context(), back, []ledger.ConsentRow{says("c000000", lifecycle.ConsentGranted, noon.Add(2*time.Hour), "Yes", true)}, noon.Add(2*time.Hour))
	if b.must(err); n != 1 {
		t.Fatal("a new sign-up made no new customer")
	}
	ids, err := b.ActiveCustomerIDs(t.Context(), []string{"c000000"})
	b.must(err)
	fresh := ids["c000000"]
	if fresh == "" || fresh == c || b.email(fresh).State != lifecycle.ConsentGranted || b.email(c).State == lifecycle.ConsentGranted {
		t.Errorf("fresh %s, erased %s", fresh, c)
	}
	if n := query[int](b, "select count(*) from suppressions where channel = 'email'"); n != 0 {
		t.Error("the address of somebody who signed up anew is still suppressed")
	}
	if got := query[string](b, "select external_id from customers where id = $1", string(c)); got != "erased:"+string(c) {
		t.Errorf("the old customer is %s", got)
	}
}

// TestExport: the document is JSON and holds everything, other tables too.
func TestExport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.customers(2)
	b.exec("create table devices (id int, customer_id uuid not null, token text)")
	b.exec("insert into devices values (1, $1, 'token-of-c0'), (2, $2, 'token-of-c1')", string(c[0]), string(c[1]))
	b.consent(says("c000000", lifecycle.ConsentGranted, noon, "Yes, write to me", false))
	_, err := b.InsertEvents(t.Context(), []lifecycle.Event{{ID: lifecycle.EventID(id()), CustomerID: c[0], Name: "Checkout Started", At: noon, ReceivedAt: noon, Properties: map[string]any{"city": "Bonn\"\u2028"}}}, nil)
	b.must(err)
	_, err = b.InsertOrders(t.Context(), []ledger.OrderRow{{Order: lifecycle.Order{ExternalID: "o", CustomerID: c[0], At: noon, Total: lifecycle.Money{Amount: 500, Currency: "USD"}, FirstItem: "Lamp"}}})
	b.must(err)
	sent := b.planned(c[0], "a")
	b.send(sent, noon)
	b.must(b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "k", Actor: "a", CustomerID: c[0], Body: []byte(`{"why":"x"}`)}}))
	var out bytes.Buffer
	r, err := b.ExportCustomer(t.Context(), ledger.PrivacyRequest{CustomerID: c[0], By: "jane", RequestedAt: noon}, &out)
	b.must(err)
	var doc struct {
		Format, Customer string
		Profile          struct{ Email string }
		Consents         []struct{ Wording, IP string }
		History          []struct{ IP string } `json:"consent_history"`
		Events           []struct{ Name string }
		Orders           []struct {
			FirstItem string `json:"first_item"`
		}
		Runs, Touches []any
		TouchHistory  []any `json:"touch_history"`
		Decisions     []struct{ Body map[string]any }
		Other         map[string][]struct{ Token string }
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if doc.Format != postgres.ExportFormat || doc.Customer != string(c[0]) || doc.Profile.Email != "c000000@example.com" || doc.Consents[0].Wording != "Yes, write to me" ||
		doc.History[0].IP != "192.0.2.1" || doc.Events[0].Name != "Checkout Started" || doc.Orders[0].FirstItem != "Lamp" || len(doc.Runs) != 1 || len(doc.Touches) != 1 ||
		len(doc.TouchHistory) < 3 || doc.Decisions[len(doc.Decisions)-1].Body["why"] != "x" || len(doc.Other["devices"]) != 1 || doc.Other["devices"][0].Token != "token-of-c0" {
		t.Errorf("export:\n%s", out.String())
	}
	if strings.Contains(out.String(), "c000001") || strings.Contains(out.String(), "token-of-c1") {
		t.Error("the export holds another customer's data")
	}
	if stored, err := b.PrivacyRequest(t.Context(), r.ID); err != nil || stored.DoneAt.IsZero() || !strings.Contains(string(stored.Receipt), `"events": 1`) {
		t.Errorf("receipt %s, %v", stored.Receipt, err)
	}
	if _, err := b.ExportCustomer(t.Context(), ledger.PrivacyRequest{CustomerID: lifecycle.CustomerID(id()), By: "jane", RequestedAt: noon}, io.Discard); lifecycle.CodeOf(err) != lifecycle.NotFound {
		t.Errorf("nobody's export: %v", err)
	}
	b.verified()
}
