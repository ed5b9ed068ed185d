package demo_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/config"
	"touchstone/internal/demo"
	"touchstone/internal/onebox"
)

// A short season on the real engines: touches go out, copy is reviewed, and both
// proofs pass.
func TestShortSeason(t *testing.T) {
	var out bytes.Buffer
	season, err := demo.Play(t.Context(), demo.Options{
		Box: onebox.Options{
			Ephemeral: true, Config: config.Defaults(), Brand: brand.Example(), Policy: guardrails.DefaultPolicy(), Seed: 7,
		},
		People: 150, Weeks: 1, Factor: 86400 / 2, Lead: 8 * time.Second, Patience: time.Second, Seed: 7, Out: &out,
	})
	if season.Box != nil {
		defer func() {
			if err := season.Box.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("stop: %v", err)
			}
		}()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	r := season.Report
	if !r.Proof.Ledger.OK || !r.Proof.Audit.OK {
		t.Errorf("ledger %+v, audit %+v", r.Proof.Ledger, r.Proof.Audit)
	}
	if r.RpMT.Touches == 0 || r.Proof.Ledger.Touches == 0 || r.Proof.Audit.Entries == 0 {
		t.Errorf("%d touches sent, %d in the ledger, %d log entries", r.RpMT.Touches, r.Proof.Ledger.Touches, r.Proof.Audit.Entries)
	}
	if got, want := season.Box.Sandbox.Accepted(), r.RpMT.Touches; got < want {
		t.Errorf("the report counts %d touches, the provider took %d", want, got)
	}
	if r.Reviews.Opened == 0 || r.Reviews.Approved == 0 {
		t.Errorf("reviews: %+v", r.Reviews)
	}
	var text bytes.Buffer
	if err := r.Text(&text, false); err != nil || !strings.Contains(text.String(), "SIMULATED CUSTOMERS") {
		t.Errorf("the report must say that its customers are simulated: %v", err)
	}
}
