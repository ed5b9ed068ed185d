package activities

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"touchstone/agents"
	"touchstone/guardrails"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// touchSpace is the UUID name space of touch ids: the id is derived from the
// key, so that every attempt to plan a touch means the same row.
var touchSpace = uuid.MustParse("6f0b2c58-5d2b-4c55-9f5e-6f4c0a1f7d11")

// touchID derives a touch's id (UUID version 5) from its ledger key.
func touchID(key string) lifecycle.TouchID {
	return lifecycle.TouchID(uuid.NewSHA1(touchSpace, []byte(key)).String())
}

// touch works on a touch step: blocked is true, with next set, while the run
// has to stay at it.
func (p *passage) touch(step journey.Step) (blocked bool, err error) {
	t := p.sit.Touch
	if t == nil {
		return p.planTouch(step)
	}
	switch t.State {
	case lifecycle.TouchInReview:
		// Asking again is harmless, and mends a crash between plan and review.
		if len(p.asks) == 0 {
			p.asks = append(p.asks, ask{kind: lifecycle.ReviewTouch, touch: *t})
		}
		p.next = Next{Action: ActionReview, Step: step.ID, TouchID: t.ID, Reason: t.Reason}
		p.idle()
		return true, nil
	case lifecycle.TouchPlanned, lifecycle.TouchDeferred, lifecycle.TouchReserved, lifecycle.TouchSending:
		at := t.NotBefore
		if at.Before(p.now) {
			at = p.now
		}
		p.next = Next{Action: ActionDeliver, Step: step.ID, TouchID: t.ID, Channel: t.Channel, At: at, Reason: t.Reason}
		p.due(at)
		return true, nil
	}
	return false, nil
}

// planTouch decides what to send at this step, judges it, and plans it.
func (p *passage) planTouch(step journey.Step) (blocked bool, err error) {
	touch := p.newTouch(step)
	customer := p.sit.Profile.Customer
	var channels []lifecycle.Channel
	for _, c := range step.Touch.Channels {
		if p.Providers[c] != nil && address(customer, c) != "" {
			channels = append(channels, c)
		}
	}
	if len(channels) == 0 {
		return p.close(touch, lifecycle.TouchSkipped, fmt.Sprintf("unreachable: no address or no provider for %v", step.Touch.Channels), lifecycle.Decision{}, lifecycle.Verdict{})
	}
	creatives := usable(p.creatives[step.Touch.Slot], p.def.Fallback)
	if len(creatives) == 0 {
		return p.awaitCopy(step, touch)
	}
	decision, err := p.decide(step, touch, channels, creatives)
	if err != nil {
		return false, err
	}
	chosen := decision.Chosen.Candidate
	touch.Agent = decision.Agent
	if chosen.Nothing() {
		return p.close(touch, lifecycle.TouchSkipped, "the agent chose not to touch: "+strings.Join(decision.Reasons, "; "), decision, lifecycle.Verdict{})
	}
	i := slices.IndexFunc(creatives, func(c lifecycle.Creative) bool { return c.ID == chosen.CreativeID })
	if i < 0 {
		return false, lifecycle.Errorf(lifecycle.Internal, "agent %s chose creative %s, which is not among the approved ones", decision.Agent, chosen.CreativeID)
	}
	creative := creatives[i]
	touch.Channel, touch.CreativeID, touch.Content, touch.OfferID = chosen.Channel, creative.ID, p.hash(creative), chosen.OfferID
	touch.Cost = p.Brand.Costs.PerTouch[chosen.Channel]
	verdict, message, err := p.judge(step, touch, creative, guardrails.Preparing, false)
	if err != nil {
		return false, err
	}
	if verdict.Outcome == lifecycle.Allow {
		p.allowed = &message
	}
	return p.settle(step, touch, decision, verdict)
}

// decide lets the agent weigh the candidates. A message that the customer waits
// for, a receipt or a confirmation, is not weighed: it is sent.
func (p *passage) decide(step journey.Step, touch lifecycle.Touch, channels []lifecycle.Channel, creatives []lifecycle.Creative) (lifecycle.Decision, error) {
	if touch.Class == lifecycle.Transactional {
		for _, channel := range channels {
			for _, c := range creatives {
				if c.Channel == channel && c.OfferID == "" {
					return lifecycle.Decision{
						Agent: p.def.Agent, Chosen: lifecycle.Valuation{Candidate: lifecycle.Candidate{Channel: channel, Slot: c.Slot, CreativeID: c.ID}},
						Reasons: []string{"a transactional message is sent, not weighed"},
					}, nil
				}
			}
		}
	}
	agent, err := p.Agent(p.def.Agent)
	if err != nil {
		return lifecycle.Decision{}, err
	}
	offers, none := p.offers(*step.Touch)
	return agent.Decide(agents.Situation{
		Now: p.now, Profile: p.sit.Profile, Stage: p.sit.Profile.Stage(p.now, p.Brand.Stages),
		Journey: p.def.Name, Step: step.ID, Position: p.progress.Position, Channels: channels,
		Offers: offers, OfferNone: none, Creatives: creatives, Recent: p.sit.Recent,
		Evidence: p.evidence, Brand: p.Brand, CartValue: p.cartValue(),
	}), nil
}

