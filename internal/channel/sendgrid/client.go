// Package sendgrid delivers e-mail through the SendGrid v3 API and reads its
// event webhook. It uses the vendor's SDK for the request shape only: the HTTP
// client, the time-outs and the reading of answers are ours, because the SDK's
// own have no time-out, hide failure statuses and miss the reset header.
// Level 3: imports channel and lifecycle.
package sendgrid

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sendgrid/rest"
	vendor "github.com/sendgrid/sendgrid-go"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

// Config says how to reach SendGrid.
type Config struct {
	APIKey      string
	BaseURL     string        // default https://api.sendgrid.com; the EU region has its own host
	Timeout     time.Duration // for one whole request; default 15 s
	MaxInFlight int           // concurrent requests, and idle connections kept; default 64
	// EmailActivity says that the account has the Email Activity add-on with
	// custom arguments, so that Lookup can ask for a touch.
	EmailActivity bool
}

// DefaultBaseURL is SendGrid's global host.
const DefaultBaseURL = "https://api.sendgrid.com"

// idleTimeout is shorter than the idle limits common at load balancers
// (60-75 s), so that we close first: a connection the server closes while we
// write would leave the touch unconfirmed.
const idleTimeout = 20 * time.Second

// Client is a channel.Provider for e-mail.
type Client struct {
	key  string
	host string
	rest *rest.Client
	now  func() time.Time

	activity bool
}

// New returns a client with its own connection pool. Close releases it.
func New(cfg Config) (*Client, error) {
	if cfg.APIKey == "" {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "sendgrid API key is empty: set it in the configuration")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "sendgrid base URL %q is not an http(s) address such as %s", cfg.BaseURL, DefaultBaseURL)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = 64
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: min(5*time.Second, cfg.Timeout), KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   min(5*time.Second, cfg.Timeout),
		ResponseHeaderTimeout: cfg.Timeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConns:          cfg.MaxInFlight,
		MaxIdleConnsPerHost:   cfg.MaxInFlight,
		MaxConnsPerHost:       cfg.MaxInFlight,
		ForceAttemptHTTP2:     true,
	}
	return &Client{
		key:  cfg.APIKey,
		host: strings.TrimRight(cfg.BaseURL, "/"),
		now:  time.Now,

		activity: cfg.EmailActivity,
		rest: &rest.Client{HTTPClient: &http.Client{
			Transport:     transport,
			Timeout:       cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
	}, nil
}

// Close releases idle connections.
func (c *Client) Close() { c.rest.HTTPClient.CloseIdleConnections() }

// Send hands one message to SendGrid with one HTTP request.
//
// Answers are read like this: 202 is accepted; 429 and 503 are transient with
// the reset the provider names; 401, 403, 404, 405, redirects and a refused
// sender are misconfigured; other 4xx are refused. A 500, 502 or 504 comes
// from something behind the front door that may already have taken the
// message, and SendGrid has no idempotency key, so these are unconfirmed. No
// answer at all is transient only when the request was never completely
// written, else unconfirmed.
func (c *Client) Send(ctx context.Context, m lifecycle.Message) (channel.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return channel.Receipt{}, &channel.Error{Class: channel.Transient, Detail: "the request was not started", Err: err}
	}
	body, err := requestBody(m)
	if err != nil {
		return channel.Receipt{}, err
	}
	req := vendor.GetRequest(c.key, "/v3/mail/send", c.host)
	req.Method = rest.Post
	req.Body = body

	var w writes
	res, err := c.rest.SendWithContext(httptrace.WithClientTrace(ctx, w.trace()), req)
	if res == nil {
		class := channel.Unconfirmed
		if w.neverComplete() {
			class = channel.Transient
		}
		return channel.Receipt{}, &channel.Error{Class: class, Err: withoutURL(err)}
	}
	// A status that arrived decides, even when the rest of the answer was cut.
	if res.StatusCode == http.StatusAccepted {
		return channel.Receipt{ProviderID: http.Header(res.Headers).Get("X-Message-Id")}, nil
	}
	return channel.Receipt{}, classify(res, c.now())
}

// withoutURL drops the *url.Error around a transport error: it repeats method
// and address and adds nothing.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// writes follows how far a request got on the wire. The transport may use
// several connections for one request when a reused one turns out dead before
// the first byte, hence counts.
type writes struct {
	mu       sync.Mutex
	conns    int // connections obtained
	failed   int // writes that ended in an error: the server cannot have the whole body
	complete bool
}

func (w *writes) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.conns++
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if info.Err != nil {
				w.failed++
				return
			}
			w.complete = true
		},
	}
}

// neverComplete reports that no connection can have carried the whole request.
// A write still under way when the call returned counts as possibly complete.
func (w *writes) neverComplete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.complete && w.failed >= w.conns
}
