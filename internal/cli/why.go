package cli

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// story is everything that happened to one customer, run by run.
type story struct {
	Customer  lifecycle.CustomerID `json:"customer"`
	External  string               `json:"external_id"`
	Stage     lifecycle.Stage      `json:"stage"`
	Zone      string               `json:"time_zone,omitempty"`
	Orders    int                  `json:"orders"`
	Revenue   lifecycle.Money      `json:"revenue"`
	LastOrder time.Time            `json:"last_order_at,omitzero"`
	Touches   int                  `json:"touches"`
	Consents  []consentView        `json:"consents"`
	Runs      []chapter            `json:"runs"`
	Outside   []moment             `json:"outside"` // what belongs to no run

	location *time.Location
	currency string
}

type consentView struct {
	Channel lifecycle.Channel      `json:"channel"`
	State   lifecycle.ConsentState `json:"state"`
	At      time.Time              `json:"at"`
	Source  string                 `json:"source,omitempty"`
}

// chapter is one passage through one journey.
type chapter struct {
	ID        lifecycle.RunID  `json:"id"`
	Journey   string           `json:"journey"`
	Version   int              `json:"version"`
	Campaign  string           `json:"campaign,omitempty"`
	Arm       ledger.Arm       `json:"arm"`
	Status    ledger.RunStatus `json:"status"`
	Step      string           `json:"step,omitempty"`
	DueAt     time.Time        `json:"due_at,omitzero"`
	EnteredAt time.Time        `json:"entered_at"`
	EndedAt   time.Time        `json:"ended_at,omitzero"`
	EndReason string           `json:"end_reason,omitempty"`
	Held      bool             `json:"held,omitempty"`
	Moments   []moment         `json:"moments"`
}

// moment is one thing that happened, with the log's entry when it is a decision.
type moment struct {
	ledger.Moment
	Decision *logged `json:"decision,omitempty"`
}

func (a *app) why() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "why CUSTOMER",
		Short: "Explain everything that was sent to a customer, or was not",
		Long: "Tells a customer's story, journey by journey: what was decided, for which expected value, what\n" +
			"the guardrails said with value and limit, what was sent, what became of it, and every message\n" +
			"that was not sent with its reason. Times are business time on the customer's clock. CUSTOMER is\n" +
			"the brand's own id, ours, or an e-mail address.",
		Example: "  touchstone why C000123\n  touchstone why jane@example.com --json",
		Args:    takes("CUSTOMER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				told, err := s.story(ctx, args[0])
				if err != nil {
					return err
				}
				return a.print(told, func() { a.tell(told, all) })
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "all of what happened outside journeys, not only the latest")
	return command
}

func (s *session) story(ctx context.Context, ref string) (story, error) {
	customer, err := s.customer(ctx, ref)
	if err != nil {
		return story{}, err
	}
	profile, err := s.store.Profile(ctx, customer.ID)
	if err != nil {
		return story{}, err
	}
	told := story{
		Customer: customer.ID, External: customer.ExternalID, Zone: customer.TimeZone, Stage: profile.Stage(s.clock.Now(), s.brand.Stages),
		Orders: profile.Orders.Count, Revenue: profile.Orders.Revenue, LastOrder: profile.Orders.LastAt, Touches: profile.Touches.Count,
		Consents: []consentView{}, Runs: []chapter{}, Outside: []moment{}, location: time.UTC, currency: s.brand.Currency,
	}
	if zone, err := time.LoadLocation(customer.TimeZone); err == nil && customer.TimeZone != "" {
		told.location = zone
	}
	for _, channel := range lifecycle.Channels {
		if c, ok := profile.Consents[channel]; ok {
			told.Consents = append(told.Consents, consentView{channel, c.State, c.At, c.Source})
		}
	}
	return told, s.chapters(ctx, &told)
}

