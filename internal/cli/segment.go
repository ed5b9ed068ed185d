package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// counted is how many customers a segment has.
type counted struct {
	Segment   string `json:"segment"`
	Customers int    `json:"customers"`
	SQL       string `json:"sql,omitempty"`
	Args      []any  `json:"args,omitempty"`
}

// field is one value of the customer model.
type field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Values   []string `json:"values,omitempty"`
	Optional bool     `json:"optional"`
	Meaning  string   `json:"meaning"`
}

func (a *app) segments() *cobra.Command {
	return noun("segment", "Check and count conditions over customers",
		"A segment is a condition over customers, written in CEL, for example\n"+
			"  stage == \"lapsed\" && orders.count >= 2 && consent.email == \"granted\"\n"+
			"`touchstone segment fields` lists what it may ask for.",
		a.segmentCheck(), a.segmentCount(), a.segmentFields())
}

func (a *app) segmentCheck() *cobra.Command {
	return &cobra.Command{
		Use:     "check EXPR",
		Short:   "Check a segment without counting",
		Long:    "Checks a segment and says where and what is wrong. Needs no database.",
		Example: "  touchstone segment check 'orders.count > 2'",
		Args:    takes("EXPR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := compile(args[0]); err != nil {
				return err
			}
			return a.print(map[string]any{"segment": args[0], "ok": true}, func() { a.say("ok") })
		},
	}
}

func (a *app) segmentCount() *cobra.Command {
	var sql bool
	command := &cobra.Command{
		Use:     "count EXPR",
		Short:   "Count the customers in a segment now",
		Long:    "Counts the customers who fulfil a segment at this instant of the business clock.",
		Example: "  touchstone segment count 'stage == \"lapsed\"' --sql",
		Args:    takes("EXPR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			expr, err := compile(args[0])
			if err != nil {
				return err
			}
			return a.with(cmd, func(ctx context.Context, s *session) error {
				where, values, err := expr.SQL(s.clock.Now(), s.brand.Stages, 1)
				if err != nil {
					return located(args[0], err)
				}
				result := counted{Segment: args[0]}
				if result.Customers, err = s.store.CountCohort(ctx, where, values); err != nil {
					return err
				}
				if sql {
					result.SQL, result.Args = where, values
				}
				return a.print(result, func() {
					a.say("%s", many(result.Customers, "customer", "customers"))
					if sql {
						a.say("\nselect c.id from customers c join customer_stats s on s.customer_id = c.id\nwhere c.erased_at is null and (%s)", result.SQL)
					}
					for i, v := range result.Args {
						a.say("  $%d = %v", i+1, v)
					}
				})
			})
		},
	}
	command.Flags().BoolVar(&sql, "sql", false, "print the SQL condition too")
	return command
}

func (a *app) segmentFields() *cobra.Command {
	return &cobra.Command{
		Use:   "fields",
		Short: "List what a segment may ask for",
		Long: "Lists the customer model. Besides these there are attributes.NAME (the brand's own), and in\n" +
			"journeys event.NAME and entry.NAME (properties of the current and of the entry event).",
		Example: "  touchstone segment fields",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			var fields []field
			for _, f := range segment.Fields() {
				fields = append(fields, field(f))
			}
			return a.print(fields, func() {
				a.say("%-28s%-16s%s", "FIELD", "TYPE", "MEANING")
				for _, f := range fields {
					kind := f.Type
					if f.Optional {
						kind += ", optional"
					}
					meaning := f.Meaning
					if len(f.Values) > 0 && !strings.Contains(meaning, f.Values[0]) {
						meaning += ": " + list(f.Values)
					}
					a.say("%-28s%-16s%s", f.Name, kind, wrap(meaning, 44))
				}
			})
		},
	}
}

func compile(source string) (*segment.Expr, error) {
	expr, err := segment.Compile(source)
	return expr, located(source, err)
}

// located shows the place of a mistake under the line it is in.
func located(source string, err error) error {
	var mistake *segment.Error
	if err == nil || !errors.As(err, &mistake) {
		return err
	}
	lines := strings.Split(source, "\n")
	if mistake.Line < 1 || mistake.Line > len(lines) || mistake.Column < 1 {
		return lifecycle.Errorf(lifecycle.Invalid, "segment: %w", err)
	}
	hint := ""
	if mistake.Hint != "" {
		hint = "\n" + mistake.Hint
	}
	return lifecycle.Errorf(lifecycle.Invalid, "segment, line %d, column %d: %s\n  %s\n  %s^%s", mistake.Line, mistake.Column, mistake.Message,
		lines[mistake.Line-1], strings.Repeat(" ", mistake.Column-1), hint)
}
