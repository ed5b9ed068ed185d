package demo

import (
	"context"
	_ "embed"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// pilot is the programme that the demo's win-back and at-risk journeys follow.
//
//go:embed pilot.yaml
var pilot []byte

const (
	pilotName   = "pilot"
	upsetWeek   = 2    // in which the recipients turn bad: most is sent then
	upsetShare  = 0.08 // of messages that are then reported as spam
	mendingTime = 4 * time.Second
)

// pilotProgramme starts the rollout and plays the person who answers it: ticks
// what people tick, and says go when everything else holds.
func (d *demo) pilotProgramme(ctx context.Context) error {
	if _, err := d.plane.StartRollout(ctx, pilotName+".yaml", pilot, marketer); err != nil {
		return err
	}
	ticked := false
	return d.each(ctx, 700*time.Millisecond, func() error {
		row, err := d.box().Store.Rollout(ctx, pilotName, 0)
		if err != nil {
			return err
		}
		if !ticked && row.Phase != "" {
			if err := d.act(ctx, "tick", "copy", "approved in the review queue"); err != nil {
				return err
			}
			ticked = true
		}
		if row.Status == workflows.StatusAwaiting {
			return d.act(ctx, "approve", "", "the evidence is complete")
		}
		return nil
	})
}

// act does what a person would in the Temporal UI; that the programme refuses
// because it has moved on meanwhile is no failure.
func (d *demo) act(ctx context.Context, act, item, note string) error {
	err := d.plane.ActOnRollout(ctx, pilotName, workflows.RolloutAct{Act: act, By: marketer, Item: item, Note: note})
	switch lifecycle.CodeOf(err) {
	case "", lifecycle.Conflict, lifecycle.NotFound:
		return nil
	}
	return err
}

// incident makes recipients report messages as spam in one week. The watch stops
// everything; the demo's operator halts the programme as well, mends the cause
// and resumes.
func (d *demo) incident(ctx context.Context) error {
	if err := d.wait(ctx, d.start.AddDate(0, 0, 7*(upsetWeek-1))); err != nil {
		return nil // the season ended before
	}
	d.say("week %d: recipients begin to report %.0f %% of all messages as spam", upsetWeek, 100*upsetShare)
	d.population.Upset(upsetShare)
	defer d.population.Upset(0)
	halted := false
	return d.each(ctx, 500*time.Millisecond, func() error {
		if halted {
			return nil
		}
		reason, err := d.stopped(ctx)
		if err != nil || reason == "" {
			return err
		}
		halted = true
		d.population.Upset(0)
		d.say("the watch has stopped everything: %s", reason)
		if err := d.act(ctx, "halt", "", "the watch has stopped everything: "+reason); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(mendingTime):
		}
		const mended = "the list was cleaned"
		if err := d.plane.Control(ctx, ledger.Control{Scope: ledger.ScopeGlobal, State: ledger.ControlRunning, Reason: mended, By: marketer}); err != nil {
			return err
		}
		d.say("the demo's operator has mended the cause and resumes")
		return d.act(ctx, "resume", "", mended)
	})
}

// stopped is why everything is halted, "" when it is not.
func (d *demo) stopped(ctx context.Context) (string, error) {
	controls, err := d.box().Store.Controls(ctx)
	for _, c := range controls {
		if c.Scope == ledger.ScopeGlobal && c.State == ledger.ControlHalted {
			return c.Reason, err
		}
	}
	return "", err
}

// each does something again and again until the season ends; while the engines
// are busy it only comes later.
func (d *demo) each(ctx context.Context, every time.Duration, do func() error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := do(); err != nil && ctx.Err() == nil && lifecycle.CodeOf(err) != lifecycle.Unavailable {
			return err
		}
	}
}
