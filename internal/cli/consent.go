package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func (a *app) consents() *cobra.Command {
	return noun("consent", "Read and record what customers agreed to",
		"Consents come in by import, events and the preference page. Every statement is kept with its proof:\n"+
			"when, where, which wording, by which form, from which IP. Proof is personal and is emptied when the\n"+
			"customer is erased.", a.consentShow(), a.consentRecord(), a.consentHistory())
}

// consentView is what counts for one channel.
type consentView struct {
	Channel     lifecycle.Channel      `json:"channel"`
	State       lifecycle.ConsentState `json:"state"`
	Basis       lifecycle.Basis        `json:"basis,omitempty"`
	At          time.Time              `json:"at,omitzero"`
	Source      string                 `json:"source,omitempty"`
	Wording     string                 `json:"wording,omitempty"`
	Form        string                 `json:"form,omitempty"`
	IP          string                 `json:"ip,omitempty"`
	UserAgent   string                 `json:"user_agent,omitempty"`
	ConfirmedAt time.Time              `json:"confirmed_at,omitzero"`
}

func viewOfConsent(c lifecycle.Consent) consentView {
	return consentView{c.Channel, c.State, c.Basis, c.At, c.Source, c.Wording, c.Form, c.IP, c.UserAgent, c.ConfirmedAt}
}

// consentsShown is what counts for a customer now.
type consentsShown struct {
	Customer   lifecycle.CustomerID `json:"customer"`
	External   string               `json:"external_id"`
	Country    string               `json:"country,omitempty"`
	Consents   []consentView        `json:"consents"`
	LeftTopics []string             `json:"left_topics"`
	Frequency  lifecycle.Frequency  `json:"frequency"`
}

func (a *app) consentShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CUSTOMER",
		Short:   "Show what counts for a customer now",
		Long:    "Shows a customer's consents with their proof, the topics they left, and how often they want to hear.",
		Example: "  touchstone consent show C000123",
		Args:    takes("CUSTOMER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				customer, err := s.customer(ctx, args[0])
				if err != nil {
					return err
				}
				p, err := s.store.Profile(ctx, customer.ID)
				if err != nil {
					return err
				}
				shown := consentsShown{customer.ID, customer.ExternalID, customer.Country, []consentView{}, append([]string{}, p.Wishes.Left...), p.Wishes.Frequency}
				for _, ch := range lifecycle.Channels {
					if c, ok := p.Consents[ch]; ok {
						shown.Consents = append(shown.Consents, viewOfConsent(c))
					}
				}
				return a.print(shown, func() { a.showConsents(shown) })
			})
		},
	}
}

func (a *app) showConsents(s consentsShown) {
	a.say("customer %s, country %s", s.External, orDash(s.Country))
	for _, c := range s.Consents {
		a.say("\n%s: %s, %s", c.Channel, c.State, cmp.Or(c.Basis, lifecycle.BasisExpress))
		for _, line := range [][2]string{
			{"since", day(c.At)}, {"from", c.Source}, {"confirmed", dayOrNone(c.ConfirmedAt)}, {"wording", c.Wording}, {"form", c.Form}, {"ip", c.IP}, {"agent", c.UserAgent},
		} {
			if line[1] != "" {
				a.say("  %-10s%s", line[0], wrap(line[1], 12))
			}
		}
	}
	if len(s.Consents) == 0 {
		a.say("\nno consent is known: nothing but receipts is sent")
	}
	a.say("\nleft topics: %s", orDash(list(s.LeftTopics)))
	a.say("frequency: %s", cmp.Or(string(s.Frequency), "as it comes"))
}

func dayOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return day(t)
}

