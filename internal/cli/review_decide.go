package cli

import (
	"context"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// decided is what became of a decision.
type decided struct {
	ID      lifecycle.ReviewID     `json:"id"`
	Status  lifecycle.ReviewStatus `json:"status"`
	By      string                 `json:"by"`
	Content string                 `json:"content"`
	Waiting int                    `json:"waiting"`
}

// reviewDecide is approve or reject.
func (a *app) reviewDecide(verdict string) *cobra.Command {
	var remark string
	command := &cobra.Command{
		Use:   verdict + " ID...",
		Short: map[string]string{"approve": "Release copy or touches", "reject": "Do not send this copy or these touches"}[verdict],
		Long: map[string]string{
			"approve": "Approves reviews: every touch that waits for them may go out. Nobody approves their own copy,\nand copy that has changed since you read it is not released.",
			"reject":  "Rejects reviews: the copy or the touches that wait for them are not sent. Say why with --note:\nthe author reads it.",
		}[verdict],
		Example: map[string]string{
			"approve": "  touchstone review approve 4f1c09aa --by jane",
			"reject":  "  touchstone review reject 4f1c09aa --by jane --note 'promises too much'",
		}[verdict],
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return lifecycle.Errorf(lifecycle.Invalid, "%s takes ID...: see `touchstone review list`", cmd.CommandPath())
			}
			return nil
		},
	}
	command.Flags().StringVar(&remark, "note", "", "why, for the author and the decision log")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			var results []decided
			for _, ref := range args {
				item, err := s.store.FindReview(ctx, ref)
				if err != nil {
					return err
				}
				if item.Status != lifecycle.ReviewAwaiting {
					return lifecycle.Errorf(lifecycle.Conflict, "review %s is %s already, by %s", ending(item.ID), item.Status, orDash(item.DecidedBy))
				}
				if err := p.Decide(ctx, item, workflows.Decision{Verdict: verdict, By: *by, Note: remark, Hash: item.Content}); err != nil {
					return err
				}
				status := lifecycle.ReviewApproved
				if verdict == "reject" {
					status = lifecycle.ReviewRejected
				}
				results = append(results, decided{item.ID, status, *by, item.Content, item.Waiting})
			}
			return a.print(results, func() {
				for _, r := range results {
					released := ""
					if r.Waiting > 0 {
						released = "; " + many(r.Waiting, "customer goes", "customers go") + " on"
					}
					a.say("%s %s by %s%s", r.Status, ending(r.ID), r.By, released)
				}
			})
		})
	}
	return command
}
