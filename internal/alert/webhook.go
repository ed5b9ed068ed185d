// Package alert delivers the notices of package watch to people: as a webhook
// that Slack and its kin accept, and as e-mail. A target is a watch.Target and
// passes the suite in alerttest. Level 3: imports watch, channel and lifecycle.
package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

// webhookTime bounds one call.
const webhookTime = 10 * time.Second

// Webhook posts notices as JSON: "text" for people, as Slack-compatible services
// show it, and "alert" for programs. The header Idempotency-Key is the same in
// every attempt at a notice. The address is a secret and appears in no error.
type Webhook struct {
	address string
	client  *http.Client
}

// NewWebhook returns a webhook. An address that is not absolute http(s) is Invalid.
func NewWebhook(address string) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the alert webhook is not an absolute http(s) address: copy it again from the service that receives it")
	}
	return &Webhook{address: address, client: &http.Client{
		Timeout:       webhookTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Name implements watch.Target.
func (*Webhook) Name() string { return "webhook" }

// posted is the body of a webhook call.
type posted struct {
	Text  string `json:"text"`
	Alert facts  `json:"alert"`
}

// facts are an alert for programs.
type facts struct {
	ID       watch.AlertID  `json:"id"`
	Key      string         `json:"key"`
	Kind     watch.Kind     `json:"kind"`
	Severity watch.Severity `json:"severity"`
	Occasion watch.Occasion `json:"occasion"`
	Title    string         `json:"title"`
	Detail   string         `json:"detail"`
	Metric   string         `json:"metric,omitempty"`
	Value    *float64       `json:"value,omitempty"`
	Expected *float64       `json:"expected,omitempty"`
	Limit    *float64       `json:"limit,omitempty"`
	OpenedAt time.Time      `json:"opened_at,omitzero"`
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	Link     string         `json:"link,omitempty"`
}

// Notify implements watch.Target.
func (w *Webhook) Notify(ctx context.Context, n watch.Notice) error {
	a := n.Alert
	body, err := json.Marshal(posted{Text: n.Subject() + "\n" + n.Body(), Alert: facts{ID: a.ID, Key: a.Key, Kind: a.Kind, Severity: a.Severity,
		Occasion: n.Occasion, Title: a.Title, Detail: a.Detail, Metric: a.Metric, Value: a.Value, Expected: a.Expected, Limit: a.Limit,
		OpenedAt: a.OpenedAt, ClosedAt: a.ClosedAt, Link: n.Link}})
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode the notice: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "the alert webhook has no usable address")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", n.ID)
	response, err := w.client.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its own text repeats the address
		}
		return lifecycle.Errorf(lifecycle.Unavailable, "the alert webhook does not answer: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusTooManyRequests:
		return lifecycle.Errorf(lifecycle.RateLimited, "the alert webhook answers %d: it is called too often", status)
	case status == http.StatusRequestTimeout || status >= 500:
		return lifecycle.Errorf(lifecycle.Unavailable, "the alert webhook answers %d", status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return lifecycle.Errorf(lifecycle.Forbidden, "the alert webhook answers %d: check its address", status)
	default:
		return lifecycle.Errorf(lifecycle.Invalid, "the alert webhook answers %d: check its address", status)
	}
}
