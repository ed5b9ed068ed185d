package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func (a *app) events() *cobra.Command {
	return noun("event", "See and retry messages that were refused",
		"Messages of the tracking API that cannot be used are answered with the reason and kept for a while:\n"+
			"see why, mend the cause (a mapping at the sender, a currency in the brand file, a broken version), and\n"+
			"try them again. docs/events.md says what is taken and what is refused.",
		a.eventRejected(), a.eventRetry(), a.eventDiscard())
}

// rejectedLine is a refused message as it is shown.
type rejectedLine struct {
	ID         int64     `json:"id"`
	ReceivedAt time.Time `json:"received_at"`
	Key        string    `json:"key"`
	Door       string    `json:"door"`
	Reason     string    `json:"reason"`
	Attempts   int       `json:"attempts"`
	TriedAt    time.Time `json:"tried_at,omitzero"`
	Body       string    `json:"body,omitempty"`
}

// rejectedReason is why messages wait.
type rejectedReason struct {
	Reason   string    `json:"reason"`
	Door     string    `json:"door"`
	Messages int       `json:"messages"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

func (a *app) eventRejected() *cobra.Command {
	var f postgres.RejectedFilter
	var each, bodies bool
	var limit int
	command := &cobra.Command{
		Use:   "rejected",
		Short: "Show why messages were refused",
		Long: "Counts the refused messages by reason; with --each, or with --reason, lists them one by one, latest\n" +
			"first. --bodies shows what was sent, which may hold personal data.",
		Example: "  touchstone event rejected\n  touchstone event rejected --reason currency --bodies",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				if !each && !bodies && f.Reason == "" {
					return a.rejectedReasons(ctx, s, limit)
				}
				messages, err := s.store.Rejected(ctx, f, 0, limit)
				if err != nil {
					return err
				}
				var lines []rejectedLine
				for _, m := range messages {
					l := rejectedLine{ID: m.ID, ReceivedAt: m.ReceivedAt, Key: m.Key, Door: m.Door, Reason: m.Reason, Attempts: m.Attempts, TriedAt: m.TriedAt}
					if bodies {
						l.Body = m.Body
					}
					lines = append(lines, l)
				}
				return a.print(lines, func() { a.showRejected(lines) })
			})
		},
	}
	command.Flags().StringVar(&f.Reason, "reason", "", "only those whose reason contains this `text`")
	command.Flags().BoolVar(&each, "each", false, "list messages, not reasons")
	command.Flags().BoolVar(&bodies, "bodies", false, "show what was sent; it may hold personal data")
	command.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return command
}

func (a *app) rejectedReasons(ctx context.Context, s *session, limit int) error {
	found, err := s.store.RejectedReasons(ctx, limit)
	if err != nil {
		return err
	}
	var lines []rejectedReason
	for _, r := range found {
		lines = append(lines, rejectedReason(r))
	}
	return a.print(lines, func() {
		if len(lines) == 0 {
			a.say("no message was refused")
			return
		}
		var rows [][]string
		for _, l := range lines {
			rows = append(rows, []string{strconv.Itoa(l.Messages), l.Door, l.Reason, l.Last.Format(time.RFC3339)})
		}
		a.table([]string{"messages", "door", "reason", "last"}, rows)
		a.say("\nafter mending the cause: touchstone event retry --reason %q", lines[0].Reason)
	})
}

func (a *app) showRejected(lines []rejectedLine) {
	if len(lines) == 0 {
		a.say("no message was refused for that")
		return
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{strconv.FormatInt(l.ID, 10), l.ReceivedAt.Format(time.RFC3339), l.Door, l.Key, l.Reason, strconv.Itoa(l.Attempts)})
	}
	a.table([]string{"id", "received", "door", "key", "reason", "retries"}, rows)
	for _, l := range lines {
		if l.Body != "" {
			a.say("\n%d  %s", l.ID, l.Body)
		}
	}
}

// retried says what came of another attempt.
type retried struct {
	Taken   int            `json:"taken"`
	Refused int            `json:"refused"`
	Reasons map[string]int `json:"reasons"` // of those refused again
}

// retryPage is how many refused messages are tried in one transaction.
const retryPage = 200

func (a *app) eventRetry() *cobra.Command {
	var f postgres.RejectedFilter
	var all bool
	command := &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Take refused messages after all",
		Long: "Tries refused messages again as if they came at their own time. Those that are taken are forgotten\n" +
			"here; the others stay, with the reason of today. Repeating it is harmless.",
		Example: "  touchstone event retry --reason currency\n  touchstone event retry 1042 1043\n  touchstone event retry --all",
	}
	command.Flags().StringVar(&f.Reason, "reason", "", "those whose reason contains this `text`")
	command.Flags().BoolVar(&all, "all", false, "everything that is kept")
	command.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if f.IDs, err = messageIDs(args); err != nil {
			return err
		}
		if !all && f.Reason == "" && len(f.IDs) == 0 {
			return lifecycle.Errorf(lifecycle.Invalid, "say which: ids, --reason TEXT, or --all; see `touchstone event rejected`")
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			out, err := retry(ctx, s, f)
			if err != nil {
				return err
			}
			return a.print(out, func() {
				a.say("%d taken, %d refused again", out.Taken, out.Refused)
				for _, reason := range slices.Sorted(maps.Keys(out.Reasons)) {
					a.say("  %d  %s", out.Reasons[reason], reason)
				}
			})
		})
	}
	return command
}

// retry tries refused messages page by page.
func retry(ctx context.Context, s *session, f postgres.RejectedFilter) (retried, error) {
	out := retried{Reasons: map[string]int{}}
	intake := &ingest.Intake{Store: s.store, Currency: s.brand.Currency, Now: s.clock.Now, Listens: s.store.Listens}
	for after := int64(0); ; {
		tried, last, err := s.store.RetryRejected(ctx, f, after, retryPage, s.clock.Now(), func(ctx context.Context, messages []postgres.RejectedMessage) (map[int64]string, error) {
			again := map[int64]string{}
			for _, m := range messages {
				reason, err := intake.Retry(ctx, m)
				if err != nil {
					return nil, err
				}
				if reason != "" {
					again[m.ID] = reason
					out.Refused++
					out.Reasons[reason]++
					continue
				}
				out.Taken++
			}
			return again, nil
		})
		if err != nil || tried == 0 {
			return out, err
		}
		after = last
	}
}

// discarded says how many messages were given up.
type discarded struct {
	Discarded int `json:"discarded"`
}

func (a *app) eventDiscard() *cobra.Command {
	return &cobra.Command{
		Use:     "discard ID...",
		Short:   "Forget refused messages for good",
		Long:    "Removes refused messages that nobody wants to take any more. They go by themselves after a while.",
		Example: "  touchstone event discard 1042 1043",
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := messageIDs(args)
			if err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, s *session) error {
				n, err := s.store.DiscardRejected(ctx, ids)
				if err != nil {
					return err
				}
				return a.print(discarded{n}, func() { a.say("%d messages forgotten", n) })
			})
		},
	}
}

func messageIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 1 {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "%q is not the id of a refused message: see `touchstone event rejected --each`", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