func (a *app) consentRecord() *cobra.Command {
	var c lifecycle.Consent
	var channel, state, basis, at string
	var withdraw bool
	command := &cobra.Command{
		Use:     "record CUSTOMER",
		Aliases: []string{"set"},
		Short:   "Record that a customer agreed, or does not any more",
		Long: "Records a customer's consent to one channel, given elsewhere, for example on the telephone; or\n" +
			"with --withdraw its withdrawal. The wording they agreed to makes an opt-in one in writing, which\n" +
			"marketing texts to the US need. A yes lifts what an earlier unsubscribe suppressed.",
		Example: "  touchstone consent record C000123 --channel email --source telephone --by jane\n" +
			"  touchstone consent record C000123 --channel sms --wording 'Send me texts from ...' --form v3\n" +
			"  touchstone consent record C000123 --channel email --withdraw",
		Args: takes("CUSTOMER"),
	}
	flags := command.Flags()
	flags.StringVar(&channel, "channel", "email", "email, sms, whatsapp, push or web")
	flags.StringVar(&state, "state", string(lifecycle.ConsentGranted), "granted, withdrawn or pending")
	flags.StringVar(&basis, "basis", "", "what it rests on: express, written, purchase or inquiry")
	flags.StringVar(&c.Source, "source", "by hand", "where it was given")
	flags.StringVar(&c.Wording, "wording", "", "the sentence that was shown or said")
	flags.StringVar(&c.Form, "form", "", "`version` of the form or policy")
	flags.StringVar(&c.IP, "ip", "", "IP `address` it came from")
	flags.StringVar(&at, "at", "", "when it was given, a date or an instant (default now)")
	flags.BoolVar(&withdraw, "withdraw", false, "it was withdrawn")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if c.Channel, err = lifecycle.ParseChannel(channel); err != nil {
			return err
		}
		if c.Basis, err = lifecycle.ParseBasis(basis); err != nil {
			return err
		}
		if c.State = lifecycle.ConsentState(state); withdraw {
			c.State = lifecycle.ConsentWithdrawn
		}
		switch c.State {
		case lifecycle.ConsentGranted, lifecycle.ConsentWithdrawn, lifecycle.ConsentPending:
		default:
			return lifecycle.Errorf(lifecycle.Invalid, "--state %q: use granted, withdrawn or pending", state)
		}
		if *by == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "say who you are with --by, it goes into the decision log")
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			customer, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			now := s.clock.Now()
			if c.At, err = parseSince(at, now); err != nil {
				return lifecycle.Errorf(lifecycle.Invalid, "%s", strings.Replace(err.Error(), "--since", "--at", 1))
			}
			if c.At.IsZero() {
				c.At = now
			}
			if c.At.After(now) {
				return lifecycle.Errorf(lifecycle.Invalid, "--at %s lies in the future: give when it was given", at)
			}
			// The log holds no proof: that is personal.
			body, err := json.Marshal(map[string]any{"channel": c.Channel, "state": c.State, "basis": c.Basis, "source": c.Source, "at": c.At})
			if err != nil {
				return err
			}
			record := ledger.Record{At: now, Kind: "consent." + string(c.State), Actor: *by, CustomerID: customer.ID, Subject: channel, Body: body}
			if err := s.store.RecordConsent(ctx, customer.ID, c, record); err != nil {
				return err
			}
			view := viewOfConsent(c)
			return a.print(view, func() {
				a.say("%s consent of %s: %s, %s", c.Channel, customer.ExternalID, c.State, c.Basis)
			})
		})
	}
	return command
}

// recordView is one entry of the history.
type recordView struct {
	Subject     string          `json:"subject"`
	State       string          `json:"state"`
	Basis       lifecycle.Basis `json:"basis,omitempty"`
	At          time.Time       `json:"at"`
	RecordedAt  time.Time       `json:"recorded_at"`
	Source      string          `json:"source,omitempty"`
	Wording     string          `json:"wording,omitempty"`
	Form        string          `json:"form,omitempty"`
	IP          string          `json:"ip,omitempty"`
	UserAgent   string          `json:"user_agent,omitempty"`
	ConfirmedAt time.Time       `json:"confirmed_at,omitzero"`
}

func (a *app) consentHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history CUSTOMER",
		Short: "Show everything a customer ever said, with its proof",
		Long: "Shows the consent history of a customer: every statement about a channel, a topic or the frequency,\n" +
			"oldest first, with wording, form, IP and browser where they are known. The history is append-only.",
		Example: "  touchstone consent history C000123\n  touchstone consent history C000123 --json",
		Args:    takes("CUSTOMER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				customer, err := s.customer(ctx, args[0])
				if err != nil {
					return err
				}
				records, err := s.store.ConsentHistory(ctx, customer.ID)
				if err != nil {
					return err
				}
				views := make([]recordView, len(records))
				for i, r := range records {
					views[i] = recordView{r.Subject, r.State, r.Basis, r.At, r.RecordedAt, r.Source, r.Wording, r.Form, r.IP, r.UserAgent, r.ConfirmedAt}
				}
				return a.print(views, func() {
					for _, r := range views {
						a.say("%s  %s: %s", day(r.At), r.Subject, cmp.Or(r.State, "as it comes"))
						proof := []string{"from " + orDash(r.Source)}
						for _, p := range [][2]string{{"", string(r.Basis)}, {"form ", r.Form}, {"ip ", r.IP}, {"by ", r.UserAgent}, {"confirmed ", dayOrNone(r.ConfirmedAt)}} {
							if p[1] != "" {
								proof = append(proof, p[0]+p[1])
							}
						}
						a.say("    %s", wrap(list(proof), 4))
						if r.Wording != "" {
							a.say("    \"%s\"", wrap(r.Wording, 5))
						}
					}
					if len(views) == 0 {
						a.say("customer %s has never said anything about consent", customer.ExternalID)
					}
				})
			})
		},
	}
}
