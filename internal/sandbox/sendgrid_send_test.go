package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"touchstone/internal/sandbox"
)

func TestMailSendAccepts(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	resp, err := b.send(t, letter("ada@example.com", touch(1)))
	if err != nil || resp.StatusCode != http.StatusAccepted || resp.Body != "" {
		t.Fatalf("%v %+v", err, resp)
	}
	if ids := resp.Headers["X-Message-Id"]; len(ids) != 1 || len(ids[0]) != 22 {
		t.Errorf("X-Message-Id %v", ids)
	}
	if b.Accepted() != 1 || b.AcceptedTouch(touch(1)) != 1 || b.AcceptedTouch(touch(2)) != 0 {
		t.Errorf("accepted %d", b.Accepted())
	}
}

func TestMailSendSandboxMode(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	m := letter("ada@example.com", touch(1))
	m.SetMailSettings(mail.NewMailSettings().SetSandboxMode(mail.NewSetting(true)))
	if resp, err := b.send(t, m); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %+v", err, resp)
	}
	if b.Accepted() != 0 || b.Stats().Due != 0 {
		t.Error("sandbox mode must not accept anything")
	}
}

func at(m map[string]any, path ...any) map[string]any {
	var node any = m
	for _, p := range path {
		switch p := p.(type) {
		case string:
			node = node.(map[string]any)[p]
		case int:
			node = node.([]any)[p]
		}
	}
	return node.(map[string]any)
}

func recipients(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = map[string]any{"to": []any{map[string]any{"email": fmt.Sprintf("p%d@example.com", i)}}}
	}
	return out
}

