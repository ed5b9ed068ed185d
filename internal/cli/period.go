package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// period is the stretch of business time that --from and --to name.
type period struct{ from, to string }

// over adds --from and --to to a command.
func over(cmd *cobra.Command) *period {
	p := &period{}
	cmd.Flags().StringVar(&p.from, "from", "", "first `day`, UTC, for example 2026-03-02; default 28 days before --to")
	cmd.Flags().StringVar(&p.to, "to", "", "`day` after the last, UTC; default now")
	return p
}

func (p period) read(now time.Time) (from, to time.Time, err error) {
	if to, err = dateOr(p.to, now); err != nil {
		return from, to, err
	}
	if from, err = dateOr(p.from, to.AddDate(0, 0, -28)); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		err = lifecycle.Errorf(lifecycle.Invalid, "the period must begin before it ends: --from %s, --to %s", from.Format(time.DateOnly), to.Format(time.DateOnly))
	}
	return from, to, err
}

func spanned(from, to time.Time) string {
	return from.UTC().Format(time.DateOnly) + " to " + to.UTC().Format(time.DateOnly)
}

// figure writes a number of major units with the currency's decimals.
func figure(v float64, currency string) string {
	text := strconv.FormatFloat(v, 'f', lifecycle.MinorDigits(currency), 64)
	if v < 0 {
		if zero, err := strconv.ParseFloat(text, 64); err == nil && zero == 0 {
			text = text[1:] // no negative zero
		}
	}
	return text
}

// between writes the bounds of an answer, "-" when there are none.
func between(a measure.Answer, write func(float64) string) string {
	if !a.Known() {
		return "-"
	}
	return write(a.Interval.Low) + " to " + write(a.Interval.High)
}

// estimated writes the estimate of an answer, "-" when there is none.
func estimated(a measure.Answer, write func(float64) string) string {
	if !a.Known() {
		return "-"
	}
	return write(a.Interval.Estimate)
}

// verdict says in two words whether to believe an answer.
func verdict(a measure.Answer) string {
	text, _, _ := strings.Cut(judged(a), ":")
	return text
}

// judged says in words whether to believe an answer.
func judged(a measure.Answer) string {
	switch {
	case a.Status == measure.NotDistinguishable:
		return "not distinguishable"
	case a.Status != measure.OK:
		return "not enough data: " + a.Why
	case a.Interval.Estimate < 0:
		return "a loss"
	}
	return "a gain"
}
