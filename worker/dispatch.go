package worker

import (
	"context"
	"time"

	"github.com/google/uuid"

	"touchstone/activities"
	"touchstone/internal/brand"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// EntryStore enters customers into journeys.
type EntryStore interface {
	Enter(ctx context.Context, entry ledger.Entry) (ledger.Run, bool, error)
	ActiveRuns(ctx context.Context, customer lifecycle.CustomerID) ([]ledger.Run, error)
	Profile(ctx context.Context, customer lifecycle.CustomerID) (lifecycle.Profile, error)
}

// Dispatcher brings a stored event to the journeys it concerns: it enters the
// customer where the event is an entry, and wakes the customer's runs that
// listen to it. Dispatching an event twice is harmless.
type Dispatcher struct {
	Store         EntryStore
	Definitions   *Definitions
	Starter       activities.Starter
	Brand         *brand.Brand
	GlobalHoldout float64
	Now           func() time.Time // business clock
}

// Dispatch brings one event to its journeys.
func (d *Dispatcher) Dispatch(ctx context.Context, event lifecycle.Event) error {
	journeys, err := d.Definitions.Latest(ctx)
	if err != nil {
		return err
	}
	for _, j := range journeys {
		if j.definition.Entry.Event == event.Name {
			if err := d.enter(ctx, j, event); err != nil {
				return err
			}
		}
	}
	return d.wake(ctx, event)
}

// enter starts the journey for the event's customer if its conditions hold.
func (d *Dispatcher) enter(ctx context.Context, j current, event lifecycle.Event) error {
	def := j.definition
	if def.Entry.When != nil {
		profile, err := d.Store.Profile(ctx, event.CustomerID)
		if lifecycle.CodeOf(err) == lifecycle.NotFound {
			return nil // erased since
		}
		if err != nil {
			return err
		}
		hit, err := def.Entry.When.Match(segment.Env{
			Now: event.At, Profile: profile, Stages: d.Brand.Stages, Event: event.Properties, Entry: event.Properties,
		})
		if err != nil || !hit {
			return err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	entry := ledger.Entry{
		RunID: lifecycle.RunID(id.String()), Journey: def.Name, Version: j.version, CustomerID: event.CustomerID,
		EntryKey: entryKey(def, event), EventID: event.ID, Properties: event.Properties, At: event.At,
		Holdout: def.Holdout, Global: d.GlobalHoldout, Always: def.Reentry.Always,
	}
	if def.Class == lifecycle.Transactional {
		entry.Global = 0 // the brand's holdout is about marketing
	}
	if def.Reentry.After > 0 {
		entry.NotSince = event.At.Add(-def.Reentry.After)
	}
	run, _, err := d.Store.Enter(ctx, entry)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return nil // erased since
	}
	if err != nil {
		return err
	}
	// A run that exists already may lack its workflow: we may have crashed
	// between the two. Starting it again is harmless.
	if run.EntryKey != entry.EntryKey || run.Status != ledger.RunRunning {
		return nil
	}
	return d.Starter.StartJourney(ctx, []ledger.Run{run}, d.Now())
}

// entryKey tells two entries of one customer apart: the journey's own key, or
// the event where the journey may be entered again.
func entryKey(def *journey.Definition, event lifecycle.Event) string {
	if key := def.Entry.EntryKey(event); key != "" {
		return key
	}
	return string(event.ID)
}

// wake signals the customer's runs that listen to the event.
func (d *Dispatcher) wake(ctx context.Context, event lifecycle.Event) error {
	runs, err := d.Store.ActiveRuns(ctx, event.CustomerID)
	if err != nil {
		return err
	}
	var listening []ledger.Run
	for _, run := range runs {
		if !run.Durable || run.Status != ledger.RunRunning || run.EntryEventID == event.ID {
			continue
		}
		def, err := d.Definitions.Definition(ctx, run.Journey, run.Version)
		if err != nil {
			return err
		}
		if def.ListensTo(event.Name) {
			listening = append(listening, run)
		}
	}
	return d.Starter.Wake(ctx, listening, activities.SignalEvent, event.Name)
}
