package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"touchstone/internal/sandbox"
)

const (
	mailKey = "SG.sandbox"
	chatKey = "sk-sandbox"
)

// box is a running sandbox.
type box struct {
	*sandbox.Server
	url string
}

// start serves a sandbox with the given changes; run also starts its loop.
func start(t testing.TB, run bool, change func(*sandbox.Options)) box {
	t.Helper()
	opts := sandbox.Options{Seed: 1, SendGridKey: mailKey, OpenAIKey: chatKey, BatchEvery: 5 * time.Millisecond, EventDelay: 2 * time.Nanosecond}
	if change != nil {
		change(&opts)
	}
	s, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	if run {
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		t.Cleanup(func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	return box{Server: s, url: server.URL}
}

// touch is the n-th test touch id.
func touch(n int) string { return fmt.Sprintf("01980000-0000-7000-8000-%012x", n) }

// letter is a good message built with the real SDK.
func letter(to, touchID string) *mail.SGMailV3 {
	m := mail.NewV3Mail()
	m.SetFrom(mail.NewEmail("Shop", "news@shop.example.com"))
	m.Subject = "Hello"
	p := mail.NewPersonalization()
	p.AddTos(mail.NewEmail("Ada", to))
	if touchID != "" {
		p.SetCustomArg("touch_id", touchID)
	}
	m.AddPersonalizations(p)
	m.AddContent(mail.NewContent("text/plain", "Hello Ada"),
		mail.NewContent("text/html", `<h1>Hello</h1><p><a href="https://shop.example.com/new?a=1&amp;b=2">Look</a> <a href="https://mail.example.com/u/1" clicktracking=off>Unsubscribe</a></p>`))
	m.SetHeader("List-Unsubscribe", "<mailto:u@mail.example.com>, <https://mail.example.com/u/1>")
	m.SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	m.AddCategories("winback", "c1")
	return m
}

// send posts a message with the real SDK client.
func (b box) send(t testing.TB, m *mail.SGMailV3) (*rest.Response, error) {
	t.Helper()
	req := sendgrid.GetRequest(mailKey, "/v3/mail/send", b.url)
	req.Method = rest.Post
	req.Body = mail.GetRequestBody(m)
	client := &rest.Client{HTTPClient: &http.Client{Timeout: 5 * time.Second}}
	return client.SendWithContext(t.Context(), req)
}

func (b box) mustSend(t testing.TB, m *mail.SGMailV3) {
	t.Helper()
	resp, err := b.send(t, m)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("send: %v, %+v", err, resp)
	}
}

// call makes a plain request.
func (b box) call(t testing.TB, method, path, key, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

// raw is a good message as JSON, to be changed by tests.
func raw(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(bytes.NewReader(mail.GetRequestBody(letter("ada@example.com", touch(1))))).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting: %s", what)
		}
	}
}
