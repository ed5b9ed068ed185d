package sendgrid

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendgrid/rest"

	"touchstone/internal/channel"
)

// Limits for the waiting time a provider may name: a reset in the past still
// waits a moment, and nobody makes us wait for more than an hour.
const (
	minRetryAfter = 500 * time.Millisecond
	maxRetryAfter = time.Hour
)

// classify reads an answer other than 202. See Client.Send for the rules.
func classify(res *rest.Response, now time.Time) *channel.Error {
	detail, field := errorDetail(res.Body)
	e := &channel.Error{Status: res.StatusCode, Detail: detail}
	switch s := res.StatusCode; {
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable, s == http.StatusRequestTimeout:
		e.Class = channel.Transient
		e.RetryAfter = retryAfter(http.Header(res.Headers), now)
	case s >= 500, s < 300: // other 2xx: answered by something that is not mail/send
		e.Class = channel.Unconfirmed
	case s < 400: // redirect
		e.Class = channel.Misconfigured
		e.Detail = "the base URL redirects, set the final address"
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusMethodNotAllowed:
		e.Class = channel.Misconfigured
	case s == http.StatusBadRequest && (field == "from" || strings.HasPrefix(field, "from.") || strings.HasPrefix(field, "reply_to")):
		e.Class = channel.Misconfigured
	default:
		e.Class = channel.Refused
	}
	return e
}

// retryAfter reads the provider's own waiting time: X-RateLimit-Reset in epoch
// seconds, or Retry-After in seconds or as a date. Zero when it names none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var wait time.Duration
	if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		wait = time.Unix(reset, 0).Sub(now)
	} else if after := h.Get("Retry-After"); after == "" {
		return 0
	} else if seconds, err := strconv.ParseInt(after, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		wait = at.Sub(now)
	} else {
		return 0
	}
	return min(max(wait, minRetryAfter), maxRetryAfter)
}

// errorDetail reads SendGrid's error list, or describes a body that is not one
// (gateways answer with HTML pages). Texts that could quote the recipient are
// cut of everything around an at sign.
func errorDetail(body string) (detail, field string) {
	var list struct {
		Errors []struct {
			Message string `json:"message"`
			Field   string `json:"field"`
		} `json:"errors"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Errors) == 0 {
		if strings.TrimSpace(body) == "" {
			return "empty answer", ""
		}
		return "answer is not the API's error list", ""
	}
	first := list.Errors[0]
	words := strings.Fields(first.Message)
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = "[address]"
		}
	}
	detail = strings.Join(words, " ")
	if r := []rune(detail); len(r) > 200 {
		detail = string(r[:200]) + "…"
	}
	if first.Field != "" {
		detail = first.Field + ": " + detail
	}
	return detail, first.Field
}