func TestMailSendRules(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	long := strings.Repeat("x", 10_001)
	for name, c := range map[string]struct {
		change func(map[string]any)
		field  string // "" = accepted
	}{
		"as it is":               {func(map[string]any) {}, ""},
		"name is optional":       {func(m map[string]any) { delete(at(m, "from"), "name") }, ""},
		"1000 personalizations":  {func(m map[string]any) { m["personalizations"] = recipients(1000) }, ""},
		"1001 personalizations":  {func(m map[string]any) { m["personalizations"] = recipients(1001) }, "personalizations"},
		"no personalizations":    {func(m map[string]any) { delete(m, "personalizations") }, "personalizations"},
		"empty personalizations": {func(m map[string]any) { m["personalizations"] = []any{} }, "personalizations"},
		"no to":                  {func(m map[string]any) { delete(at(m, "personalizations", 0), "to") }, "personalizations.0.to"},
		"bad to":                 {func(m map[string]any) { at(m, "personalizations", 0, "to", 0)["email"] = "nobody" }, "personalizations.0.to.0.email"},
		"display name in to":     {func(m map[string]any) { at(m, "personalizations", 0, "to", 0)["email"] = "A <a@example.com>" }, "personalizations.0.to.0.email"},
		"no domain dot":          {func(m map[string]any) { at(m, "personalizations", 0, "to", 0)["email"] = "a@localhost" }, "personalizations.0.to.0.email"},
		"unusual local part":     {func(m map[string]any) { at(m, "personalizations", 0, "to", 0)["email"] = "o'hara/x@example.com" }, ""},
		"address twice": {func(m map[string]any) {
			at(m, "personalizations", 0)["cc"] = []any{map[string]any{"email": "ADA@example.com"}}
		}, "personalizations.0.cc"},
		"1001 recipients": {func(m map[string]any) {
			p := recipients(1000)
			at(p[0].(map[string]any))["bcc"] = []any{map[string]any{"email": "z@example.com"}}
			m["personalizations"] = p
		}, "personalizations"},
		"no from":  {func(m map[string]any) { delete(m, "from") }, "from"},
		"bad from": {func(m map[string]any) { at(m, "from")["email"] = "" }, "from.email"},
		"reply_to and list": {func(m map[string]any) {
			m["reply_to"] = map[string]any{"email": "a@example.com"}
			m["reply_to_list"] = []any{map[string]any{"email": "b@example.com"}}
		}, "reply_to"},
		"no subject":             {func(m map[string]any) { delete(m, "subject") }, "subject"},
		"empty subject":          {func(m map[string]any) { m["subject"] = "" }, "subject"},
		"own subject is enough":  {func(m map[string]any) { delete(m, "subject"); at(m, "personalizations", 0)["subject"] = "Hi" }, ""},
		"no content":             {func(m map[string]any) { delete(m, "content") }, "content"},
		"empty content":          {func(m map[string]any) { at(m, "content", 0)["value"] = "" }, "content.0.value"},
		"HTML before text":       {func(m map[string]any) { slices.Reverse(m["content"].([]any)) }, "content"},
		"content type twice":     {func(m map[string]any) { at(m, "content", 1)["type"] = "text/plain" }, "content.1.type"},
		"content type parameter": {func(m map[string]any) { at(m, "content", 0)["type"] = "text/plain; charset=utf-8" }, "content.0.type"},
		"HTML only":              {func(m map[string]any) { m["content"] = m["content"].([]any)[1:] }, ""},
		"ten categories":         {func(m map[string]any) { m["categories"] = []any{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} }, ""},
		"eleven categories": {func(m map[string]any) {
			m["categories"] = []any{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
		}, "categories"},
		"category twice":           {func(m map[string]any) { m["categories"] = []any{"a", "a"} }, "categories"},
		"category too long":        {func(m map[string]any) { m["categories"] = []any{long[:256]} }, "categories.0"},
		"custom_args number":       {func(m map[string]any) { at(m, "personalizations", 0)["custom_args"] = map[string]any{"n": 1} }, "personalizations.custom_args"},
		"custom_args empty":        {func(m map[string]any) { m["custom_args"] = map[string]any{} }, "custom_args"},
		"custom_args too large":    {func(m map[string]any) { m["custom_args"] = map[string]any{"n": long} }, "personalizations.0.custom_args"},
		"reserved header":          {func(m map[string]any) { at(m, "headers")["Reply-To"] = "a@example.com" }, "headers"},
		"header with a space":      {func(m map[string]any) { at(m, "headers")["X Y"] = "z" }, "headers"},
		"header with a line break": {func(m map[string]any) { at(m, "headers")["X-Y"] = "a\r\nBcc: b@example.com" }, "headers"},
		"send_at in 71 hours":      {func(m map[string]any) { m["send_at"] = time.Now().Add(71 * time.Hour).Unix() }, ""},
		"send_at in 73 hours":      {func(m map[string]any) { m["send_at"] = time.Now().Add(73 * time.Hour).Unix() }, "send_at"},
		"send_at in milliseconds":  {func(m map[string]any) { m["send_at"] = time.Now().UnixMilli() }, "send_at"},
		"unknown batch":            {func(m map[string]any) { m["batch_id"] = "mine" }, "batch_id"},
		"unknown template":         {func(m map[string]any) { m["template_id"] = "d-1234" }, "template_id"},
		"asm without group":        {func(m map[string]any) { m["asm"] = map[string]any{} }, "asm.group_id"},
		"asm group as text":        {func(m map[string]any) { m["asm"] = map[string]any{"group_id": "7"} }, "asm.group_id"},
		"two bypasses": {func(m map[string]any) {
			on := map[string]any{"enable": true}
			m["mail_settings"] = map[string]any{"bypass_list_management": on, "bypass_spam_management": on}
		}, "mail_settings.bypass_list_management"},
		"sandbox_mode as text": {func(m map[string]any) {
			m["mail_settings"] = map[string]any{"sandbox_mode": map[string]any{"enable": "true"}}
		}, "mail_settings.sandbox_mode.enable"},
		"unknown property":      {func(m map[string]any) { m["subjekt"] = "x" }, "subjekt"},
		"categories per person": {func(m map[string]any) { at(m, "personalizations", 0)["categories"] = []any{"a"} }, "categories"},
		"attachment not base64": {func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"content": "%%%", "filename": "a.txt"}}
		}, "attachments.0.content"},
		"attachment without a name": {func(m map[string]any) { m["attachments"] = []any{map[string]any{"content": "aGk="}} }, "attachments.0.filename"},
	} {
		t.Run(name, func(t *testing.T) {
			m := raw(t)
			c.change(m)
			body, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			resp, text := b.call(t, http.MethodPost, "/v3/mail/send", mailKey, string(body))
			if c.field == "" {
				if resp.StatusCode != http.StatusAccepted {
					t.Fatalf("status %d: %s", resp.StatusCode, text)
				}
				return
			}
			var answer struct {
				Errors []struct{ Message, Field, Help string }
			}
			if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusBadRequest || len(answer.Errors) == 0 {
				t.Fatalf("status %d: %s", resp.StatusCode, text)
			}
			if e := answer.Errors[0]; e.Field != c.field || e.Message == "" {
				t.Errorf("field %q, want %q: %s", e.Field, c.field, text)
			}
		})
	}
}

