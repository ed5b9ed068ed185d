package control

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
	"touchstone/worker"
	"touchstone/workflows"
)

// Campaign asks to send a cohort through a journey.
type Campaign struct {
	Name      string
	Journey   string
	Version   int     // 0 = latest
	Segment   string  // CEL; empty = the journey's own entry segment
	Ramp      float64 // share of the cohort, in (0,1]
	Holdout   float64 // in [0,1); negative = the journey's own
	PerMinute int
	By        string
}

// StartCampaign stores a campaign and starts its workflow, which first waits
// until all its copy is approved.
func (p *Plane) StartCampaign(ctx context.Context, in Campaign) (ledger.CampaignRow, error) {
	var none ledger.CampaignRow
	if err := named(in.By); err != nil {
		return none, err
	}
	if in.Name == "" || len(in.Name) > 100 {
		return none, lifecycle.Errorf(lifecycle.Invalid, "campaign name %q: give 1 to 100 characters", in.Name)
	}
	if in.Ramp <= 0 || in.Ramp > 1 {
		return none, lifecycle.Errorf(lifecycle.Invalid, "ramp %v: give a share above 0 and at most 1, for example 0.05", in.Ramp)
	}
	row, err := p.Store.Journey(ctx, in.Journey, in.Version)
	if err != nil {
		return none, err
	}
	def, err := p.ParseJourney(in.Journey, row.Source)
	if err != nil {
		return none, err
	}
	if in.Segment == "" {
		if def.Entry.Segment == nil {
			return none, lifecycle.Errorf(lifecycle.Invalid, "journey %s is entered by event: give the campaign a segment", in.Journey)
		}
		in.Segment = def.Entry.Segment.String()
	}
	if _, err := segment.Compile(in.Segment); err != nil {
		return none, lifecycle.Errorf(lifecycle.Invalid, "segment: %w", err)
	}
	if in.Holdout < 0 {
		in.Holdout = def.Holdout
	}
	if in.Holdout >= 1 {
		return none, lifecycle.Errorf(lifecycle.Invalid, "holdout %v: give a share from 0 to below 1", in.Holdout)
	}
	campaign := ledger.CampaignRow{
		Name: in.Name, Journey: in.Journey, Version: row.Version, Segment: in.Segment, Ramp: in.Ramp, Holdout: in.Holdout,
		PerMinute: in.PerMinute, Status: workflows.StatusPreflight, CreatedAt: p.Clock.Now(), CreatedBy: in.By,
	}
	created, err := p.Store.SaveCampaign(ctx, campaign)
	if err != nil {
		return none, err
	}
	if !created {
		return none, lifecycle.Errorf(lifecycle.Conflict, "campaign %s exists already: give another name, or enlarge it with `touchstone campaign ramp`", in.Name)
	}
	if err := p.log(ctx, "campaign.started", in.By, in.Name, campaign); err != nil {
		return none, err
	}
	return campaign, p.start(ctx, campaign, enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
}

// RampCampaign enlarges a campaign's share of its cohort. A campaign that has
// finished with its share is started again for the rest.
func (p *Plane) RampCampaign(ctx context.Context, name string, ramp float64, by string) (workflows.CampaignState, error) {
	var state workflows.CampaignState
	if err := named(by); err != nil {
		return state, err
	}
	handle, err := p.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflows.CampaignID(name), UpdateID: uuid.NewString(), UpdateName: workflows.UpdateRamp,
		Args: []any{workflows.RampInput{Ramp: ramp, By: by}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	switch err = engineError("campaign "+name, err); {
	case lifecycle.CodeOf(err) == lifecycle.NotFound:
		if err := p.restart(ctx, name, ramp); err != nil {
			return state, err
		}
		state.Status = workflows.StatusPreflight
	case err != nil:
		return state, err
	default:
		if err := handle.Get(ctx, &state); err != nil {
			return state, lifecycle.Errorf(lifecycle.Invalid, "campaign %s: %w", name, err)
		}
	}
	if err := p.Store.SetCampaignRamp(ctx, name, ramp); err != nil {
		return state, err
	}
	return state, p.log(ctx, "campaign.ramped", by, name, workflows.RampInput{Ramp: ramp, By: by})
}

// restart starts a finished campaign again with a larger share; who is enrolled
// already stays as they are.
func (p *Plane) restart(ctx context.Context, name string, ramp float64) error {
	row, err := p.Store.Campaign(ctx, name)
	if err != nil {
		return err
	}
	if ramp <= row.Ramp || ramp > 1 {
		return lifecycle.Errorf(lifecycle.Invalid, "campaign %s: ramp %v: give a share above the present %v and at most 1", name, ramp, row.Ramp)
	}
	row.Ramp = ramp
	return engineError("campaign "+name, p.start(ctx, row, enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL))
}

// CampaignProgress asks a campaign how far it is.
func (p *Plane) CampaignProgress(ctx context.Context, name string) (workflows.CampaignState, error) {
	var state workflows.CampaignState
	value, err := p.Temporal.QueryWorkflow(ctx, workflows.CampaignID(name), "", workflows.QueryProgress)
	if err != nil {
		return state, engineError("campaign "+name, err)
	}
	return state, value.Get(&state)
}

// Control pauses, halts or resumes a part of the programme. Senders read it
// right before every provider call, so it acts at once; workflows are told so
// that they show it and wait. Everybody keeps their place.
func (p *Plane) Control(ctx context.Context, c ledger.Control) error {
	if err := named(c.By); err != nil {
		return err
	}
	if c.Reason == "" && c.State != ledger.ControlRunning {
		return lifecycle.Errorf(lifecycle.Invalid, "say why with --reason, it is shown to everybody who is held")
	}
	if err := worker.NewController(p.Store, p.Temporal, p.Clock.Now).Control(ctx, c); err != nil {
		return err
	}
	if c.State == ledger.ControlRunning {
		return p.releaseHeld(ctx, c)
	}
	return nil
}

// releaseHeld wakes the runs that a pause stopped before a touch.
func (p *Plane) releaseHeld(ctx context.Context, c ledger.Control) error {
	journey := ""
	if c.Scope == ledger.ScopeJourney {
		journey = c.Name
	}
	for {
		runs, err := p.Store.ReleaseHeld(ctx, journey, migratePage, p.Clock.Now())
		if err != nil || len(runs) == 0 {
			return err
		}
		var durable []ledger.Run
		for _, r := range runs {
			if r.Durable && r.Status == ledger.RunRunning {
				durable = append(durable, r)
			}
		}
		if err := p.starter().Wake(ctx, durable, activities.SignalResume, fmt.Sprintf("%s %s resumed by %s", c.Scope, c.Name, c.By)); err != nil {
			return err
		}
	}
}
