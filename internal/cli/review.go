package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/story"
)

func (a *app) reviews() *cobra.Command {
	return noun("review", "Approve, reject and edit what waits for a person",
		"Copy is approved per creative: one review releases every touch that uses it. Touches that a rule\n"+
			"wants seen are reviewed too; identical ones share one review. A review is named by its id or the\n"+
			"end of it.",
		a.reviewList(), a.reviewShow(), a.reviewDecide("approve"), a.reviewDecide("reject"), a.reviewEdit())
}

// reviewLine is a review in a list. Ages are real time: people are not scaled.
type reviewLine struct {
	ID        lifecycle.ReviewID     `json:"id"`
	Kind      lifecycle.ReviewKind   `json:"kind"`
	Status    lifecycle.ReviewStatus `json:"status"`
	Journey   string                 `json:"journey"`
	Campaign  string                 `json:"campaign,omitempty"`
	Slot      string                 `json:"slot"`
	Channel   lifecycle.Channel      `json:"channel"`
	Offer     string                 `json:"offer,omitempty"`
	Author    string                 `json:"author,omitempty"`
	Reasons   []lifecycle.Finding    `json:"reasons,omitempty"`
	Waiting   int                    `json:"waiting"` // touches
	OpenedAt  time.Time              `json:"opened_at"`
	DueAt     time.Time              `json:"due_at"`
	Overdue   bool                   `json:"overdue"`
	Escalated bool                   `json:"escalated"`
	DecidedBy string                 `json:"decided_by,omitempty"`
	DecidedAt time.Time              `json:"decided_at,omitzero"`
	Note      string                 `json:"note,omitempty"`
}

func (a *app) reviewList() *cobra.Command {
	var all bool
	var limit int
	command := &cobra.Command{
		Use:   "list",
		Short: "List what waits for a person, most urgent first",
		Long: "Lists the reviews that wait for a person, those due first on top. OVERDUE marks those that have\n" +
			"waited longer than the configured time, ESCALATED those that waited even longer.",
		Example: "  touchstone review list\n  touchstone review list --all",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				status := lifecycle.ReviewAwaiting
				if all {
					status = ""
				}
				items, err := s.store.Reviews(ctx, status, limit)
				if err != nil {
					return err
				}
				var lines []reviewLine
				for _, item := range items {
					creative, err := s.store.Creative(ctx, item.CreativeID)
					if err != nil {
						return err
					}
					lines = append(lines, reviewLineOf(item, creative, time.Now()))
				}
				return a.print(lines, func() { a.showReviews(lines) })
			})
		},
	}
	command.Flags().BoolVar(&all, "all", false, "decided ones too")
	command.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return command
}

func reviewLineOf(item lifecycle.ReviewItem, c lifecycle.Creative, now time.Time) reviewLine {
	return reviewLine{
		ID: item.ID, Kind: item.Kind, Status: item.Status, Journey: item.Journey, Campaign: item.Campaign, Slot: c.Slot, Channel: c.Channel,
		Offer: c.OfferID, Author: item.Author, Reasons: item.Reasons, Waiting: item.Waiting, OpenedAt: item.OpenedAt.UTC(), DueAt: item.DueAt.UTC(),
		Overdue:   item.Status == lifecycle.ReviewAwaiting && now.After(item.DueAt),
		Escalated: !item.EscalatedAt.IsZero(), DecidedBy: item.DecidedBy, DecidedAt: item.DecidedAt.UTC(), Note: item.Note,
	}
}

func (a *app) showReviews(lines []reviewLine) {
	if len(lines) == 0 {
		a.say("nothing waits for a person")
		return
	}
	var rows [][]string
	overdue := 0
	for _, l := range lines {
		state := "in " + age(time.Until(l.DueAt))
		switch {
		case l.Status != lifecycle.ReviewAwaiting:
			state = string(l.Status)
		case l.Overdue && l.Escalated:
			state = "ESCALATED"
		case l.Overdue:
			state = "OVERDUE"
		}
		if l.Overdue {
			overdue++
		}
		what := string(l.Channel) + " copy"
		if l.Kind == lifecycle.ReviewTouch {
			what = string(l.Channel) + " touches"
		}
		rows = append(rows, []string{ending(l.ID), what, cut(l.Slot, 22), orDash(l.Offer), cut(orDash(strings.TrimPrefix(l.Author, "model ")), 12), age(time.Since(l.OpenedAt)), count(l.Waiting), state})
	}
	a.table([]string{"id", "what", "slot", "offer", "author", "age", "waiting", "due"}, rows)
	if overdue > 0 {
		a.say("\n%s overdue", many(overdue, "is", "are"))
	}
	a.say("\nread one with `touchstone review show %s`", ending(lines[0].ID))
}

