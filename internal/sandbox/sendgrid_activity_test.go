package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"touchstone/internal/sandbox"
)

type found struct {
	Messages []struct {
		FromEmail string `json:"from_email"`
		MsgID     string `json:"msg_id"`
		ToEmail   string `json:"to_email"`
		Subject   string
		Status    string
		Opens     int    `json:"opens_count"`
		Last      string `json:"last_event_time"`
	}
}

func (b box) find(t *testing.T, query string) found {
	t.Helper()
	resp, text := b.call(t, http.MethodGet, "/v3/messages?limit=100&query="+url.QueryEscape(query), mailKey, "")
	var f found
	if err := json.Unmarshal([]byte(text), &f); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", query, resp.StatusCode, text)
	}
	return f
}

func TestActivity(t *testing.T) {
	t.Parallel()
	b := start(t, true, func(o *sandbox.Options) {
		o.KeepBodies = 5
		o.OnDelivered = func(sandbox.Delivered) []sandbox.Reaction { return []sandbox.Reaction{{Kind: sandbox.Open}} }
	})
	for i := range 20 {
		b.mustSend(t, letter(fmt.Sprintf("p%d@example.com", i), touch(i)))
	}
	b.mustSend(t, letter("bounce@example.com", touch(20)))
	b.mustSend(t, letter("p3@example.com", touch(3)))
	eventually(t, "opens", func() bool { return b.Stats().Events["open"] == 21 })

	// By touch id, also for messages that left the mailbox long ago.
	one := b.find(t, fmt.Sprintf(`unique_args['touch_id']="%s"`, touch(2)))
	if len(one.Messages) != 1 || one.Messages[0].ToEmail != "p2@example.com" || one.Messages[0].Status != "delivered" || one.Messages[0].Opens != 1 {
		t.Fatalf("%+v", one)
	}
	if twice := b.find(t, fmt.Sprintf(`(unique_args['touch_id'] = "%s")`, touch(3))); len(twice.Messages) != 2 {
		t.Errorf("a touch sent twice: %+v", twice)
	}
	if none := b.find(t, fmt.Sprintf(`unique_args['touch_id']="%s"`, touch(99))); len(none.Messages) != 0 {
		t.Errorf("%+v", none)
	}
	if both := b.find(t, fmt.Sprintf(`unique_args['touch_id']="%s" AND to_email="other@example.com"`, touch(2))); len(both.Messages) != 0 {
		t.Errorf("AND: %+v", both)
	}
	if bounced := b.find(t, `status="not_delivered"`); len(bounced.Messages) != 1 || bounced.Messages[0].ToEmail != "bounce@example.com" {
		t.Errorf("%+v", bounced)
	}
	if all := b.find(t, `from_email="news@shop.example.com"`); len(all.Messages) != 22 {
		t.Errorf("%d messages from the sender", len(all.Messages))
	}
	for _, m := range append(one.Messages, b.find(t, `to_email="p19@example.com"`).Messages...) {
		if again := b.find(t, fmt.Sprintf(`msg_id="%s"`, m.MsgID)); len(again.Messages) != 1 || again.Messages[0].ToEmail != m.ToEmail {
			t.Errorf("by msg_id: %+v", again)
		}
		if resp, text := b.call(t, http.MethodGet, "/v3/messages/"+m.MsgID, mailKey, ""); resp.StatusCode != http.StatusOK {
			t.Errorf("detail: %d %s", resp.StatusCode, text)
		}
	}
	if resp, _ := b.call(t, http.MethodGet, "/v3/messages/other.recvd-0.0", mailKey, ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown message: %d", resp.StatusCode)
	}
	if resp, _ := b.call(t, http.MethodGet, "/v3/messages?limit=1", "SG.other", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong key: %d", resp.StatusCode)
	}
}

func TestActivityQueryErrors(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	for _, query := range []string{`touch="x"`, `status=delivered`, `status="x`, `(status="x"`, `status="x" OR status="y"`, `unique_args["a"]="b"`, `unique_args['a'="b"`, `="x"`, `status="a" AND`} {
		if resp, text := b.call(t, http.MethodGet, "/v3/messages?query="+url.QueryEscape(query), mailKey, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, resp.StatusCode, text)
		}
	}
	for _, limit := range []string{"0", "1001", "x"} {
		if resp, _ := b.call(t, http.MethodGet, "/v3/messages?limit="+limit, mailKey, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("limit %s: %d", limit, resp.StatusCode)
		}
	}
}

func FuzzActivityQuery(f *testing.F) {
	f.Add(`unique_args['touch_id']="x"`)
	f.Add(`(status="a") AND ((to_email="b"))`)
	f.Add(`msg_id="x.recvd-1-ffffffffffffffff.0"`)
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest(http.MethodGet, "/v3/messages?query="+url.QueryEscape(query), nil)
		req.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest {
			t.Fatalf("status %d", rec.Code)
		}
	})
}
