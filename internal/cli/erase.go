package cli

import (
	"context"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/lifecycle"
)

// erased says what was forgotten.
type erased struct {
	Customer lifecycle.CustomerID `json:"customer"`
	Result   any                  `json:"result"`
}

func (a *app) erase() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "erase CUSTOMER",
		Short: "Forget a customer, for good",
		Long: "Removes what is personal about a customer, ends their journeys and withdraws their consents.\n" +
			"Pseudonymous rows stay: amounts, the ledger, the decision log. It cannot be undone.",
		Example: "  touchstone erase C000123 --yes --by jane",
		Args:    takes("CUSTOMER"),
	}
	command.Flags().BoolVar(&yes, "yes", false, "yes, forget this customer for good")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			customer, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			if !yes {
				return lifecycle.Errorf(lifecycle.Invalid, "this forgets customer %s for good: say so with --yes", customer.ExternalID)
			}
			result, err := p.Erase(ctx, customer.ID, *by)
			if err != nil {
				return err
			}
			return a.print(erased{customer.ID, result}, func() { a.say("erased customer %s", customer.ID) })
		})
	}
	return command
}