// reviewed is one review in full.
type reviewed struct {
	reviewLine
	Content    string              `json:"content"` // hash that a decision is bound to
	Source     string              `json:"source"`
	Copy       lifecycle.Parts     `json:"copy"`
	Rendered   lifecycle.Parts     `json:"rendered"`
	Objections []lifecycle.Finding `json:"objections,omitempty"`
	WorkflowID string              `json:"workflow_id"`
	Waiters    []ledger.Waiter     `json:"waiters,omitempty"`
}

func (a *app) reviewShow() *cobra.Command {
	var html bool
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Read the copy as a customer would, with what the guardrails say",
		Long: "Shows the copy rendered for a made-up customer, why a person has to look, what the guardrails\n" +
			"note, and the hash that a decision is bound to.",
		Example: "  touchstone review show 4f1c09aa\n  touchstone review show 4f1c09aa --html > copy.html",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				item, err := s.store.FindReview(ctx, args[0])
				if err != nil {
					return err
				}
				creative, err := s.store.Creative(ctx, item.CreativeID)
				if err != nil {
					return err
				}
				preview, err := plane.PreviewCopy(creative, s.brand, s.policy, plane.PreviewLinks(s.config), s.clock)
				if err != nil {
					return err
				}
				r := reviewed{
					reviewLine: reviewLineOf(item, creative, time.Now()), Content: item.Content, Source: string(creative.Source),
					Copy: creative.Parts, Rendered: preview.Parts, Objections: preview.Objections, WorkflowID: item.WorkflowID,
				}
				if r.Waiters, err = s.store.Waiters(ctx, item.ID, 20, ""); err != nil {
					return err
				}
				return a.print(r, func() {
					if html {
						a.say("%s", r.Rendered.HTML)
						return
					}
					a.showReview(r)
				})
			})
		},
	}
	command.Flags().BoolVar(&html, "html", false, "print the rendered HTML part only")
	return command
}

func (a *app) showReview(r reviewed) {
	a.say("review %s: %s", r.ID, r.Status)
	rows := [][]string{
		{"what", string(r.Kind) + " for slot " + r.Slot + " on " + string(r.Channel)},
		{"journey", r.Journey},
		{"campaign", r.Campaign},
		{"offer", orDash(r.Offer)},
		{"author", orDash(r.Author) + " (" + r.Source + ")"},
		{"opened", day(r.OpenedAt) + " UTC, " + age(time.Since(r.OpenedAt)) + " ago"},
		{"waiting", many(r.Waiting, "customer", "customers")},
		{"hash", hash(r.Content)},
	}
	switch {
	case r.Status != lifecycle.ReviewAwaiting:
		rows = append(rows, []string{"decided", wrap(day(r.DecidedAt)+" UTC by "+orDash(r.DecidedBy)+note(r.Note), 12)})
	case r.Overdue:
		rows = append(rows, []string{"due", "OVERDUE since " + day(r.DueAt) + " UTC"})
	default:
		rows = append(rows, []string{"due", day(r.DueAt) + " UTC, in " + age(time.Until(r.DueAt))})
	}
	for _, row := range rows {
		if row[1] != "" {
			a.say("  %-9s %s", row[0], row[1])
		}
	}
	a.findings("why it needs a person", r.Reasons)
	a.findings("what the guardrails note", r.Objections)
	a.say("\nthe copy, as a made-up customer would read it")
	a.quote(r.Rendered)
	if r.Status == lifecycle.ReviewAwaiting {
		a.say("\n  touchstone review approve %s\n  touchstone review reject %s --note 'why'\n  touchstone review edit %s", ending(r.ID), ending(r.ID), ending(r.ID))
	}
}

// quote prints a message's parts.
func (a *app) quote(p lifecycle.Parts) {
	if p.Subject != "" {
		a.say("  | Subject:   %s", p.Subject)
	}
	if p.Preheader != "" {
		a.say("  | Preheader: %s", p.Preheader)
	}
	if p.Subject != "" || p.Preheader != "" {
		a.say("  |")
	}
	for line := range strings.Lines(strings.TrimSpace(p.Text)) {
		for part := range strings.SplitSeq(wrap(line, 4), "\n") {
			a.say("%s", strings.TrimRight("  | "+strings.TrimSpace(part), " "))
		}
	}
}

func (a *app) findings(title string, findings []lifecycle.Finding) {
	if len(findings) == 0 {
		return
	}
	a.say("\n%s", title)
	for _, f := range findings {
		a.say("  - %s", wrap(story.Finding(f), 4))
	}
}

func note(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
