package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func (a *app) customers() *cobra.Command {
	return noun("customer", "Export or erase what is held about a customer",
		"What customers may ask for by law: a copy of everything that is held about them, and to be\n"+
			"forgotten. The shop's own systems ask at POST /v1/privacy/export and /v1/privacy/erase.",
		a.customerExport(), a.customerErase(), a.customerRequests())
}

func (a *app) customerExport() *cobra.Command {
	var out, reason string
	command := &cobra.Command{
		Use:   "export CUSTOMER",
		Short: "Write everything that is held about a customer as JSON",
		Long: "Writes one JSON document: profile, consents with proof and history, wishes, suppressions,\n" +
			"events, orders, journeys, touches and what became of them, decisions, and every other row with\n" +
			"the customer's id. The request is recorded. Other people's names are left out.",
		Example: "  touchstone customer export C000123 --out C000123.json --by jane",
		Args:    takes("CUSTOMER"),
	}
	command.Flags().StringVar(&out, "out", "", "`file` to write (default standard output)")
	command.Flags().StringVar(&reason, "reason", "", "why, for the record; do not say who asked")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.with(cmd, func(ctx context.Context, s *session) (err error) {
			customer, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			var w io.Writer = a.Out
			if out != "" && out != "-" {
				file, err := os.OpenFile(out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
				if err != nil {
					return lifecycle.Errorf(lifecycle.Invalid, "write %s: %w", out, err)
				}
				defer func() { err = errors.Join(err, file.Close()) }()
				w = file
			}
			p := &plane.Plane{Store: s.store, Brand: s.brand, Clock: s.clock}
			request, err := p.Export(ctx, customer.ID, *by, reason, w)
			if err != nil {
				return err
			}
			a.note("exported customer %s, request %s", customer.ExternalID, request.ID)
			return nil
		})
	}
	return command
}

func (a *app) customerErase() *cobra.Command {
	var yes bool
	var reason string
	command := &cobra.Command{
		Use:   "erase CUSTOMER",
		Short: "Forget a customer, for good",
		Long: "From the moment it is accepted nothing is sent to the customer any more. Then running journeys\n" +
			"end, providers are told, and everything personal is emptied. What stays is pseudonymous: amounts,\n" +
			"the ledger, the decision log, and the addresses as hashes, so that nobody imports them back. It\n" +
			"cannot be undone. Asking again shows the receipt.",
		Example: "  touchstone customer erase C000123 --yes --by jane --reason 'asked by letter'",
		Args:    takes("CUSTOMER"),
	}
	command.Flags().BoolVar(&yes, "yes", false, "yes, forget this customer for good")
	command.Flags().StringVar(&reason, "reason", "", "why, for the record; it stays, so do not say who asked")
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
			request, err := p.Erase(ctx, customer.ID, *by, reason)
			if err != nil {
				return err
			}
			return a.print(request, func() {
				a.say("erased customer %s, request %s", customer.ID, request.ID)
				a.say("receipt: %s", wrap(string(request.Receipt), 9))
			})
		})
	}
	return command
}

func (a *app) customerRequests() *cobra.Command {
	var limit int
	command := &cobra.Command{
		Use:     "requests",
		Short:   "List requests to export and erase, the latest first",
		Long:    "Lists requests to export and erase with who entered them, and whether they are done.",
		Example: "  touchstone customer requests\n  touchstone customer requests --limit 500 --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				requests, err := s.store.PrivacyRequests(ctx, limit)
				if err != nil {
					return err
				}
				return a.print(requests, func() { a.showRequests(requests) })
			})
		},
	}
	command.Flags().IntVar(&limit, "limit", 50, "how many")
	return command
}

func (a *app) showRequests(requests []ledger.PrivacyRequest) {
	if len(requests) == 0 {
		a.say("nobody asked for anything yet")
		return
	}
	var rows [][]string
	for _, r := range requests {
		done := "under way"
		if !r.DoneAt.IsZero() {
			done = day(r.DoneAt)
		}
		rows = append(rows, []string{ending(r.ID), string(r.Kind), ending(r.CustomerID), day(r.RequestedAt), done, cut(r.By, 16), cut(r.Reason, 20)})
	}
	a.table([]string{"request", "kind", "customer", "asked", "done", "by", "reason"}, rows)
}
