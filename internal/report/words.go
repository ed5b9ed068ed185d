package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// number writes an integer with a comma between thousands.
func number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	return sign + thousands(digits)
}

func thousands(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// amount writes an amount of money as "1,234.50 USD".
func amount(m Money) string {
	text := m.String()
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	end := strings.IndexAny(text, ". ")
	return sign + thousands(text[:end]) + text[end:]
}

// decimal writes a number of major units with the currency's decimals.
func (r *Report) decimal(v float64) string {
	digits := lifecycle.MinorDigits(r.Currency)
	text := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	text = thousands(whole)
	if fraction != "" {
		text += "." + fraction
	}
	if v < 0 && strings.Trim(text, "0.,") != "" {
		text = "-" + text
	}
	return text
}

// perTouch writes a figure in major units per touch; nil is a dash.
func (r *Report) perTouch(v *float64) string {
	if v == nil {
		return "-"
	}
	return r.decimal(*v)
}

// estimate writes an answer about money as "0.31 (0.05 to 0.57)".
func (r *Report) estimate(a measure.Answer) string {
	if !a.Known() {
		return "not enough data"
	}
	return fmt.Sprintf("%s (%s to %s)", r.decimal(a.Interval.Estimate), r.decimal(a.Interval.Low), r.decimal(a.Interval.High))
}

// percent writes a share as "12.3%".
func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "%" }

// share writes a rate with its interval as "12.3% (10.1 to 14.8)".
func share(i measure.Interval) string {
	return fmt.Sprintf("%s (%.1f to %.1f)", percent(i.Estimate), 100*i.Low, 100*i.High)
}

// rateWords writes a rate with its counts; of nothing there is no rate.
func rateWords(r Rate, of string) string {
	if r.Of == 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %s %s, %s", number(r.Hits), number(r.Of), of, share(r.Rate))
}

// points writes a difference of shares as "+2.1 points (-0.4 to 4.6)".
func points(a measure.Answer) string {
	if !a.Known() {
		return "not enough data"
	}
	return fmt.Sprintf("%+.1f (%.1f to %.1f)", 100*a.Interval.Estimate, 100*a.Interval.Low, 100*a.Interval.High)
}

// verdict says in words whether to believe an answer.
func verdict(a measure.Answer) string {
	switch a.Status {
	case measure.OK:
		if a.Interval.Estimate < 0 {
			return "a loss"
		}
		return "a gain"
	case measure.NotDistinguishable:
		return "not distinguishable from zero"
	}
	return "not enough data: " + a.Why
}

// control says whom the treated are compared with.
func control(a ledger.Arm) string {
	switch a {
	case ledger.Holdout:
		return "own holdout"
	case ledger.GlobalHoldout:
		return "brand's holdout"
	}
	return "nobody"
}

// period writes the days from the first to the last of the report.
func (r *Report) period() string {
	days := r.To.Sub(r.From).Hours() / 24
	length := fmt.Sprintf("%.3g days", days)
	if weeks := days / 7; days >= 14 {
		length = fmt.Sprintf("%.3g weeks", weeks)
	}
	return fmt.Sprintf("%s to %s UTC, %s", r.From.Format("2 Jan 2006 15:04"), r.To.Format("2 Jan 2006 15:04"), length)
}

// seconds writes a wall-clock time.
func seconds(s float64) string {
	switch d := time.Duration(s * float64(time.Second)); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// verification is what one verification found.
type verification struct {
	Name  string
	Mark  string // passed, FAILED, or a dash where it was not run
	Words string
}

func (r *Report) verifications() []verification {
	l := verification{Name: "ledger verify", Mark: "-", Words: "not run: `touchstone ledger verify`"}
	if x := r.Proof.Ledger; x != nil {
		l.Mark, l.Words = "FAILED", fmt.Sprintf("%s problems in %s touches: see `touchstone ledger verify`", number(len(x.Problems)+x.Omitted), number(x.Touches))
		if x.OK {
			l.Mark, l.Words = "passed", fmt.Sprintf("%s touches and %s cap windows recomputed: none sent twice, no cap exceeded", number(x.Touches), number(x.Caps))
		}
	}
	a := verification{Name: "audit verify", Mark: "-", Words: "not run: `touchstone audit verify`"}
	if x := r.Proof.Audit; x != nil {
		a.Mark, a.Words = "FAILED", fmt.Sprintf("the chain is broken at entry %d: %s", x.BrokenAt, x.Why)
		if x.OK {
			a.Mark, a.Words = "passed", fmt.Sprintf("%s entries of the decision log, the hash chain is whole", number(x.Entries))
		}
	}
	return []verification{l, a}
}

// simulatedWords labels what did not come from real customers.
const simulatedWords = "SIMULATED CUSTOMERS: the sandbox produced every open, click, order, complaint and unsubscription in response to these messages."

// recomputeWords say how to make the report again.
const recomputeWords = "Every number above is computed from stored rows; `touchstone report --json` computes them again."

// notes say how the figures were made and where they may mislead.
func (b *builder) notes() []string {
	least := fmt.Sprintf("%d customers in each arm; for money, %d of them must have ordered", b.Minimum.Customers, b.Minimum.Buyers)
	notes := []string{
		"Attributed: each order of the period, refunds as negative ones, counts for the customer's last marketing touch sent at most " +
			clock.FormatDuration(b.AttributionWindow) + " before it and within the period. It says after what money came, not why, and touches of the last days are still earning.",
		"Incremental: customers are compared by the arm drawn for them by hash, whatever they received (intention to treat). Difference of mean revenue per customer with a 95% Welch interval, times the customers treated, per marketing touch sent to them; the number of touches is taken as given. No outliers are cut.",
		"The programme: everybody who ever entered a journey, held out of everything or not, from the first entry (or the beginning of the period) to its end. Nothing is sent before the first entry, so entering does not depend on the arm.",
		"A journey or campaign: customers from their first entry ever, if it lies in the period and the outcome window has closed; open windows are left out, in both arms. They are compared with its own holdout, who receive everything else; where it has none, with the brand's, and the difference then contains other journeys.",
		"Conversion: customers with an order within the window; each rate with a Wilson interval, the difference with Newcombe's. All intervals are 95%.",
		"No difference is stated below " + least + ". An interval that contains zero is called not distinguishable from zero.",
		"The goals of the plan are about attributed revenue; incremental revenue is the stricter measure.",
	}
	if b.figures.OtherOrders > 0 {
		notes = append(notes, fmt.Sprintf("%s orders in other currencies than %s are left out of all money.", number(b.figures.OtherOrders), b.Currency))
	}
	return notes
}