func TestMailSendDoor(t *testing.T) {
	t.Parallel()
	b := start(t, false, func(o *sandbox.Options) { o.VerifiedSenders = []string{"shop.example.com"} })
	good, err := json.Marshal(raw(t))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(good), "news@shop.example.com", "news@other.example.com", 1)
	for name, c := range map[string]struct {
		method, path, key, body string
		status                  int
		html                    bool
	}{
		"good":              {"POST", "/v3/mail/send", mailKey, string(good), 202, false},
		"wrong key":         {"POST", "/v3/mail/send", "SG.other", string(good), 401, false},
		"no key":            {"POST", "/v3/mail/send", "", string(good), 401, false},
		"unverified sender": {"POST", "/v3/mail/send", mailKey, other, 403, false},
		"unknown path":      {"POST", "/v3/mail/sent", mailKey, string(good), 404, false},
		"wrong method":      {"GET", "/v3/mail/send", mailKey, "", 405, false},
		"too large":         {"POST", "/v3/mail/send", mailKey, `{"subject":"` + strings.Repeat("x", 31<<20) + `"}`, 413, true},
		"no content type":   {"POST", "/v3/mail/send", mailKey, "", 415, false},
		"not JSON":          {"POST", "/v3/mail/send", mailKey, "{", 400, false},
		"trailing text":     {"POST", "/v3/mail/send", mailKey, string(good) + "x", 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text := b.call(t, c.method, c.path, c.key, c.body)
			if resp.StatusCode != c.status {
				t.Fatalf("status %d: %.200s", resp.StatusCode, text)
			}
			if html := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); html != c.html {
				t.Errorf("content type %s", resp.Header.Get("Content-Type"))
			}
			if c.status >= 400 && !c.html && !strings.Contains(text, `"errors":[{"message":`) {
				t.Errorf("error form: %s", text)
			}
		})
	}
}

