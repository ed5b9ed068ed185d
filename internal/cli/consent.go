package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// consentSet is a consent as it was recorded.
type consentSet struct {
	Customer lifecycle.CustomerID   `json:"customer"`
	Channel  lifecycle.Channel      `json:"channel"`
	State    lifecycle.ConsentState `json:"state"`
	Source   string                 `json:"source"`
}

func (a *app) consents() *cobra.Command {
	return noun("consent", "Record consents by hand",
		"Consents come in by import and events; this records one that was given or withdrawn elsewhere,\n"+
			"for example on the telephone.", a.consentSet())
}

func (a *app) consentSet() *cobra.Command {
	var channel, source string
	var withdraw bool
	command := &cobra.Command{
		Use:     "set CUSTOMER",
		Short:   "Record that a customer agreed, or does not any more",
		Long:    "Records a customer's consent to one channel, or with --withdraw its withdrawal.",
		Example: "  touchstone consent set C000123 --channel email --source 'telephone' --by jane\n  touchstone consent set C000123 --channel email --withdraw",
		Args:    takes("CUSTOMER"),
	}
	command.Flags().StringVar(&channel, "channel", "email", "email, sms, whatsapp, push or web")
	command.Flags().StringVar(&source, "source", "by hand", "where it was given")
	command.Flags().BoolVar(&withdraw, "withdraw", false, "it was withdrawn")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		on, err := lifecycle.ParseChannel(channel)
		if err != nil {
			return err
		}
		if *by == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "say who you are with --by, it goes into the decision log")
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			customer, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			set := consentSet{customer.ID, on, lifecycle.ConsentGranted, source}
			if withdraw {
				set.State = lifecycle.ConsentWithdrawn
			}
			now := s.clock.Now()
			if err := s.store.SetConsent(ctx, customer.ID, lifecycle.Consent{Channel: on, State: set.State, At: now, Source: source}); err != nil {
				return err
			}
			body, err := json.Marshal(set)
			if err != nil {
				return err
			}
			if err := s.store.AppendDecisions(ctx, []ledger.Record{{At: now, Kind: "consent." + string(set.State), Actor: *by, CustomerID: customer.ID, Subject: channel, Body: body}}); err != nil {
				return err
			}
			return a.print(set, func() { a.say("%s consent of %s: %s", on, customer.ExternalID, set.State) })
		})
	}
	return command
}
