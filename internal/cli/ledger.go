package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/story"
)

func (a *app) ledger() *cobra.Command {
	return noun("ledger", "Prove that nothing went out twice; look a touch up",
		"The ledger is the table of touches: the only place that says what was sent.",
		a.ledgerVerify(), a.ledgerShow())
}

func (a *app) ledgerVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Prove that no touch went out twice and no cap was exceeded",
		Long: "Proves from the rows, without trusting the code that wrote them: no touch went to its provider\n" +
			"twice, none was lost, no frequency cap was exceeded, every state is the last of a legal history.\n" +
			"Exits with 1 when anything does not fit. A few million touches take about a minute.",
		Example: "  touchstone ledger verify",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				report, err := s.store.VerifyLedger(ctx)
				if err != nil {
					return err
				}
				if err := a.print(report, func() { a.showVerified(report) }); err != nil {
					return err
				}
				if !report.OK {
					return errFound
				}
				return nil
			})
		},
	}
}

func (a *app) showVerified(r ledger.LedgerReport) {
	if r.OK {
		a.say("the ledger is sound: %s, none sent twice, none lost, %s kept", many(r.Touches, "touch", "touches"), many(r.Caps, "cap window", "cap windows"))
	} else {
		a.say("the ledger is NOT sound: %s in %s", many(len(r.Problems)+r.Omitted, "problem", "problems"), many(r.Touches, "touch", "touches"))
	}
	var rows [][]string
	for _, state := range lifecycle.TouchStates {
		if n := r.ByState[state]; n > 0 {
			rows = append(rows, []string{string(state), count(n)})
		}
	}
	if len(rows) > 0 {
		a.say("")
		a.table([]string{"state", "touches"}, rows)
	}
	if r.Foreign > 0 {
		a.say("\n%s of the provider belong to no touch of ours", many(r.Foreign, "report", "reports"))
	}
	if len(r.Problems) == 0 {
		return
	}
	a.say("")
	for _, p := range r.Problems {
		a.say("%s", wrap(fmt.Sprintf("%s: touch %s: %s", p.Rule, orDash(string(p.TouchID)), p.Detail), 4))
	}
	if r.Omitted > 0 {
		a.say("and %d more", r.Omitted)
	}
}

// touchShown is one touch in full.
type touchShown struct {
	Touch     lifecycle.Touch `json:"touch"`
	States    []ledger.Moment `json:"states"`
	Reports   []ledger.Moment `json:"reports"`
	Decisions []story.Entry   `json:"decisions"`
}

func (a *app) ledgerShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show KEY|ID",
		Short: "Show one touch: states, decisions, what the provider said",
		Long: "Shows one touch by its id, or by its key journey/customer/entry/step: every state it was in, why\n" +
			"it was decided so, and what the provider reported.",
		Example: "  touchstone ledger show 0f5e2a7c-6b1d-5c3e-9a55-2f1f3f0f7a10",
		Args:    takes("KEY|ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				touch, err := s.touch(ctx, args[0])
				if err != nil {
					return err
				}
				shown := touchShown{Touch: touch}
				if shown.States, shown.Reports, err = s.store.TouchHistory(ctx, touch.ID); err != nil {
					return err
				}
				entries, err := s.store.DecisionsOfTouch(ctx, touch)
				if err != nil {
					return err
				}
				for _, e := range entries {
					shown.Decisions = append(shown.Decisions, story.EntryOf(e))
				}
				return a.print(shown, func() { a.showTouch(shown, s.brand.Currency) })
			})
		},
	}
}

func (s *session) touch(ctx context.Context, ref string) (touch lifecycle.Touch, err error) {
	if _, malformed := uuid.Parse(ref); malformed == nil {
		touch, err = s.store.Touch(ctx, lifecycle.TouchID(ref))
	} else {
		touch, err = s.store.TouchByKey(ctx, ref)
	}
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return touch, lifecycle.Errorf(lifecycle.NotFound, "no touch has the key or id %q: `touchstone why CUSTOMER --json` lists a customer's touches", ref)
	}
	return touch, err
}

func (a *app) showTouch(t touchShown, currency string) {
	touch := t.Touch
	a.say("touch %s: %s", touch.ID, touch.State)
	for _, row := range [][]string{
		{"key", touch.Key},
		{"journey", fmt.Sprintf("%s v%d, step %s", touch.Journey, touch.Version, touch.Step)},
		{"campaign", touch.Campaign},
		{"message", strings.TrimSpace(fmt.Sprintf("%s %s on %s, offer %s", touch.Class, touch.Slot, touch.Channel, orDash(touch.OfferID)))},
		{"reason", wrap(touch.Reason, 13)},
		{"provider", touch.ProviderID},
		{"attempts", count(touch.Attempts)},
		{"cost", touch.Cost.String()},
	} {
		if row[1] != "" {
			a.say("  %-10s %s", row[0], row[1])
		}
	}
	a.say("\nstates")
	for _, m := range t.States {
		a.say("  %s  %s", day(m.At), wrap(m.Title+note(m.Detail), 20))
	}
	if len(t.Reports) > 0 {
		a.say("\nthe provider reported")
	}
	for _, m := range t.Reports {
		a.say("  %s  %s", day(m.At), wrap(m.Title+note(m.Detail), 20))
	}
	if len(t.Decisions) > 0 {
		a.say("\ndecisions")
	}
	for _, d := range t.Decisions {
		a.say("  %s  %s by %s", day(d.At), d.Kind, d.Actor)
		for _, line := range d.Explain(currency, time.UTC) {
			a.say("      %s", wrap(line, 8))
		}
	}
}
