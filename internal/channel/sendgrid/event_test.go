package sendgrid_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
)

func parseOne(t *testing.T, entry string) sendgrid.Event {
	t.Helper()
	events, err := sendgrid.ParseEvents([]byte("[" + entry + "]"))
	if err != nil || len(events) != 1 {
		t.Fatalf("ParseEvents(%s) = %v, %v", entry, events, err)
	}
	return events[0]
}

func TestParseEvents(t *testing.T) {
	t.Parallel()
	e := parseOne(t, `{"email":"a@example.com","timestamp":1790000000,"event":"click","touch_id":"t1","sg_message_id":"abc.filter-1.0",
		"sg_event_id":"e1","url":"https://shop.example.com/","category":["winback","x"],"useragent":"UA","ip":"192.0.2.1"}`)
	if e.Type != sendgrid.Click || e.TouchID != "t1" || e.ProviderID != "abc" || e.EventID != "e1" || e.URL == "" ||
		len(e.Categories) != 2 || !e.At.Equal(time.Unix(1790000000, 0)) || e.At.Location() != time.UTC {
		t.Errorf("got %+v", e)
	}
	if c := parseOne(t, `{"event":"open","timestamp":1790000000,"category":"winback","sg_machine_open":true}`); len(c.Categories) != 1 || !c.Machine {
		t.Errorf("got %+v, want one category and a machine open", c)
	}
	if o := parseOne(t, `{"event":"open","timestamp":1790000000,"sg_machine_open":false}`); o.Machine {
		t.Error("a person's open is marked as machine")
	}
}

func TestParseEventTimestamps(t *testing.T) {
	t.Parallel()
	want := time.Unix(1790000000, 0)
	for _, stamp := range []string{`1790000000`, `"1790000000"`, `1790000000000`, `"1790000000000"`, `1790000000.0`} {
		if e := parseOne(t, `{"event":"open","timestamp":`+stamp+`}`); !e.At.Equal(want) {
			t.Errorf("timestamp %s read as %v", stamp, e.At)
		}
	}
	for _, stamp := range []string{`"soon"`, `null`, `-5`, `{}`, `1e300`} {
		if _, err := sendgrid.ParseEvents([]byte(`[{"event":"open","timestamp":` + stamp + `}]`)); err == nil {
			t.Errorf("timestamp %s accepted", stamp)
		}
	}
}

func TestOneBadEntryDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	events, err := sendgrid.ParseEvents([]byte(`[{"event":"open","timestamp":1},7,{"timestamp":1},{"event":"click","timestamp":2}]`))
	if len(events) != 2 {
		t.Errorf("got %d events, want the two good ones", len(events))
	}
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), "entry 1") || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("error %v does not name the bad entries", err)
	}
	if _, err := sendgrid.ParseEvents([]byte(`{"event":"open"}`)); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("an object instead of an array: %v", err)
	}
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		`"event":"bounce","type":"bounce"`:             true,
		`"event":"bounce"`:                             true,
		`"event":"bounce","type":"blocked"`:            false,
		`"event":"dropped","reason":"Bounced Address"`: true,
		`"event":"dropped","reason":"Invalid"`:         true,
		`"event":"dropped","reason":"Spam Content"`:    false,
		`"event":"spamreport"`:                         true,
		`"event":"unsubscribe"`:                        true,
		`"event":"group_unsubscribe"`:                  true,
		`"event":"group_resubscribe"`:                  false,
		`"event":"deferred"`:                           false,
		`"event":"delivered"`:                          false,
	}
	for entry, want := range cases {
		if reason, got := parseOne(t, `{"timestamp":1,`+entry+`}`).Suppresses(); got != want || (got && reason == "") {
			t.Errorf("%s: suppresses %v (%q), want %v", entry, got, reason, want)
		}
	}
}

func TestKeyIsTheSameForCopiesAndDiffersOtherwise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		field := rapid.StringMatching(`[a-z:|0-9]{0,6}`)
		entry := func(event, touch, url, reason string, at int64, copyID string) string {
			b, err := json.Marshal(map[string]any{"event": event, "touch_id": touch, "url": url, "reason": reason, "timestamp": at, "sg_event_id": copyID})
			if err != nil {
				r.Fatal(err)
			}
			return string(b)
		}
		event := rapid.SampledFrom([]string{"open", "click", "bounce"})
		e1, e2 := event.Draw(r, "e1"), event.Draw(r, "e2")
		t1, t2 := "t"+field.Draw(r, "t1"), "t"+field.Draw(r, "t2")
		u1, u2 := field.Draw(r, "u1"), field.Draw(r, "u2")
		r1, r2 := field.Draw(r, "r1"), field.Draw(r, "r2")
		at := rapid.Int64Range(1, 1e10)
		a1, a2 := at.Draw(r, "a1"), at.Draw(r, "a2")
		first := parseOne(t, entry(e1, t1, u1, r1, a1, "copy1")).Key
		if again := parseOne(t, entry(e1, t1, u1, r1, a1, "copy2")).Key; again != first {
			r.Fatal("a copy with another event id has another key")
		}
		same := e1 == e2 && t1 == t2 && u1 == u2 && r1 == r2 && a1 == a2
		if other := parseOne(t, entry(e2, t2, u2, r2, a2, "copy1")).Key; (other == first) != same {
			r.Fatalf("keys equal: %v, events equal: %v", other == first, same)
		}
	})
}

func FuzzParseEvents(f *testing.F) {
	f.Add([]byte(`[{"email":"a@example.com","timestamp":"1790000000000","event":"bounce","type":"blocked","category":"x","touch_id":7}]`))
	f.Add([]byte(`[null,{},[],{"event":"open","timestamp":1,"category":{}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := sendgrid.ParseEvents(body)
		if err != nil && lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("unclassified error %v", err)
		}
		for _, e := range events {
			if e.Type == "" || e.Key == "" || e.At.IsZero() {
				t.Errorf("half an event: %+v", e)
			}
		}
	})
}