// settle turns a verdict on a touch that is about to be planned into its state.
func (p *passage) settle(step journey.Step, touch lifecycle.Touch, decision lifecycle.Decision, verdict lifecycle.Verdict) (blocked bool, err error) {
	touch.Reason = verdict.Reason()
	switch verdict.Outcome {
	case lifecycle.Block:
		return p.close(touch, lifecycle.TouchBlocked, touch.Reason, decision, verdict)
	case lifecycle.Review:
		touch.State, touch.Reason = lifecycle.TouchInReview, objections(verdict)
		p.plan(touch, decision, verdict)
		p.asks = append(p.asks, ask{kind: lifecycle.ReviewTouch, touch: touch, reasons: verdict.Findings})
	case lifecycle.Defer:
		touch.State, touch.NotBefore = lifecycle.TouchDeferred, verdict.Until
		p.plan(touch, decision, verdict)
	default:
		touch.State, touch.NotBefore = lifecycle.TouchPlanned, p.now
		p.plan(touch, decision, verdict)
	}
	p.sit.Touch = &touch
	return p.touch(step)
}

// close records a touch that will not be sent; the run goes on.
func (p *passage) close(touch lifecycle.Touch, state lifecycle.TouchState, reason string, decision lifecycle.Decision, verdict lifecycle.Verdict) (blocked bool, err error) {
	touch.State, touch.Reason = state, reason
	p.plan(touch, decision, verdict)
	p.sit.Touch = &touch
	return false, nil
}

// plan queues a touch and its decision record for storing.
func (p *passage) plan(touch lifecycle.Touch, decision lifecycle.Decision, verdict lifecycle.Verdict) {
	body, err := json.Marshal(struct {
		Step     string             `json:"step"`
		Version  int                `json:"journey_version"`
		Reason   string             `json:"reason,omitempty"`
		Decision lifecycle.Decision `json:"decision"`
		Verdict  lifecycle.Verdict  `json:"verdict"`
	}{touch.Step, touch.Version, touch.Reason, decision, verdict})
	if err != nil {
		panic("activities: a decision must marshal: " + err.Error())
	}
	p.planned = append(p.planned, ledger.Record{
		At: p.now, Kind: "touch." + string(touch.State), Actor: "agent/" + p.def.Agent,
		CustomerID: touch.CustomerID, RunID: touch.RunID, TouchID: touch.ID, Subject: touch.Journey + "/" + touch.Step, Body: body,
	})
	p.plans = append(p.plans, ledger.Plan{
		Touch: touch, Decision: decision, Verdict: verdict, Progress: p.progress, At: p.now,
		Group: string(p.sit.Profile.Stage(p.now, p.Brand.Stages)),
	})
	p.moved = true
}

func (p *passage) newTouch(step journey.Step) lifecycle.Touch {
	run := p.sit.Run
	key := strings.Join([]string{run.Journey, string(run.CustomerID), run.EntryKey, step.ID}, "/")
	class := step.Touch.Class
	if class == "" {
		class = p.def.Class
	}
	return lifecycle.Touch{
		ID: touchID(key), Key: key, RunID: run.ID, CustomerID: run.CustomerID, Journey: run.Journey, Version: run.Version,
		Campaign: run.Campaign, Step: step.ID, Agent: p.def.Agent, Class: class, Slot: step.Touch.Slot, PlannedAt: p.now,
		Tags: step.Touch.Tags, Channel: step.Touch.Channels[0],
	}
}

// offers resolves a step's offer ids; none says that no offer is a choice.
func (p *passage) offers(t journey.Touch) (offers []lifecycle.Offer, none bool) {
	none = len(t.Offers) == 0
	for _, id := range t.Offers {
		if id == journey.NoOffer {
			none = true
			continue
		}
		if offer, ok := p.Brand.Offer(id); ok {
			offers = append(offers, offer)
		}
	}
	return offers, none
}

// cartValue is the value of the cart that started the run, if one did.
func (p *passage) cartValue() lifecycle.Money {
	value, ok := p.sit.Run.Entry["value"].(float64)
	if !ok || value <= 0 {
		return lifecycle.Money{}
	}
	money, err := lifecycle.ParseMoney(fmt.Sprintf("%.2f", value), p.Brand.Currency)
	if err != nil {
		return lifecycle.Money{}
	}
	return money
}

// usable keeps the approved creatives that may be sent. Templates stand in only
// where no approved copy by a model or a person exists for the same channel and
// offer, and only where the journey falls back to templates.
func usable(creatives []lifecycle.Creative, fallback journey.Fallback) []lifecycle.Creative {
	type arm struct {
		channel lifecycle.Channel
		offer   string
	}
	written := map[arm]bool{}
	for _, c := range creatives {
		if c.Status == lifecycle.CreativeApproved && c.Source != lifecycle.FromTemplate {
			written[arm{c.Channel, c.OfferID}] = true
		}
	}
	var approved []lifecycle.Creative
	for _, c := range creatives {
		if c.Status != lifecycle.CreativeApproved {
			continue
		}
		if c.Source == lifecycle.FromTemplate && (written[arm{c.Channel, c.OfferID}] || fallback == journey.FallbackSkip) {
			continue
		}
		approved = append(approved, c)
	}
	return approved
}

// address is where the channel reaches the customer, "" if nowhere.
func address(c lifecycle.Customer, channel lifecycle.Channel) string {
	switch channel {
	case lifecycle.Email:
		return c.Email
	case lifecycle.SMS, lifecycle.WhatsApp:
		return c.Phone
	}
	return ""
}
