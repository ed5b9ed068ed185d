// Package control is what people can do to the running system: apply a
// journey, start a campaign, pause and resume, decide a review, move runs to
// another version, erase a customer. The CLI and the demo go through it, so
// every door behaves alike and every act is in the decision log. Level 5.
package control

import (
	"context"
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/client"

	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/worker"
)

// Plane carries out what people ask for.
type Plane struct {
	Store    *postgres.Store
	Temporal client.Client
	Brand    *brand.Brand
	Clock    clock.Clock
	Review   config.Review
}

func (p *Plane) starter() *worker.Starter {
	return &worker.Starter{Client: p.Temporal, Scale: p.Clock.Scale, Review: p.Review}
}

// log appends what a person did to the decision log.
func (p *Plane) log(ctx context.Context, kind, actor, subject string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("decision record %s: %w", kind, err)
	}
	return p.Store.AppendDecisions(ctx, []ledger.Record{{At: p.Clock.Now(), Kind: kind, Actor: actor, Subject: subject, Body: text}})
}

// named refuses acts without a name: the decision log must say who.
func named(by string) error {
	if by == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "say who you are with --by, it goes into the decision log")
	}
	return nil
}
