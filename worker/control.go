package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// ControlStore keeps controls and knows whom they concern.
type ControlStore interface {
	SetControl(ctx context.Context, c ledger.Control, at time.Time, records ...ledger.Record) error
	Campaigns(ctx context.Context) ([]ledger.CampaignRow, error)
}

// Controller pauses, halts and resumes parts of the programme: people and the
// circuit breaker go the same way.
type Controller struct {
	store  ControlStore
	client client.Client
	now    func() time.Time // business clock
}

// NewController returns a controller.
func NewController(store ControlStore, c client.Client, now func() time.Time) *Controller {
	return &Controller{store: store, client: c, now: now}
}

// signals tell a campaign what a control says.
var signals = map[ledger.ControlState]string{
	ledger.ControlPaused: workflows.SignalPause, ledger.ControlHalted: workflows.SignalHalt, ledger.ControlRunning: workflows.SignalResume,
}

// Control stores a control with its record in the decision log, and tells the
// campaigns that it concerns. Senders read the row right before every call to a
// provider: it acts whether or not anybody could be told.
func (c *Controller) Control(ctx context.Context, control ledger.Control) error {
	now := c.now()
	body, err := json.Marshal(control)
	if err != nil {
		return fmt.Errorf("decision record of a control: %w", err)
	}
	record := ledger.Record{At: now, Kind: "control." + string(control.State), Actor: control.By, Subject: string(control.Scope) + " " + control.Name, Body: body}
	if err := c.store.SetControl(ctx, control, now, record); err != nil {
		return err
	}
	campaigns, err := c.store.Campaigns(ctx)
	if err != nil {
		return err
	}
	for _, campaign := range campaigns {
		if campaign.Status == workflows.StatusDone || !concerns(control, campaign) {
			continue
		}
		err := c.client.SignalWorkflow(ctx, workflows.CampaignID(campaign.Name), "", signals[control.State],
			activities.Woken{Reason: control.Reason + " (" + control.By + ")", At: now})
		if err := unlessGone(err); err != nil {
			return lifecycle.Errorf(lifecycle.CodeOf(err), "campaign %s: %w", campaign.Name, err)
		}
	}
	return nil
}

// concerns reports whether a control is about a campaign.
func concerns(c ledger.Control, campaign ledger.CampaignRow) bool {
	switch c.Scope {
	case ledger.ScopeJourney:
		return c.Name == campaign.Journey
	case ledger.ScopeCampaign:
		return c.Name == campaign.Name
	}
	return true
}
