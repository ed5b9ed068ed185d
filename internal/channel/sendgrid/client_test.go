package sendgrid_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/channel/channeltest"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
)

// standIn is a SendGrid that shows one fault.
type standIn struct {
	fault    channeltest.Fault
	release  chan struct{}
	mu       sync.Mutex
	accepted []lifecycle.TouchID
	bodies   [][]byte
	conns    map[string]bool
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns[r.RemoteAddr] = true
	s.mu.Unlock()
	switch s.fault {
	case channeltest.Refuse:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"message":"Does not contain a valid address: a@b","field":"personalizations.0.to.0.email","help":null}]}`)
	case channeltest.Throttle:
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(channeltest.ThrottleReset).Unix()))
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"errors":[{"message":"too many requests","field":null}]}`)
	case channeltest.Busy:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")
	case channeltest.BadCredentials:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"message":"The provided authorization grant is invalid","field":null}]}`)
	case channeltest.CutAfterAccept:
		s.take(body)
		panic(http.ErrAbortHandler)
	case channeltest.Hang:
		s.take(body)
		<-s.release
	default:
		s.take(body)
		w.Header().Set("X-Message-Id", "msg-1")
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *standIn) take(body []byte) {
	var m struct {
		CustomArgs map[string]string `json:"custom_args"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append(s.accepted, lifecycle.TouchID(m.CustomArgs["touch_id"]))
	s.bodies = append(s.bodies, body)
}

