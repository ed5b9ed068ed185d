package cli_test

import (
	"encoding/json"
	"testing"
	"time"

	"touchstone/internal/ingest"
	"touchstone/internal/postgres"
)

func TestRefusedMessagesAreSeenAndRetried(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	store := tm.store()
	tm.run("event", "rejected").ok().line("no message was refused")
	in := &ingest.Intake{Store: store, Currency: "EUR", Now: time.Now, Listens: store.Listens, Keep: 10, KeepFor: time.Hour}
	p := &ingest.Parcel{Door: ingest.DoorBatch, Key: "web", Received: time.Now(), Messages: []json.RawMessage{
		json.RawMessage(`{"type":"track","userId":"ann","event":"Order Completed","messageId":"m1","properties":{"order_id":"1","total":12,"currency":"USD"}}`),
		json.RawMessage(`{"type":"track","userId":"ann"}`),
	}}
	in.Decode(p)
	if err := in.Write(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	tm.run("event", "rejected").ok().line("1", "batch", "currency is not the brand's currency EUR")
	hidden := tm.run("event", "rejected", "--each").ok()
	hidden.line("web", "event is missing")
	tm.run("event", "rejected", "--reason", "currency", "--bodies").ok().line("1", `"userId":"ann"`)
	tm.run("event", "retry").exits(2).complains("--reason")
	tm.run("event", "retry", "x").exits(2).complains("not the id")
	// The shipped brand is in dollars: the order fits now.
	tm.run("event", "retry", "--all").ok().line("1 taken, 1 refused again")
	if sum, err := store.Rejected(t.Context(), postgres.RejectedFilter{}, 0, 10); err != nil || len(sum) != 1 || sum[0].Attempts != 1 || sum[0].Reason != "event is missing" {
		t.Errorf("left %+v, %v", sum, err)
	}
	ids, err := store.CustomerIDs(t.Context(), []string{"ann"})
	if err != nil {
		t.Fatal(err)
	}
	if profile, err := store.Profile(t.Context(), ids["ann"]); err != nil || profile.Orders.Revenue.Amount != 1200 {
		t.Errorf("orders %+v, %v", profile.Orders, err)
	}
	tm.run("event", "retry", "--all").ok().line("0 taken, 1 refused again")
	tm.run("event", "discard", "2").ok().line("1 messages forgotten")
	tm.run("event", "rejected", "--json").ok().line("[]")
}
