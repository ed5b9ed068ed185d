package ingest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
)

func shopEvent(user, event, at, properties string) string {
	return fmt.Sprintf(`{"type":"track",%s,"event":"%s","timestamp":"2026-03-%sZ","properties":%s}`, user, event, at, properties)
}

func (in intake) profile(t testing.TB, user string) lifecycle.Profile {
	t.Helper()
	c, err := in.store.FindCustomer(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	p, err := in.store.Profile(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Refunds and cancellations take back what was bought, once, whatever they state
// and in whatever order they come.
func TestOrdersAreTakenBack(t *testing.T) {
	t.Parallel()
	in := newIntake(t)
	const ann = `"userId":"ann"`
	in.ok(t,
		shopEvent(ann, "Order Cancelled", "12T10:00:00", `{"order_id":"1","total":30}`), // before its order
		shopEvent(ann, "Order Completed", "10T10:00:00", `{"order_id":"1","total":30}`),
		shopEvent(ann, "Order Refunded", "11T10:00:00", `{"order_id":"1","total":12.5}`),
		shopEvent(ann, "Order Completed", "10T11:00:00", `{"order_id":"2","total":"20.00","products":[{"name":"Mug","price":10,"quantity":2}]}`),
		shopEvent(ann, "Order Updated", "10T12:00:00", `{"order_id":"2","total":25}`),
		shopEvent(ann, "Order Refunded", "13T10:00:00", `{"order_id":"2"}`), // all of it
		shopEvent(ann, "Order Completed", "10T13:00:00", `{"order_id":"3","revenue":7}`),
		shopEvent(ann, "Order Refunded", "14T10:00:00", `{"order_id":"3","products":[{"product_id":"p","price":2,"quantity":1}]}`),
		shopEvent(ann, "Order Completed", "10T14:00:00", `{"order_id":"4","value":9}`))
	for sql, want := range map[string]string{
		`select string_agg(total::text, ' ' order by at, total) from orders where of_order = '1'`:                        "-1250 -1750",
		`select string_agg(total::text, ' ' order by at, total) from orders where coalesce(of_order, external_id) = '2'`: "2500 -2500",
		`select total from orders where of_order = '3'`:                                                                  "-200",
		`select sum(total) from orders`: "1400",
		`select count(*) from events`:   "9",
	} {
		in.is(t, want, sql)
	}
	if o := in.profile(t, "ann").Orders; o.Count != 4 || o.Revenue.Amount != 1400 || o.LastAt.Hour() != 14 {
		t.Errorf("orders %+v", o)
	}
}

// What a visitor did belongs to the customer it turns out to be: order, cart and
// interests; and a fresh checkout reaches the journeys then.
func TestVisitorsBecomeCustomers(t *testing.T) {
	t.Parallel()
	in := newIntake(t, "Checkout Started")
	const visitor = `"anonymousId":"browser-1"`
	in.ok(t,
		shopEvent(visitor, "Product Viewed", "20T11:00:00", `{"product_id":"p1","category":"shoes","price":40}`),
		shopEvent(visitor, "Product Added", "20T11:01:00", `{"product_id":"p1","category":"shoes","price":40,"quantity":2,"name":"Boot"}`),
		shopEvent(visitor, "Product Added", "20T11:02:00", `{"product_id":"p2","category":"socks","price":5}`),
		shopEvent(visitor, "Product Removed", "20T11:03:00", `{"product_id":"p1","quantity":1}`),
		shopEvent(visitor, "Checkout Started", "18T11:00:00", `{"value":1}`), // too old to react to
		shopEvent(visitor, "Checkout Started", "20T11:30:00", `{"value":45}`),
		shopEvent(visitor, "Order Completed", "01T08:00:00", `{"order_id":"guest","total":50}`))
	in.is(t, "0", `select (select count(*) from customers) + (select count(*) from event_outbox)`)
	in.ok(t, `{"type":"identify","userId":"bo","anonymousId":"browser-1","timestamp":"2026-03-20T11:40:00Z","traits":{"email":"bo@shop.example","email_consent":true}}`)
	in.is(t, "1", `select count(*) from event_outbox`)
	p := in.profile(t, "bo")
	if p.Orders.Count != 1 || p.Orders.Revenue.Amount != 5000 || p.Customer.Email != "bo@shop.example" || p.Consents[lifecycle.Email].State != lifecycle.ConsentGranted {
		t.Errorf("profile %+v", p)
	}
	if p.Cart.Items != 2 || p.Cart.Value != 45 || !p.Cart.ChangedAt.Equal(time.Date(2026, 3, 20, 11, 30, 0, 0, time.UTC)) {
		t.Errorf("cart %+v", p.Cart)
	}
	for name, want := range map[string]float64{"shoes": 4, "socks": 3, "p1": 4, "p2": 3} {
		if got := p.Affinities[name] * lifecycle.AffinityLeft(receivedAt); math.Abs(got-want) > 0.02 {
			t.Errorf("affinity to %s: %v, want about %v", name, got, want)
		}
	}
	// The same browser in other hands later: what is anonymous stays with bo, and a
	// statement that names somebody goes to them.
	in.ok(t, shopEvent(`"userId":"cy","anonymousId":"browser-1"`, "Seen", "20T11:50:00", `{}`), shopEvent(visitor, "Seen", "20T11:51:00", `{}`))
	in.is(t, "1", `select count(*) from events e join customers c on c.id = e.customer_id where c.external_id = 'cy'`)
	// An order empties the cart, also when it comes late.
	in.ok(t, shopEvent(`"userId":"bo"`, "Order Completed", "20T11:45:00", `{"order_id":"5","total":45}`), shopEvent(`"userId":"bo"`, "Product Added", "20T11:55:00", `{"sku":"s","price":"1.5","quantity":"2"}`))
	if cart := in.profile(t, "bo").Cart; cart.Items != 2 || cart.Value != 3 {
		t.Errorf("cart after the order %+v", cart)
	}
}

// History comes in as it stands and starts nothing.
func TestImportDoorIsQuiet(t *testing.T) {
	t.Parallel()
	in := newIntake(t, "Checkout Started")
	p := &ingest.Parcel{Door: ingest.DoorImport, Received: receivedAt, SentAt: "2026-03-20T12:00:00Z", Messages: []json.RawMessage{
		json.RawMessage(shopEvent(`"userId":"old"`, "Checkout Started", "01T08:00:00", `{}`)), json.RawMessage(`{"type":"track","userId":"old","event":"Undated"}`)}}
	in.Decode(p)
	if err := in.Write(t.Context(), p); err != nil || len(p.Rejected) != 1 || p.Rejected[0].Err.Error() != "timestamp is missing" {
		t.Errorf("rejected %v, error %v", p.Rejected, err)
	}
	in.is(t, "2026-03-01 08:00:00+00", `select occurred_at from events`)
	in.is(t, "0", `select count(*) from event_outbox`)
}

// FuzzMessages sends anything through the real store: a message is taken or
// refused with a reason, never an error, and never twice.
func FuzzMessages(f *testing.F) {
	in := newIntake(f, "Checkout Started")
	for _, seed := range []string{
		`{"type":"track","userId":"u","event":"Order Completed","properties":{"order_id":"1","total":1,"products":[{"name":"x","quantity":"2","price":1e-3}]}}`,
		`{"type":"track","anonymousId":"a","event":"Product Added","messageId":"m","properties":{"products":[{"id":1e3,"price":1e300},[]],"quantity":-1e11}}`,
		`{"type":"alias","userId":"u","previousId":"a"}`, `{"type":"group","userId":1,"groupId":2,"traits":{"x":null}}`,
		`{"type":"identify","userId":"u","traits":{"email":"a@b.example","email_consent":{"state":"no"},"address":{"country":"GB"}}}`,
		`{"type":"track","userId":"u","event":"Cart Viewed","properties":{"cart_id":[],"products":[{"sku":"s","quantity":999999999999,"price":999999999999.5}]}}`,
		`{"type":"track","userId":"u","event":"Order Cancelled","properties":{"order_id":"1"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if !json.Valid([]byte(message)) {
			return // a batch that holds it is refused as a whole
		}
		for range 2 {
			if rejected, err := in.send(message); err != nil || len(rejected) > 0 && rejected[0].Err.Error() == "is refused by the store" {
				t.Fatalf("rejected %v, error %v", rejected, err)
			}
		}
	})
}