func open(t *testing.T, f channeltest.Fault) (*standIn, *sendgrid.Client) {
	t.Helper()
	s := &standIn{fault: f, release: make(chan struct{}), conns: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() { close(s.release); server.Close() })
	if f == channeltest.Unreachable {
		server.Listener.Close()
	}
	timeout := 5 * time.Second
	if f == channeltest.Hang {
		timeout = 500 * time.Millisecond
	}
	client, err := sendgrid.New(sendgrid.Config{APIKey: "SG.key", BaseURL: server.URL + "/", Timeout: timeout, MaxInFlight: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return s, client
}

func message(id lifecycle.TouchID) lifecycle.Message {
	return lifecycle.Message{
		TouchID: id, Channel: lifecycle.Email, Class: lifecycle.Marketing,
		To: "ada@example.com", ToName: "Ada", From: "shop@example.com", FromName: "The Shop", ReplyTo: "help@example.com",
		Subject: "Hello", Text: "Hello", HTML: `<p>Hello</p><a href="https://u.example.com/u/t1?a=1&amp;b=2">Unsubscribe</a>`,
		UnsubscribeURL: "https://u.example.com/u/t1?a=1&b=2", Categories: []string{"winback", "winback", ""},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T, f channeltest.Fault) channeltest.Bench {
		s, client := open(t, f)
		return channeltest.Bench{Provider: client, Message: message, Accepted: func() []lifecycle.TouchID {
			s.mu.Lock()
			defer s.mu.Unlock()
			return slices.Clone(s.accepted)
		}}
	})
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	s, client := open(t, channeltest.Healthy)
	m := message("touch-1")
	m.ToName = "Ada\r\nBcc: evil@example.com"
	receipt, err := client.Send(t.Context(), m)
	if err != nil || receipt.ProviderID != "msg-1" {
		t.Fatalf("Send = %v, %v", receipt, err)
	}
	var got struct {
		Personalizations []struct {
			To []struct{ Name, Email string }
		}
		Content    []struct{ Type, Value string }
		Headers    map[string]string
		Categories []string
		CustomArgs map[string]string      `json:"custom_args"`
		ReplyTo    struct{ Email string } `json:"reply_to"`
		Tracking   struct {
			Click struct {
				Enable     bool
				EnableText *bool `json:"enable_text"`
			} `json:"click_tracking"`
			Subscription struct{ Enable *bool } `json:"subscription_tracking"`
		} `json:"tracking_settings"`
	}
	if err := json.Unmarshal(s.bodies[0], &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Personalizations) != 1 || len(got.Personalizations[0].To) != 1 {
		t.Fatalf("personalizations %+v", got.Personalizations)
	}
	if to := got.Personalizations[0].To[0]; to.Email != "ada@example.com" || strings.ContainsAny(to.Name, "\r\n") {
		t.Errorf("recipient %+v", to)
	}
	if len(got.Content) != 2 || got.Content[0].Type != "text/plain" || got.Content[1].Type != "text/html" {
		t.Errorf("content %+v, want the text part first", got.Content)
	}
	if want := `<a clicktracking="off" href="https://u.example.com/u/t1?a=1&amp;b=2">`; !strings.Contains(got.Content[1].Value, want) {
		t.Errorf("unsubscribe link is tracked: %s", got.Content[1].Value)
	}
	if got.Headers["List-Unsubscribe"] != "<https://u.example.com/u/t1?a=1&b=2>" || got.Headers["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click" {
		t.Errorf("headers %v", got.Headers)
	}
	if !slices.Equal(got.Categories, []string{"winback"}) {
		t.Errorf("categories %v", got.Categories)
	}
	if len(got.CustomArgs) != 1 || got.CustomArgs["touch_id"] != "touch-1" {
		t.Errorf("custom args %v", got.CustomArgs)
	}
	if got.ReplyTo.Email != "help@example.com" {
		t.Errorf("reply to %v", got.ReplyTo)
	}
	if !got.Tracking.Click.Enable || got.Tracking.Click.EnableText == nil || *got.Tracking.Click.EnableText ||
		got.Tracking.Subscription.Enable == nil || *got.Tracking.Subscription.Enable {
		t.Errorf("tracking %+v", got.Tracking)
	}
}

func TestInvalidMessagesAreRefusedWithoutACall(t *testing.T) {
	t.Parallel()
	s, client := open(t, channeltest.Healthy)
	for name, spoil := range map[string]func(*lifecycle.Message){
		"other channel":      func(m *lifecycle.Message) { m.Channel = lifecycle.SMS },
		"no touch id":        func(m *lifecycle.Message) { m.TouchID = "" },
		"no recipient":       func(m *lifecycle.Message) { m.To = "" },
		"no subject":         func(m *lifecycle.Message) { m.Subject = "" },
		"no unsubscribe":     func(m *lifecycle.Message) { m.UnsubscribeURL = "" },
		"header in the link": func(m *lifecycle.Message) { m.UnsubscribeURL += "\r\nX-Evil: 1" },
	} {
		m := message("touch-1")
		spoil(&m)
		if _, err := client.Send(t.Context(), m); channel.ClassOf(err) != channel.Refused {
			t.Errorf("%s: %v, want refused", name, err)
		}
	}
	if len(s.bodies) != 0 {
		t.Errorf("%d calls were made", len(s.bodies))
	}
	receipt := message("touch-2")
	receipt.Class, receipt.UnsubscribeURL = lifecycle.Transactional, ""
	if _, err := client.Send(t.Context(), receipt); err != nil {
		t.Errorf("transactional mail needs no unsubscribe link: %v", err)
	}
}

func TestStatusClasses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		status int
		header http.Header
		body   string
		class  channel.Class
		after  time.Duration
	}{
		{status: 200, class: channel.Unconfirmed},
		{status: 307, header: http.Header{"Location": {"http://127.0.0.1:1/"}}, class: channel.Misconfigured},
		{status: 400, body: `{"errors":[{"message":"x","field":"subject"}]}`, class: channel.Refused},
		{status: 400, body: `{"errors":[{"message":"x","field":"from.email"}]}`, class: channel.Misconfigured},
		{status: 403, body: `{"errors":[{"message":"The from address does not match a verified Sender Identity","field":"from"}]}`, class: channel.Misconfigured},
		{status: 404, class: channel.Misconfigured},
		{status: 413, body: "<html>Request Entity Too Large</html>", class: channel.Refused},
		{status: 429, class: channel.Transient},
		{status: 429, header: http.Header{"X-Ratelimit-Reset": {"1"}}, class: channel.Transient, after: 500 * time.Millisecond},
		{status: 429, header: http.Header{"X-Ratelimit-Reset": {"99999999999"}}, class: channel.Transient, after: time.Hour},
		{status: 503, header: http.Header{"Retry-After": {"7"}}, class: channel.Transient, after: 7 * time.Second},
		{status: 503, header: http.Header{"Retry-After": {"soon"}}, class: channel.Transient},
		{status: 500, class: channel.Unconfirmed},
		{status: 502, body: "<html>", class: channel.Unconfirmed},
		{status: 504, class: channel.Unconfirmed},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			t.Parallel()
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				for k, v := range c.header {
					w.Header()[k] = v
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			client, err := sendgrid.New(sendgrid.Config{APIKey: "SG.key", BaseURL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = client.Send(t.Context(), message("touch-1"))
			e, ok := err.(*channel.Error)
			if !ok || e.Class != c.class || e.Status != c.status || e.RetryAfter != c.after {
				t.Errorf("got %+v, want class %s after %v", err, c.class, c.after)
			}
			if calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

func TestErrorDetailHidesAddresses(t *testing.T) {
	t.Parallel()
	_, client := open(t, channeltest.Refuse)
	_, err := client.Send(t.Context(), message("touch-1"))
	if err == nil || strings.Contains(err.Error(), "@") || !strings.Contains(err.Error(), "personalizations.0.to.0.email") {
		t.Errorf("got %v", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	s, client := open(t, channeltest.Healthy)
	const inFlight, sends = 8, 400
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for range sends / inFlight {
				if _, err := client.Send(t.Context(), message("touch")); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.conns); n > inFlight {
		t.Errorf("%d connections for %d sends with %d in flight", n, sends, inFlight)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []sendgrid.Config{{}, {APIKey: "k", BaseURL: "api.sendgrid.com"}, {APIKey: "k", BaseURL: "ftp://x"}} {
		if _, err := sendgrid.New(cfg); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("New(%+v) = %v, want invalid", cfg, err)
		}
	}
}
