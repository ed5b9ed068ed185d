package sandbox

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"touchstone/internal/sandbox/draw"
)

const (
	maxBatchBytes   = 768 << 10        // the vendor posts at 768 KB at the latest
	retryFirst      = time.Second      // first pause after a failed post, doubles
	retryLongest    = 30 * time.Second // longest pause
	retryFor        = 24 * time.Hour   // then a batch is given up
	maxQueuedEvents = 500_000          // without a target or while it is down; the oldest go first, counted as given up
)

// webhookQueue holds encoded events until they are posted.
type webhookQueue struct {
	client *http.Client

	mu      sync.Mutex
	url     string
	ready   [][]byte    // events for the next posts
	held    []heldEvent // reordered and duplicated events waiting for a later post
	retries []*failedBatch
	serial  uint64 // event copies made
	round   uint64 // posting rounds
	flying  int    // events in the post under way

	posted, lost, copies, retried, givenUp int // events; retried counts batches
}

type heldEvent struct {
	line  []byte
	round uint64 // from which round it may go
}

// failedBatch is a batch that was not answered with 2xx.
type failedBatch struct {
	body   []byte
	events int
	since  time.Time
	next   time.Time
	pause  time.Duration
}

func newWebhookQueue(url string) *webhookQueue {
	return &webhookQueue{url: url, client: &http.Client{Timeout: 15 * time.Second}}
}

func (q *webhookQueue) setURL(url string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.url = url
}

// emit books an event and queues it for the webhook.
func (s *Server) emit(e event) {
	s.outbox.mark(e)
	q := s.hooks
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, struck := s.faults.take(SendGrid, WebhooksLost); struck {
		q.lost++
		return
	}
	line := func() []byte {
		q.serial++
		return e.encode(s.eventID(e.kind, q.serial))
	}
	d := draw.Of(s.opts.Seed, draw.Text("hold"), q.serial)
	if _, struck := s.faults.take(SendGrid, WebhooksDuplicated); struck {
		q.copies++
		q.held = append(q.held, heldEvent{line: line(), round: q.round + 1 + uint64(d.Int(3))})
	}
	if _, struck := s.faults.take(SendGrid, WebhooksReordered); struck {
		q.held = append(q.held, heldEvent{line: line(), round: q.round + 1 + uint64(d.Int(3))})
		return
	}
	q.ready = append(q.ready, line())
	if over := len(q.ready) - maxQueuedEvents; over > 0 {
		q.ready = append(q.ready[:0:0], q.ready[over:]...)
		q.givenUp += over
	}
}

// postEvents posts everything ready and every failed batch whose pause is over.
func (s *Server) postEvents(ctx context.Context) {
	q := s.hooks
	url, retries := q.startRound(time.Now())
	if url == "" {
		return
	}
	for _, b := range retries {
		q.fly(b)
		if err := s.post(ctx, url, b.body); err != nil {
			q.failed(b, time.Now(), err, s)
			return // the target is down: the others wait for the next round
		}
		q.done(b)
	}
	for ctx.Err() == nil {
		body, n := q.batch()
		if n == 0 {
			return
		}
		if err := s.post(ctx, url, body); err != nil {
			now := time.Now()
			q.failed(&failedBatch{body: body, events: n, since: now}, now, err, s)
			return
		}
		q.mu.Lock()
		q.posted, q.flying = q.posted+n, 0
		q.mu.Unlock()
	}
}

// startRound releases held events and lists the batches to retry.
func (q *webhookQueue) startRound(now time.Time) (url string, retries []*failedBatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.url == "" {
		return "", nil
	}
	q.round++
	var still []heldEvent
	for _, h := range q.held {
		if h.round <= q.round {
			q.ready = append(q.ready, h.line)
		} else {
			still = append(still, h)
		}
	}
	q.held = still
	for _, b := range q.retries {
		if !b.next.After(now) {
			retries = append(retries, b)
		}
	}
	return q.url, retries
}

// batch takes the next events off the queue as one body in SendGrid's layout:
// one event per line, separated by ",\r\n", the body ending "\r\n".
func (q *webhookQueue) batch() (body []byte, events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 4
	for events < len(q.ready) && (events == 0 || size+len(q.ready[events])+3 <= maxBatchBytes) {
		size += len(q.ready[events]) + 3
		events++
	}
	if events == 0 {
		return nil, 0
	}
	body = make([]byte, 0, size)
	body = append(body, '[')
	body = append(body, bytes.Join(q.ready[:events], []byte(",\r\n"))...)
	body = append(body, "]\r\n"...)
	q.flying = events
	q.ready = q.ready[events:]
	if len(q.ready) == 0 {
		q.ready = nil
	}
	return body, events
}

func (q *webhookQueue) failed(b *failedBatch, now time.Time, err error, s *Server) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.retried++
	q.flying = 0
	if now.Sub(b.since) > retryFor {
		q.givenUp += b.events
		s.log.Warn("webhook batch given up", "events", b.events, "error", err)
		return
	}
	b.pause = min(max(b.pause*2, retryFirst), retryLongest)
	b.next = now.Add(b.pause)
	q.retries = append(q.retries, b)
	s.log.Warn("webhook batch failed, will be posted again", "events", b.events, "pause", b.pause, "error", err)
}

func (q *webhookQueue) fly(b *failedBatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flying = b.events
	q.retries = slices.DeleteFunc(q.retries, func(other *failedBatch) bool { return other == b })
}

func (q *webhookQueue) done(b *failedBatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.posted, q.flying = q.posted+b.events, 0
}

// post signs and sends one body. Every attempt is signed anew.
func (s *Server) post(ctx context.Context, url string, body []byte) error {
	timestamp := strconv.FormatInt(s.opts.Clock.Now().Unix(), 10)
	signature, err := s.sign(timestamp, body)
	if err != nil {
		return fmt.Errorf("sign the webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "SendGrid Event API")
	req.Header.Set("X-Twilio-Email-Event-Webhook-Signature", signature)
	req.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	resp, err := s.hooks.client.Do(req)
	if err != nil {
		return fmt.Errorf("post the webhook: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("post the webhook: status %d", resp.StatusCode)
	}
	return nil
}

// sign is base64 of the ASN.1 ECDSA signature over SHA-256 of timestamp and body.
func (s *Server) sign(timestamp string, body []byte) (string, error) {
	h := sha256.New()
	h.Write([]byte(timestamp))
	h.Write(body)
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, h.Sum(nil))
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}
