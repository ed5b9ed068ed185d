package sendgrid_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/channel/channeltest"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
)

func newSandbox(t *testing.T, timeout time.Duration, faults ...sandbox.Fault) (*sandbox.Server, *httptest.Server, *sendgrid.Client) {
	t.Helper()
	stand, err := sandbox.New(sandbox.Options{Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand.Handler())
	t.Cleanup(server.Close)
	client, err := sendgrid.New(sendgrid.Config{APIKey: "SG.key", BaseURL: server.URL, Timeout: timeout, MaxInFlight: 8, EmailActivity: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return stand, server, client
}

func TestConformanceAgainstTheSandbox(t *testing.T) {
	t.Parallel()
	kinds := map[channeltest.Fault]sandbox.Fault{
		channeltest.Refuse:         {Kind: sandbox.Refused},
		channeltest.Throttle:       {Kind: sandbox.RateLimited, ResetSeconds: int(channeltest.ThrottleReset / time.Second)},
		channeltest.Busy:           {Kind: sandbox.Unavailable},
		channeltest.CutAfterAccept: {Kind: sandbox.Cut},
		channeltest.Hang:           {Kind: sandbox.Slow, DelayMS: 1500},
		channeltest.BadCredentials: {Kind: sandbox.Refused, Status: 401},
	}
	channeltest.Run(t, func(t *testing.T, f channeltest.Fault) channeltest.Bench {
		var faults []sandbox.Fault
		if fault, ok := kinds[f]; ok {
			fault.Vendor, fault.Rate = sandbox.SendGrid, 1
			faults = append(faults, fault)
		}
		timeout := 5 * time.Second
		if f == channeltest.Hang {
			timeout = 500 * time.Millisecond
		}
		stand, server, client := newSandbox(t, timeout, faults...)
		if f == channeltest.Unreachable {
			server.Listener.Close()
		}
		ids := []string{"touch-1"}
		for i := range 64 {
			ids = append(ids, fmt.Sprintf("touch-%02d", i))
		}
		return channeltest.Bench{Provider: client, Message: message, Accepted: func() []lifecycle.TouchID {
			var out []lifecycle.TouchID
			for _, id := range ids {
				for range stand.AcceptedTouch(id) {
					out = append(out, lifecycle.TouchID(id))
				}
			}
			return out
		}}
	})
}

func TestLookupFindsATouchInTheSandbox(t *testing.T) {
	t.Parallel()
	_, _, client := newSandbox(t, 5*time.Second)
	sent, err := client.Send(t.Context(), message("touch-7"))
	if err != nil {
		t.Fatal(err)
	}
	found, presence, err := client.Lookup(t.Context(), "touch-7")
	if err != nil || presence != channel.Found || found != sent {
		t.Errorf("sent as %+v, found %+v, %s, %v", sent, found, presence, err)
	}
	if _, presence, err := client.Lookup(t.Context(), "touch-8"); err != nil || presence != channel.Unknown {
		t.Errorf("touch never sent: %s, %v", presence, err)
	}
}
