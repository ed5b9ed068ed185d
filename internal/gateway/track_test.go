package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/gateway"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func TestDoorsSayWhatTheyRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for path, c := range map[string]struct{ body, reason string }{
		"/v1/track":    {`{"userId":"u","event":""}`, "event is missing"},
		"/v1/identify": {`{"anonymousId":"a","traits":{"email":"a@shop.example"}}`, "userId is missing"},
		"/v1/alias":    {`{"userId":"u"}`, "previousId is missing"},
		"/v1/group":    {`{"userId":"u"}`, "groupId is missing"},
		"/v1/page":     {`{"name":"Home"}`, "one of them says whom"},
		"/v1/screen":   {`{"userId":"u","messageId":"` + strings.Repeat("m", 101) + `"}`, "messageId is longer"},
	} {
		b.kept = nil
		body := strings.Replace(c.body, "{", `{"writeKey":"`+writeKey+`",`, 1)
		status, _, text := b.do(t, "POST", path, body)
		if status != http.StatusOK || !strings.Contains(text, `"accepted":0`) || !strings.Contains(text, c.reason) {
			t.Errorf("%s: status %d: %s", path, status, text)
		}
		if len(b.kept) != 1 || !strings.Contains(b.kept[0].Reason, c.reason) || strings.Contains(b.kept[0].Body, writeKey) || b.kept[0].Key != "1" {
			t.Errorf("%s: kept %+v", path, b.kept)
		}
	}
	if strings.Contains(b.logs.String(), "@") || strings.Contains(b.logs.String(), writeKey) {
		t.Errorf("the log holds an address or a key:\n%s", b.logs)
	}
	// What erased customers are said to have done is not kept.
	b.kept = nil
	b.onTrack = func(postgres.TrackBatch) (postgres.TrackResult, error) {
		return postgres.TrackResult{Refused: map[int]string{0: postgres.ErasedReason}}, nil
	}
	if status, _, text := b.do(t, "POST", "/v1/track", `{"userId":"u","event":"X"}`, "Authorization", basic(writeKey)); status != http.StatusOK || !strings.Contains(text, "erased") || len(b.kept) != 0 {
		t.Errorf("status %d: %s, kept %+v", status, text, b.kept)
	}
}

func TestNothingIsAcknowledgedBeforeTheRefusedAreKept(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.failKeeping = lifecycle.Errorf(lifecycle.Unavailable, "gone")
	if status, h, _ := b.do(t, "POST", "/v1/track", `{"userId":"u"}`, "Authorization", basic(writeKey)); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("status %d", status)
	}
}

func TestPagesMaySendFromAnywhere(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, path := range []string{"/v1/t", "/v1/batch", "/v1/import", "/beacon/v1/batch"} {
		status, h, _ := b.do(t, "OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
		if status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: status %d, %v", path, status, h)
		}
	}
	for name, key := range map[string]string{"taken": writeKey, "refused": "wrong"} {
		_, h, _ := b.do(t, "POST", "/v1/t", `{"userId":"u","event":"X"}`, "Authorization", basic(key), "Origin", "https://shop.example")
		if h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", name, h)
		}
	}
}

