package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/gateway"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// privacy answers as a desk does, in memory.
type privacy struct {
	mu       sync.Mutex // an export that broke off may still be on its way out
	ids      map[string]lifecycle.CustomerID
	requests map[lifecycle.CustomerID]ledger.PrivacyRequest
	asked    []ledger.PrivacyRequest
	fail     error
	breaks   bool // the export, in its middle
}

func (p *privacy) ActiveCustomerIDs(_ context.Context, external []string) (map[string]lifecycle.CustomerID, error) {
	found := map[string]lifecycle.CustomerID{}
	for _, e := range external {
		if id := p.ids[e]; id != "" && p.requests[id].ID == "" {
			found[e] = id
		}
	}
	return found, p.fail
}

func (p *privacy) Erased(_ context.Context, external string) (ledger.PrivacyRequest, error) {
	if r := p.requests[p.ids[external]]; r.ID != "" {
		return r, nil
	}
	return ledger.PrivacyRequest{}, lifecycle.Errorf(lifecycle.NotFound, "nobody")
}

func (p *privacy) Export(_ context.Context, r ledger.PrivacyRequest, w io.Writer) (ledger.PrivacyRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r)
	if p.fail != nil {
		return r, p.fail
	}
	if _, err := io.WriteString(w, `{"format":"x"`); err != nil || p.breaks {
		return r, lifecycle.Errorf(lifecycle.Unavailable, "the database is gone")
	}
	_, err := io.WriteString(w, "}\n")
	return r, err
}

func (p *privacy) Erase(_ context.Context, r ledger.PrivacyRequest) (ledger.PrivacyRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r)
	if p.fail != nil {
		return r, p.fail
	}
	r.ID = "018f0000-0000-7000-8000-0000000000" + string(r.CustomerID[len(r.CustomerID)-2:])
	p.requests[r.CustomerID] = r
	return r, nil
}

func (p *privacy) PrivacyRequest(_ context.Context, id string) (ledger.PrivacyRequest, error) {
	for _, r := range p.requests {
		if r.ID == id {
			return r, nil
		}
	}
	return ledger.PrivacyRequest{}, lifecycle.Errorf(lifecycle.NotFound, "nobody")
}

const privacyKey = "a privacy key of these tests"

func TestPrivacyDoors(t *testing.T) {
	t.Parallel()
	p := &privacy{ids: map[string]lifecycle.CustomerID{"u1": "018f0000-0000-7000-8000-000000000001", "u2": "018f0000-0000-7000-8000-000000000002"}, requests: map[lifecycle.CustomerID]ledger.PrivacyRequest{}}
	b := start(t, func(c *gateway.Config) { c.Privacy, c.PrivacyKeys = p, []string{privacyKey} })
	ask := func(path, body, key string) (int, string) {
		t.Helper()
		method := "POST"
		if body == "" {
			method = "GET"
		}
		status, _, text := b.do(t, method, "/v1/privacy/"+path, body, "Authorization", "Bearer "+key)
		return status, text
	}
	for _, path := range []string{"export", "erase"} {
		for _, key := range []string{"", writeKey, "nonsense"} { // a write key may stand in the shop's pages
			if status, _ := ask(path, `{"userId":"u1"}`, key); status != http.StatusUnauthorized {
				t.Errorf("%s with key %q: %d", path, key, status)
			}
		}
		for _, body := range []string{"{", `{}`, `{"userId":""}`, `[]`, `{"subjectIds":["u1"]}`, `{"regulationType":"SUPPRESS_ONLY","subjectType":"USER_ID","subjectIds":["u1"]}`,
			`{"regulationType":"SUPPRESS_WITH_DELETE","subjectType":"OBJECT_ID","subjectIds":["u1"]}`, `{"regulationType":"SUPPRESS_WITH_DELETE","subjectType":"USER_ID","subjectIds":[]}`,
			`{"userId":"` + strings.Repeat("x", 501) + `"}`} {
			if status, _ := ask(path, body, privacyKey); status != http.StatusBadRequest {
				t.Errorf("%s %s: %d", path, body, status)
			}
		}
		if status, _ := ask(path, `{"userId":"nobody"}`, privacyKey); status != http.StatusNotFound {
			t.Errorf("%s of nobody: %d", path, status)
		}
	}
	if len(p.asked) != 0 {
		t.Fatalf("asked for %+v", p.asked)
	}
	if status, text := ask("export", `{"userId":"u1","by":"helpdesk"}`, privacyKey); status != http.StatusOK || text != "{\"format\":\"x\"}\n" || p.asked[0].By != "helpdesk" {
		t.Errorf("export: %d %s", status, text)
	}
	for range 2 {
		status, text := ask("erase", `{"userId":"u1","reason":"asked by letter"}`, privacyKey)
		var answer struct{ UserID, Request, Status string }
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusAccepted || answer.UserID != "u1" || answer.Status != "accepted" || answer.Request == "" {
			t.Errorf("erase: %d %s", status, text)
		}
	}
	if last := p.asked[len(p.asked)-1]; len(p.asked) != 2 || last.By != "api" || last.Reason != "asked by letter" || last.RequestedAt.IsZero() {
		t.Errorf("asked %+v", p.asked)
	}
	id := p.requests["018f0000-0000-7000-8000-000000000001"].ID
	done := p.requests["018f0000-0000-7000-8000-000000000001"]
	done.DoneAt, done.Receipt = time.Now(), []byte(`{"runs":1}`)
	p.requests["018f0000-0000-7000-8000-000000000001"] = done
	if status, text := ask("requests/"+id, "", privacyKey); status != http.StatusOK || !strings.Contains(text, `"receipt":{"runs":1}`) {
		t.Errorf("request: %d %s", status, text)
	}
	for _, path := range []string{"requests/nonsense", "requests/018f0000-0000-7000-8000-000000000099"} {
		if status, _ := ask(path, "", privacyKey); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	regulation := `{"regulationType":"SUPPRESS_AND_DELETE","subjectType":"USER_ID","subjectIds":["u1","u2","nobody"]}`
	if status, text := ask("erase", regulation, privacyKey); status != http.StatusAccepted || strings.Count(text, `"status":"done"`) != 1 || strings.Count(text, `"status":"accepted"`) != 1 || strings.Count(text, `"status":"unknown"`) != 1 {
		t.Errorf("regulation: %d %s", status, text)
	}
	p.ids["u3"], p.fail = "018f0000-0000-7000-8000-000000000003", nil
	p.breaks = true
	r, err := http.NewRequest("POST", b.url+"/v1/privacy/export", strings.NewReader(`{"userId":"u3"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(privacyKey, "")
	res, err := http.DefaultClient.Do(r)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		if closing := res.Body.Close(); err == nil {
			err = closing
		}
	}
	if err == nil {
		t.Error("an export that broke off looks whole")
	}
	if strings.Contains(b.logs.String(), "u1") || strings.Contains(b.logs.String(), privacyKey) {
		t.Error("the log holds who asked, or the key")
	}
	p.mu.Lock()
	p.fail = lifecycle.Errorf(lifecycle.Unavailable, "temporal is gone")
	p.mu.Unlock()
	if status, _ := ask("erase", `{"userId":"u3"}`, privacyKey); status != http.StatusServiceUnavailable {
		t.Errorf("engine gone: %d", status)
	}
	closed := start(t)
	if status, _, _ := closed.do(t, "POST", "/v1/privacy/erase", `{"userId":"u1"}`, "Authorization", "Bearer "); status != http.StatusUnauthorized {
		t.Errorf("without keys the door answers %d", status)
	}
}