func TestBatchID(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	resp, text := b.call(t, http.MethodPost, "/v3/mail/batch", mailKey, "{}")
	var got struct {
		BatchID string `json:"batch_id"`
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != http.StatusCreated || got.BatchID == "" {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	m := letter("ada@example.com", touch(1))
	m.SetBatchID(got.BatchID)
	b.mustSend(t, m)
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	for i := range 50 {
		b.mustSend(t, letter("ada@example.com", touch(i)))
	}
	if d := b.Duplicates(); len(d) != 0 {
		t.Fatalf("duplicates %v", d)
	}
	b.mustSend(t, letter("ada@example.com", touch(7)))
	b.mustSend(t, letter("bob@example.com", touch(7)))
	for range 2 {
		b.mustSend(t, letter("ada@example.com", "my own id"))
		b.mustSend(t, letter("ada@example.com", "")) // without an id nothing can repeat
	}
	if d := b.Duplicates(); !slices.Equal(d, []string{touch(7), "my own id"}) {
		t.Errorf("duplicates %q", d)
	}
	st := b.Stats()
	if st.Accepted != 56 || st.Touches != 51 || st.Repeated != 2 || b.AcceptedTouch(touch(7)) != 3 {
		t.Errorf("%+v", st)
	}
	var served sandbox.Stats
	if _, text := b.call(t, http.MethodGet, "/sandbox/stats", "", ""); json.Unmarshal([]byte(text), &served) != nil || served.Repeated != 2 {
		t.Errorf("stats page: %s", text)
	}
}

// TestSharedPersonalization: one touch to several recipients is one acceptance.
func TestSharedPersonalization(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	m := letter("ada@example.com", touch(1))
	m.Personalizations[0].AddBCCs(mail.NewEmail("", "bob@example.com"))
	b.mustSend(t, m)
	if st := b.Stats(); st.Accepted != 1 || st.Letters != 2 || st.Repeated != 0 {
		t.Errorf("%+v", st)
	}
}

// TestManySends pushes 20,000 messages through the handler from several
// goroutines and looks at the counts and at what is kept.
func TestManySends(t *testing.T) {
	t.Parallel()
	const n, workers = 20_000, 8
	b := start(t, true, func(o *sandbox.Options) { o.KeepBodies = 100 })
	body := string(mail.GetRequestBody(letter("ada@example.com", touch(0))))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v3/mail/send", strings.NewReader(strings.Replace(body, touch(0), touch(i), 1)))
				req.Header.Set("Authorization", "Bearer "+mailKey)
				req.Header.Set("Content-Type", "application/json")
				rec := httptest.NewRecorder()
				b.Handler().ServeHTTP(rec, req)
				if rec.Code != http.StatusAccepted {
					t.Errorf("status %d: %s", rec.Code, rec.Body)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Accepted() != n || len(b.Duplicates()) != 0 || b.Stats().Touches != n {
		t.Errorf("%+v", b.Stats())
	}
	eventually(t, "all delivered", func() bool { return b.Stats().Events["delivered"] == n })
	if _, text := b.call(t, http.MethodGet, "/mailbox", "", ""); !strings.Contains(text, "newest 100 readable") {
		t.Error("the mailbox must keep 100 messages")
	}
}

func BenchmarkMailSend(b *testing.B) {
	s := start(b, false, nil)
	body := string(mail.GetRequestBody(letter("ada@example.com", touch(0))))
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest(http.MethodPost, "/v3/mail/send", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+mailKey)
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != http.StatusAccepted {
			b.Fatal(rec.Code)
		}
	}
}

func FuzzMailSend(f *testing.F) {
	f.Add(string(mail.GetRequestBody(letter("ada@example.com", touch(1)))))
	f.Add(`{"personalizations":[{"to":[{"email":"a@b.example"}],"custom_args":{"touch_id":"x"}}],"from":{"email":"@"},"content":[{"type":"","value":""}]}`)
	f.Add(`{"personalizations":null,"asm":{},"attachments":[{}],"send_at":9223372036854775807}`)
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest(http.MethodPost, "/v3/mail/send", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		switch rec.Code {
		case http.StatusAccepted, http.StatusOK:
			if !json.Valid([]byte(body)) {
				t.Fatalf("accepted a body that is not JSON: %q", body)
			}
		case http.StatusBadRequest:
			if !strings.Contains(rec.Body.String(), `"message":`) {
				t.Fatalf("error without a message: %s", rec.Body)
			}
		default:
			t.Fatalf("status %d for %q", rec.Code, body)
		}
	})
}

func TestABrokenContractIsRecorded(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	if _, err := b.send(t, letter("ada@example.com", touch(1))); err != nil {
		t.Fatal(err)
	}
	if got := b.Violations(); len(got) != 0 {
		t.Fatalf("a good request counts as %+v", got)
	}
	nameless := letter("ada@example.com", touch(1))
	nameless.Subject = ""
	for range 2 {
		if resp, err := b.send(t, nameless); err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Fatal(resp, err)
		}
	}
	if got := b.Violations(); len(got) != 1 || got[0].Vendor != "sendgrid" || got[0].Count != 2 {
		t.Fatalf("two messages without a subject count as %+v", got)
	}
}
