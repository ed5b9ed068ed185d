package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"touchstone/activities"
	"touchstone/agents"
	"touchstone/internal/channel"
	"touchstone/internal/control"
	"touchstone/internal/copywriter"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// rehearsal runs the engine's own code over a sample of customers and keeps
// what it would have stored: agents decide, guardrails judge, nothing is
// written and nothing goes out. It stands in for every store the code asks.
type rehearsal struct {
	def       *journey.Definition
	creatives []lifecycle.Creative
	evidence  []ledger.ResponseCell
	controls  []ledger.Control
	situation ledger.Situation // of the customer on stage
	plans     []ledger.Plan    // what the engine would have stored for them
	progress  []ledger.Progress
}

// provider says that a channel can be sent on; a rehearsal never calls it.
type provider struct{ channel.Provider }

// newRehearsal reads what all customers share. Slots without approved copy are
// judged with the shipped template; templated counts them.
func (s *session) newRehearsal(ctx context.Context, def *journey.Definition) (r *rehearsal, engine *activities.Journeys, templated int, err error) {
	r = &rehearsal{def: def}
	if r.creatives, err = s.store.Creatives(ctx, def.Slots()); err != nil {
		return nil, nil, 0, err
	}
	if r.evidence, err = s.store.Evidence(ctx); err != nil {
		return nil, nil, 0, err
	}
	if r.controls, err = s.store.Controls(ctx); err != nil {
		return nil, nil, 0, err
	}
	if templated, err = r.standIn(ctx, s); err != nil {
		return nil, nil, 0, err
	}
	engine = &activities.Journeys{
		Runs: r, Creatives: r, Reviews: rehearsedReviews{}, Controls: r, Evidence: r, Definitions: r, Brand: s.brand, Policy: s.policy,
		Agent: agents.ByName, Renderer: copywriter.NewRenderer(), Links: control.PreviewLinks(s.config), Starter: rehearsedStarter{},
		Providers: map[lifecycle.Channel]activities.Provider{lifecycle.Email: provider{}},
		Scale:     s.clock.Scale, ReviewSLA: s.config.Review.SLA, Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}
	return r, engine, templated, nil
}

// standIn adds the shipped template wherever a channel and offer has no
// approved copy yet.
func (r *rehearsal) standIn(ctx context.Context, s *session) (templated int, err error) {
	type arm struct {
		slot    string
		channel lifecycle.Channel
		offer   string
	}
	have := map[arm]bool{}
	for _, c := range r.creatives {
		if c.Status == lifecycle.CreativeApproved {
			have[arm{c.Slot, c.Channel, c.OfferID}] = true
		}
	}
	templates := copywriter.NewTemplates(s.clock.Now)
	for _, step := range r.def.Touches() {
		offers := step.Touch.Offers
		if len(offers) == 0 {
			offers = []string{journey.NoOffer}
		}
		for _, id := range offers {
			if id == journey.NoOffer {
				id = ""
			}
			if have[arm{step.Touch.Slot, lifecycle.Email, id}] {
				continue
			}
			brief := copywriter.Brief{
				Slot: step.Touch.Slot, Journey: r.def.Name, Step: step.ID, Goal: step.Touch.Brief, Channel: lifecycle.Email, Variants: 1, Brand: s.brand,
			}
			if offer, ok := s.brand.Offer(id); ok {
				brief.Offer = &offer
			}
			written, err := templates.Write(ctx, brief)
			if err != nil {
				return templated, err
			}
			for i := range written {
				written[i].ID, written[i].Status = lifecycle.CreativeID(fmt.Sprintf("template-%d-%d", len(r.creatives), i)), lifecycle.CreativeApproved
				// A stand-in for copy that a person will have approved: it
				// counts whatever the journey's fallback is.
				written[i].Source = lifecycle.FromPerson
			}
			r.creatives = append(r.creatives, written...)
			templated++
		}
	}
	return templated, nil
}

// play puts a customer at a step as if it were due now, and says what would
// become of the touch: its plan, or the reason why the run would end instead.
func (r *rehearsal) play(ctx context.Context, engine *activities.Journeys, sit ledger.Situation, step journey.Step, at time.Time) (plan *ledger.Plan, ended string, err error) {
	sit.Run.Journey, sit.Run.Step, sit.Run.StepStartedAt, sit.Run.Status = r.def.Name, step.ID, at, ledger.RunRunning
	r.situation, r.plans, r.progress = sit, nil, nil
	if _, err := engine.Prepare(ctx, activities.Step{RunID: sit.Run.ID, Now: at}); err != nil {
		return nil, "", err
	}
	for i := range r.plans {
		if r.plans[i].Touch.Step == step.ID {
			return &r.plans[i], "", nil
		}
	}
	for _, p := range r.progress {
		if p.EndReason != "" {
			return nil, p.EndReason, nil
		}
	}
	return nil, "waits for copy", nil
}

func (r *rehearsal) Situations(context.Context, []lifecycle.RunID, time.Time) ([]ledger.Situation, error) {
	return []ledger.Situation{r.situation}, nil
}

// Admission lets everybody through: a rehearsal is about the journey.
func (r *rehearsal) Admission(context.Context, []lifecycle.RunID, time.Time) (ledger.Admission, error) {
	return ledger.Admission{}, nil
}

func (r *rehearsal) SavePlans(_ context.Context, plans []ledger.Plan, _ []ledger.Record) error {
	r.plans = append(r.plans, plans...)
	return nil
}

func (r *rehearsal) MoveRuns(_ context.Context, progress []ledger.Progress, _ []ledger.Record) error {
	r.progress = append(r.progress, progress...)
	return nil
}

func (r *rehearsal) Creatives(context.Context, []string) ([]lifecycle.Creative, error) {
	return r.creatives, nil
}

func (r *rehearsal) Creative(_ context.Context, id lifecycle.CreativeID) (lifecycle.Creative, error) {
	for _, c := range r.creatives {
		if c.ID == id {
			return c, nil
		}
	}
	return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.NotFound, "no creative %s", id)
}

func (r *rehearsal) SaveCreatives(_ context.Context, creatives []lifecycle.Creative) ([]lifecycle.Creative, error) {
	return creatives, nil
}

func (r *rehearsal) SetCreativeStatus(context.Context, lifecycle.CreativeID, lifecycle.CreativeStatus, string) error {
	return nil
}

func (r *rehearsal) Controls(context.Context) ([]ledger.Control, error) { return r.controls, nil }

func (r *rehearsal) Evidence(context.Context) ([]ledger.ResponseCell, error) { return r.evidence, nil }

func (r *rehearsal) RefreshEvidence(context.Context, time.Time, time.Duration) error { return nil }

func (r *rehearsal) Definition(context.Context, string, int) (*journey.Definition, error) {
	return r.def, nil
}

// rehearsedReviews takes every request for a review as a new one that waits.
type rehearsedReviews struct{ activities.ReviewStore }

func (rehearsedReviews) OpenReview(_ context.Context, item lifecycle.ReviewItem, _ string, _ []ledger.Waiter) (lifecycle.ReviewItem, bool, error) {
	item.Status = lifecycle.ReviewAwaiting
	return item, true, nil
}

// rehearsedStarter starts nothing.
type rehearsedStarter struct{ activities.Starter }

func (rehearsedStarter) StartReview(context.Context, lifecycle.ReviewItem) error { return nil }
