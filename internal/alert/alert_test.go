package alert_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"touchstone/internal/alert"
	"touchstone/internal/alert/alerttest"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
)

// service is a stand-in that answers every request alike.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	keys   []string
}

func serve(t *testing.T, status int, hang bool) *service {
	t.Helper()
	s := &service{}
	over := make(chan struct{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if hang {
			<-over
			return
		}
		s.mu.Lock()
		s.bodies, s.keys = append(s.bodies, body), append(s.keys, r.Header.Get("Idempotency-Key"))
		s.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(func() { close(over); s.Close() })
	return s
}

// statuses are how HTTP services show the suite's faults.
func statuses(t *testing.T, f alerttest.Fault, good int) *service {
	t.Helper()
	status := map[alerttest.Fault]int{alerttest.Healthy: good, alerttest.Refuse: 400, alerttest.Forbid: 403, alerttest.Throttle: 429, alerttest.Busy: 503}[f]
	s := serve(t, status, f == alerttest.Hang)
	if f == alerttest.Unreachable {
		s.Close()
	}
	return s
}

func TestWebhookConforms(t *testing.T) {
	t.Parallel()
	alerttest.Run(t, func(t *testing.T, f alerttest.Fault) alerttest.Bench {
		s := statuses(t, f, 200)
		target, err := alert.NewWebhook(s.URL + "/services/T000/s3cret")
		if err != nil {
			t.Fatal(err)
		}
		return alerttest.Bench{Target: target, Secret: "s3cret", Received: func() (texts []string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for i, body := range s.bodies {
				var posted struct {
					Text  string
					Alert struct {
						Key, Severity string
						Value, Limit  float64
					}
				}
				if err := json.Unmarshal(body, &posted); err != nil {
					t.Fatal(err)
				}
				if posted.Alert.Key != "breaker/complaints/email" || posted.Alert.Severity != "critical" || posted.Alert.Value != 0.002 || posted.Alert.Limit != 0.001 {
					t.Errorf("for programs: %+v", posted.Alert)
				}
				if s.keys[i] != "n-1" {
					t.Errorf("idempotency key %q", s.keys[i])
				}
				texts = append(texts, posted.Text)
			}
			return texts
		}}
	})
}

func TestEmailConforms(t *testing.T) {
	t.Parallel()
	alerttest.Run(t, func(t *testing.T, f alerttest.Fault) alerttest.Bench {
		s := statuses(t, f, 202)
		provider, err := sendgrid.New(sendgrid.Config{APIKey: "SG.s3cret", BaseURL: s.URL, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(provider.Close)
		target, err := alert.NewEmail(provider, "ops@brand.example", "hello@brand.example", "Brand")
		if err != nil {
			t.Fatal(err)
		}
		return alerttest.Bench{Target: target, Secret: "s3cret", Received: func() (texts []string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, body := range s.bodies {
				var mail struct {
					Subject string
					Content []struct{ Value string }
				}
				if err := json.Unmarshal(body, &mail); err != nil {
					t.Fatal(err)
				}
				texts = append(texts, mail.Subject+"\n"+mail.Content[0].Value)
			}
			return texts
		}}
	})
}

func TestTargetsNeedAnAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "hooks.example/x", "ftp://x.example/y", "http://"} {
		if _, err := alert.NewWebhook(address); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"", "ops", "@x", "ops@", "Ops <ops@x.example>", "a@b\r\nBcc: c@d"} {
		if _, err := alert.NewEmail(nil, address, "a@b", ""); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
}