// chapters sorts what happened into the runs it belongs to.
func (s *session) chapters(ctx context.Context, told *story) error {
	runs, err := s.store.RunsOf(ctx, told.Customer)
	if err != nil {
		return err
	}
	index := map[lifecycle.RunID]int{}
	for i, r := range runs {
		index[r.ID] = i
		told.Runs = append(told.Runs, chapter{
			ID: r.ID, Journey: r.Journey, Version: r.Version, Campaign: r.Campaign, Arm: r.Arm, Status: r.Status, Step: r.Step, DueAt: r.DueAt,
			EnteredAt: r.EnteredAt, EndedAt: r.EndedAt, EndReason: r.EndReason, Held: r.Held, Moments: []moment{},
		})
	}
	moments, err := s.store.Timeline(ctx, told.Customer)
	if err != nil {
		return err
	}
	touches, reviews, err := s.store.Passages(ctx, told.Customer)
	if err != nil {
		return err
	}
	entries, err := s.store.Decisions(ctx, told.Customer)
	if err != nil {
		return err
	}
	log := map[string]logged{}
	runOf := map[string][]lifecycle.RunID{} // by the reference of a moment
	for _, e := range entries {
		ref := "decision " + strconv.FormatInt(e.Seq, 10)
		log[ref] = loggedOf(e)
		runOf[ref] = []lifecycle.RunID{e.RunID}
	}
	for id, run := range touches {
		runOf[string(id)] = []lifecycle.RunID{run}
	}
	for id, of := range reviews {
		runOf[string(id)] = of
	}
	for _, r := range runs {
		runOf[string(r.ID)] = []lifecycle.RunID{r.ID}
	}
	for _, m := range moments {
		one := moment{Moment: m}
		if entry, ok := log[m.Ref]; ok && m.Kind == "decision" {
			one.Decision = &entry
		}
		placed := false
		for _, run := range runOf[m.Ref] {
			if i, known := index[run]; known {
				told.Runs[i].Moments = append(told.Runs[i].Moments, one)
				placed = true
			}
		}
		if !placed {
			told.Outside = append(told.Outside, one)
		}
	}
	return nil
}

// outsideShown is how many moments outside journeys are shown without --all.
const outsideShown = 15

func (a *app) tell(s story, all bool) {
	zone := s.Zone
	if zone == "" {
		zone = "time zone unknown, shown in UTC"
	}
	a.say("customer %s (%s), %s, %s", s.External, s.Customer, s.Stage, zone)
	if s.Orders > 0 {
		a.say("%s for %s, the last on %s; %s so far", many(s.Orders, "order", "orders"), s.Revenue, s.clock(s.LastOrder), many(s.Touches, "touch", "touches"))
	}
	var consents []string
	for _, c := range s.Consents {
		consents = append(consents, string(c.Channel)+" "+string(c.State))
	}
	a.say("consents: %s", orDash(list(consents)))
	for _, c := range s.Runs {
		a.say("")
		a.tellRun(s, c)
	}
	if len(s.Runs) == 0 {
		a.say("\nthis customer has not entered any journey")
	}
	if len(s.Outside) == 0 {
		return
	}
	a.say("\noutside journeys")
	outside := orders(s.Outside)
	if !all && len(outside) > outsideShown {
		a.say("  (%d earlier: --all)", len(outside)-outsideShown)
		outside = outside[len(outside)-outsideShown:]
	}
	for _, m := range outside {
		a.line(s, m)
	}
}

func (a *app) tellRun(s story, c chapter) {
	title := c.Journey + " v" + count(c.Version)
	if c.Campaign != "" && c.Campaign != c.Journey {
		title += ", campaign " + c.Campaign
	}
	state := string(c.Status)
	switch {
	case c.Arm != ledger.Treated:
		state = "held out (" + string(c.Arm) + "): receives nothing, so that lift can be measured"
	case c.Status == ledger.RunEnded:
		state = "ended " + s.clock(c.EndedAt) + ": " + orDash(c.EndReason)
	case c.Held:
		state += ", stopped by a pause before step " + c.Step
	case !c.DueAt.IsZero():
		state += " at step " + c.Step + ", next look " + s.clock(c.DueAt)
	case c.Step != "":
		state += " at step " + c.Step
	}
	a.say("%s  entered %s", title, s.clock(c.EnteredAt))
	a.say("  %s", wrap(state, 2))
	for _, m := range digest(c.Moments) {
		a.line(s, m)
	}
}

// line tells one moment: instant, what, and under it the reasons.
func (a *app) line(s story, m moment) {
	const indent = 20
	at := s.clock(m.At)
	if m.Decision == nil {
		a.say("  %s  %s", at, wrap(m.Title+note(m.Detail), indent))
		return
	}
	reasons := m.Decision.explain(s.currency, s.location)
	title := strings.NewReplacer(".", " ", "_", " ").Replace(m.Decision.Kind)
	if state, found := strings.CutPrefix(m.Decision.Kind, "touch."); found {
		title = m.Decision.Subject + ": " + strings.ReplaceAll(state, "_", " ")
	}
	a.say("  %s  %s", at, wrap(title, indent))
	for _, r := range reasons {
		a.say("%s- %s", strings.Repeat(" ", indent), wrap(r, indent+2))
	}
}

// clock renders an instant on the customer's clock.
func (s story) clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(s.location).Format("2006-01-02 15:04")
}
