package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/internal/sandbox"
)

func TestMailFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    sandbox.Fault
		status   int // 0 = the client sees a broken connection
		accepted int
	}{
		"rate limited": {sandbox.Fault{Kind: sandbox.RateLimited, ResetSeconds: 7}, 429, 0},
		"unavailable":  {sandbox.Fault{Kind: sandbox.Unavailable}, 503, 0},
		"bad gateway":  {sandbox.Fault{Kind: sandbox.Unavailable, Status: 502}, 502, 0},
		"refused":      {sandbox.Fault{Kind: sandbox.Refused}, 400, 0},
		"forbidden":    {sandbox.Fault{Kind: sandbox.Refused, Status: 403}, 403, 0},
		"cut before":   {sandbox.Fault{Kind: sandbox.CutBefore}, 0, 0},
		"cut":          {sandbox.Fault{Kind: sandbox.Cut}, 0, 1},
		"slow":         {sandbox.Fault{Kind: sandbox.Slow, DelayMS: 30}, 202, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, false, nil)
			c.fault.Vendor = sandbox.SendGrid
			inject(t, b, c.fault)
			began := time.Now()
			resp, err := b.send(t, letter("ada@example.com", touch(1)))
			switch {
			case c.status == 0 && err == nil:
				t.Fatalf("the client saw an answer: %+v", resp)
			case c.status != 0 && (err != nil || resp.StatusCode != c.status):
				t.Fatalf("%v %+v", err, resp)
			}
			if b.Accepted() != c.accepted || b.AcceptedTouch(touch(1)) != c.accepted {
				t.Errorf("accepted %d, want %d", b.Accepted(), c.accepted)
			}
			switch c.fault.Kind {
			case sandbox.RateLimited:
				reset, err := strconv.ParseInt(http.Header(resp.Headers).Get("X-RateLimit-Reset"), 10, 64)
				if wait := time.Until(time.Unix(reset, 0)); err != nil || wait < 6*time.Second || wait > 9*time.Second {
					t.Errorf("reset in %v, %v", wait, err)
				}
			case sandbox.Unavailable:
				if !strings.HasPrefix(resp.Body, "<html>") {
					t.Errorf("body %q", resp.Body)
				}
			case sandbox.Slow:
				if time.Since(began) < 30*time.Millisecond {
					t.Error("answered too early")
				}
			}
			b.mustSend(t, letter("ada@example.com", touch(2))) // the fault is spent
		})
	}
}

// TestCutStillDelivers: the client does not know, the recipient has it.
func TestCutStillDelivers(t *testing.T) {
	t.Parallel()
	b, h := hooked(t, nil)
	inject(t, b, sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Cut})
	if _, err := b.send(t, letter("ada@example.com", touch(1))); err == nil {
		t.Fatal("the client must see a broken connection")
	}
	eventually(t, "events", func() bool { return len(h.kinds(touch(1))) == 2 })
}

func TestFaultRateAndCount(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	inject(t, b, sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Unavailable, Rate: 0.3})
	failed := 0
	for i := range 200 {
		resp, err := b.send(t, letter("ada@example.com", touch(i)))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusServiceUnavailable {
			failed++
		}
	}
	if failed < 35 || failed > 85 || b.Accepted() != 200-failed || b.Faults()[0].Struck != failed {
		t.Errorf("%d of 200 failed, %d accepted", failed, b.Accepted())
	}
	b.ClearFaults()
	inject(t, b, sandbox.Fault{Vendor: sandbox.SendGrid, Kind: sandbox.Unavailable, Count: 3})
	failed = 0
	for i := range 10 {
		if resp, err := b.send(t, letter("ada@example.com", touch(1000+i))); err != nil || resp.StatusCode == http.StatusServiceUnavailable {
			failed++
		}
	}
	if failed != 3 {
		t.Errorf("%d failed, want 3", failed)
	}
}

func TestFaultDoors(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	for _, bad := range []string{
		`{}`, `{"vendor":"sendgrid"}`, `{"vendor":"other","kind":"cut"}`, `{"vendor":"sendgrid","kind":"refusal"}`, `{"vendor":"openai","kind":"webhooks_lost"}`,
		`{"vendor":"sendgrid","kind":"cut","rate":1.5}`, `{"vendor":"sendgrid","kind":"cut","count":-1}`, `{"vendor":"sendgrid","kind":"unavailable","status":200}`,
		`{"vendor":"sendgrid","kind":"cut","often":true}`, `[]`, `x`,
	} {
		if resp, text := b.call(t, http.MethodPost, "/sandbox/faults", "", bad); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %s", bad, resp.StatusCode, text)
		}
	}
	resp, text := b.call(t, http.MethodPost, "/sandbox/faults", "", `{"vendor":"sendgrid","kind":"rate_limited","count":2,"reset_seconds":3}`)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	if resp, err := b.send(t, letter("ada@example.com", touch(1))); err != nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("%v %+v", err, resp)
	}
	var listed struct{ Faults []sandbox.Fault }
	if _, text := b.call(t, http.MethodGet, "/sandbox/faults", "", ""); json.Unmarshal([]byte(text), &listed) != nil || len(listed.Faults) != 1 ||
		listed.Faults[0].Count != 1 || listed.Faults[0].Struck != 1 {
		t.Errorf("faults %+v", listed)
	}
	if resp, _ := b.call(t, http.MethodDelete, "/sandbox/faults", "", ""); resp.StatusCode != http.StatusNoContent || len(b.Faults()) != 0 {
		t.Error("DELETE must end all faults")
	}
	b.mustSend(t, letter("ada@example.com", touch(1)))
}

func FuzzFault(f *testing.F) {
	f.Add(`{"vendor":"sendgrid","kind":"cut","rate":0.5}`)
	f.Add(`{"vendor":"openai","kind":"slow","delay_ms":9999999999}`)
	f.Fuzz(func(t *testing.T, body string) {
		var fault sandbox.Fault
		if json.Unmarshal([]byte(body), &fault) != nil {
			return
		}
		s, err := sandbox.New(sandbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Inject(fault); (err == nil) != (fault.Validate() == nil) {
			t.Fatalf("Inject and Validate disagree about %+v: %v", fault, err)
		}
	})
}
