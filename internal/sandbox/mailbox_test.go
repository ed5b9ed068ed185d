package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"touchstone/internal/sandbox"
)

func TestMailbox(t *testing.T) {
	t.Parallel()
	b := start(t, true, func(o *sandbox.Options) { o.KeepBodies = 70 })
	if _, text := b.call(t, http.MethodGet, "/mailbox", "", ""); !strings.Contains(text, "No message yet") {
		t.Error("an empty mailbox must say so")
	}
	for i := range 80 {
		m := letter(fmt.Sprintf("p%d@example.com", i), touch(i))
		m.Subject = fmt.Sprintf("Letter %d.", i)
		b.mustSend(t, m)
	}
	eventually(t, "delivered", func() bool { return b.Stats().Events["delivered"] == 80 })
	_, first := b.call(t, http.MethodGet, "/mailbox", "", "")
	_, second := b.call(t, http.MethodGet, "/mailbox?page=2", "", "")
	if !strings.Contains(first, "Letter 79.") || !strings.Contains(first, "Letter 30.") || strings.Contains(first, "Letter 29.") ||
		strings.Index(first, "Letter 79.") > strings.Index(first, "Letter 78.") || !strings.Contains(first, "1–50 of 70") {
		t.Error("the first page lists the newest 50, newest first")
	}
	if !strings.Contains(second, "Letter 10.") || strings.Contains(second, "Letter 9.") || !strings.Contains(second, "51–70 of 70") {
		t.Error("the second page lists the rest that is kept")
	}
	for query, want := range map[string]string{"P42@example": "Letter 42.", "letter+33.": "Letter 33.", touch(55): "Letter 55."} {
		if _, text := b.call(t, http.MethodGet, "/mailbox?q="+query, "", ""); !strings.Contains(text, want) || !strings.Contains(text, "of 1<") {
			t.Errorf("search %s", query)
		}
	}
	resp, text := b.call(t, http.MethodGet, "/mailbox/79", "", "")
	for _, want := range []string{"Letter 79.", "List-Unsubscribe-Post", "https://mail.example.com/u/1", touch(79), "Hello Ada", "srcdoc=", `sandbox="allow-popups`, "delivered"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of a letter lacks %q", want)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("policy %q", csp)
	}
	for _, gone := range []string{"/mailbox/0", "/mailbox/99", "/mailbox/x"} {
		if resp, _ := b.call(t, http.MethodGet, gone, "", ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", gone, resp.StatusCode)
		}
	}
}

func TestMailboxEscapes(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	m := letter("ada@example.com", touch(1))
	m.Subject = `<script>alert("subject")</script>`
	m.Content[1] = mail.NewContent("text/html", `<script>alert("body")</script>"><img src=x>`)
	b.mustSend(t, m)
	for _, path := range []string{"/mailbox", "/mailbox/0", "/mailbox?q=%22%3E%3Cscript%3E"} {
		if _, text := b.call(t, http.MethodGet, path, "", ""); strings.Contains(text, "<script") || strings.Contains(text, `"><img`) {
			t.Errorf("%s lets the message's HTML out of its frame", path)
		}
	}
}