// Each name of a key has a rate of its own; keys of one name share it.
func TestRatePerKey(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *gateway.Config) {
		c.WriteKeys = []string{"web:old", "web:new", "ios:other"}
		c.Limits = gateway.Limits{PerSecond: 1, Burst: 2500}
	})
	batch := `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page","userId":"u"},`, 2000), ",") + `]}`
	send := func(key string) (int, http.Header) {
		status, h, _ := b.do(t, "POST", "/v1/batch", batch, "Authorization", basic(key))
		return status, h
	}
	if status, h := send("old"); status != http.StatusOK || h.Get("X-RateLimit-Limit") != "1" || h.Get("X-RateLimit-Remaining") != "500" {
		t.Fatalf("first: status %d, %v", status, h)
	}
	status, h := send("new")
	wait, _ := strconv.Atoi(h.Get("Retry-After"))
	reset, _ := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if status != http.StatusTooManyRequests || wait < 1490 || wait > 1500 || reset < time.Now().Unix()+1400 {
		t.Fatalf("second: status %d, %v", status, h)
	}
	if status, _ := send("other"); status != http.StatusOK {
		t.Errorf("another name: status %d", status)
	}
	if len(b.batches) != 2 {
		t.Errorf("%d batches: what is sent away must not be written", len(b.batches))
	}
	if _, _, metrics := b.do(t, "GET", "/metrics", ""); !strings.Contains(metrics, `touchstone_gateway_refused_total{key="web",why="rate"} 1`) ||
		!strings.Contains(metrics, `touchstone_gateway_messages_total{door="batch",key="ios",result="accepted"} 2000`) || strings.Contains(metrics, "other") {
		t.Errorf("metrics:\n%s", metrics)
	}
}

// While the store is slow, requests beyond the room for them are sent away, and
// those who wait are written together.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	var once sync.Once
	entered := make(chan struct{})
	b := start(t, func(c *gateway.Config) { c.Limits = gateway.Limits{Requests: 20} })
	b.onTrack = func(postgres.TrackBatch) (postgres.TrackResult, error) {
		once.Do(func() { close(entered); <-open })
		return postgres.TrackResult{}, nil
	}
	statuses := make(chan int, 60)
	var senders sync.WaitGroup
	send := func(i int) {
		status, h, _ := b.do(t, "POST", "/v1/track", fmt.Sprintf(`{"userId":"u","event":"X","messageId":"%d"}`, i), "Authorization", basic(writeKey))
		if status == http.StatusTooManyRequests && h.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		statuses <- status
	}
	senders.Go(func() { send(0) })
	<-entered
	for i := range 50 {
		senders.Go(func() { send(i + 1) })
	}
	for len(statuses) < 31 {
		time.Sleep(time.Millisecond) // those beyond the room are answered at once
	}
	close(open)
	senders.Wait()
	close(statuses)
	count := map[int]int{}
	for s := range statuses {
		count[s]++
	}
	if count[http.StatusOK] != 20 || count[http.StatusTooManyRequests] != 31 {
		t.Errorf("answers %v", count)
	}
	written := 0
	for _, batch := range b.batches {
		written += len(batch.Messages)
	}
	if written != 20 || len(b.batches) > 4 {
		t.Errorf("%d messages in %d transactions", written, len(b.batches))
	}
}

// One message that the store refuses takes no other with it.
func TestOneBadMessageStandsAlone(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.onTrack = func(batch postgres.TrackBatch) (postgres.TrackResult, error) {
		for _, m := range batch.Messages {
			if m.Event.Name == "bad" {
				return postgres.TrackResult{}, lifecycle.Errorf(lifecycle.Invalid, "data exception: %w", errors.New("jsonb"))
			}
		}
		return postgres.TrackResult{}, nil
	}
	var body bytes.Buffer
	body.WriteString(`{"batch":[`)
	for i := range 9 {
		name := "good"
		if i == 5 {
			name = "bad"
		}
		fmt.Fprintf(&body, `{"type":"track","userId":"u","event":"%s","messageId":"%d"},`, name, i)
	}
	body.Truncate(body.Len() - 1)
	body.WriteString(`]}`)
	status, _, text := b.do(t, "POST", "/v1/batch", body.String(), "Authorization", basic(writeKey))
	if status != http.StatusOK || !strings.Contains(text, `"accepted":8`) || !strings.Contains(text, `[{"index":5,"reason":"is refused by the store"}]`) {
		t.Errorf("status %d: %s", status, text)
	}
	written := 0
	for _, batch := range b.batches {
		written += len(batch.Messages)
	}
	if written != 8 || len(b.kept) != 1 {
		t.Errorf("%d written, kept %+v", written, b.kept)
	}
}
