package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func (a *app) creatives() *cobra.Command {
	return noun("creative", "List, read and retire copy",
		"A creative is copy for one slot, channel and offer. Only approved copy is ever sent. It is named\n"+
			"by its id or the end of it.",
		a.creativeList(), a.creativeShow(), a.creativeRetire())
}

// creativeLine is a creative in a list.
type creativeLine struct {
	ID         lifecycle.CreativeID     `json:"id"`
	Slot       string                   `json:"slot"`
	Channel    lifecycle.Channel        `json:"channel"`
	Variant    string                   `json:"variant"`
	Offer      string                   `json:"offer,omitempty"`
	Status     lifecycle.CreativeStatus `json:"status"`
	Source     lifecycle.CreativeSource `json:"source"`
	Author     string                   `json:"author"`
	ApprovedBy string                   `json:"approved_by,omitempty"`
	Model      string                   `json:"model,omitempty"`
	Cost       lifecycle.Money          `json:"cost"`
	CreatedAt  time.Time                `json:"created_at"`
	Content    string                   `json:"content"`
	Subject    string                   `json:"subject,omitempty"`
}

func creativeLineOf(c lifecycle.Creative) creativeLine {
	return creativeLine{
		c.ID, c.Slot, c.Channel, c.Variant, c.OfferID, c.Status, c.Source, c.Author, c.ApprovedBy, c.Model, c.Cost, c.CreatedAt.UTC(), c.ContentHash(), c.Parts.Subject,
	}
}

func (a *app) creativeList() *cobra.Command {
	var slot, status string
	command := &cobra.Command{
		Use:     "list",
		Short:   "List copy by slot",
		Long:    "Lists copy by slot, channel and variant.",
		Example: "  touchstone creative list\n  touchstone creative list --slot winback/nudge --status approved",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				creatives, err := s.store.Creatives(ctx, nil)
				if err != nil {
					return err
				}
				var lines []creativeLine
				for _, c := range creatives {
					if slot != "" && c.Slot != slot || status != "" && string(c.Status) != status {
						continue
					}
					lines = append(lines, creativeLineOf(c))
				}
				return a.print(lines, func() {
					if len(lines) == 0 {
						a.say("no copy: `touchstone journey apply` has it written")
						return
					}
					var rows [][]string
					for _, l := range lines {
						rows = append(rows, []string{ending(l.ID), cut(l.Slot, 24), string(l.Channel), orDash(l.Variant), orDash(l.Offer), string(l.Status), string(l.Source), cut(l.Subject, 26)})
					}
					a.table([]string{"id", "slot", "channel", "var", "offer", "status", "source", "subject"}, rows)
				})
			})
		},
	}
	command.Flags().StringVar(&slot, "slot", "", "only this slot")
	command.Flags().StringVar(&status, "status", "", "only draft, in_review, approved, rejected or retired")
	return command
}

// creative finds copy by its id or the end of it.
func (s *session) creative(ctx context.Context, ref string) (lifecycle.Creative, error) {
	all, err := s.store.Creatives(ctx, nil)
	if err != nil {
		return lifecycle.Creative{}, err
	}
	var found []lifecycle.Creative
	for _, c := range all {
		if string(c.ID) == ref {
			return c, nil
		}
		if ref != "" && strings.HasSuffix(string(c.ID), ref) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.NotFound, "no creative has an id that ends with %q: see `touchstone creative list`", ref)
	case 1:
		return found[0], nil
	}
	return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.Conflict, "several creatives have an id that ends with %q: give more of it", ref)
}

// creativeShown is a creative in full.
type creativeShown struct {
	creativeLine
	Copy       lifecycle.Parts     `json:"copy"`
	Rendered   lifecycle.Parts     `json:"rendered"`
	Objections []lifecycle.Finding `json:"objections,omitempty"`
}

func (a *app) creativeShow() *cobra.Command {
	var source, html bool
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Read copy as a customer would",
		Long: "Shows copy rendered for a made-up customer, with what the guardrails note; with --source, the\n" +
			"Liquid it is made from.",
		Example: "  touchstone creative show 4f1c09aa\n  touchstone creative show 4f1c09aa --source",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				c, err := s.creative(ctx, args[0])
				if err != nil {
					return err
				}
				p, err := plane.PreviewCopy(c, s.brand, s.policy, plane.PreviewLinks(s.config), s.clock)
				if err != nil {
					return err
				}
				shown := creativeShown{creativeLineOf(c), c.Parts, p.Parts, p.Objections}
				parts := shown.Rendered
				if source {
					parts = shown.Copy
				}
				return a.print(shown, func() {
					if html {
						a.say("%s", parts.HTML)
						return
					}
					a.say("creative %s: %s", c.ID, c.Status)
					a.say("  %s on %s, variant %s, offer %s", c.Slot, c.Channel, orDash(c.Variant), orDash(c.OfferID))
					a.say("  written by %s (%s) at %s UTC, approved by %s, hash %s", orDash(c.Author), c.Source, day(c.CreatedAt), orDash(c.ApprovedBy), hash(shown.Content))
					a.findings("what the guardrails note", p.Objections)
					a.say("")
					a.quote(parts)
				})
			})
		},
	}
	command.Flags().BoolVar(&source, "source", false, "show the Liquid source")
	command.Flags().BoolVar(&html, "html", false, "print the HTML part only")
	return command
}

func (a *app) creativeRetire() *cobra.Command {
	command := &cobra.Command{
		Use:   "retire ID",
		Short: "Never send this copy again",
		Long: "Retires copy: it is not chosen any more, and touches already planned with it are blocked when\n" +
			"they are due.",
		Example: "  touchstone creative retire 4f1c09aa --by jane",
		Args:    takes("ID"),
	}
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if *by == "" {
			return lifecycle.Errorf(lifecycle.Invalid, "say who you are with --by, it goes into the decision log")
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			c, err := s.creative(ctx, args[0])
			if err != nil {
				return err
			}
			if c.Status == lifecycle.CreativeRetired {
				return lifecycle.Errorf(lifecycle.Conflict, "creative %s is retired already", ending(c.ID))
			}
			if err := s.store.SetCreativeStatus(ctx, c.ID, lifecycle.CreativeRetired, *by); err != nil {
				return err
			}
			c.Status = lifecycle.CreativeRetired
			body, err := json.Marshal(map[string]string{"slot": c.Slot, "content": c.ContentHash()})
			if err != nil {
				return err
			}
			record := ledger.Record{At: s.clock.Now(), Kind: "creative.retired", Actor: *by, Subject: string(c.ID), Body: body}
			if err := s.store.AppendDecisions(ctx, []ledger.Record{record}); err != nil {
				return err
			}
			return a.print(creativeLineOf(c), func() { a.say("retired %s for slot %s", ending(c.ID), c.Slot) })
		})
	}
	return command
}
