package story

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// Entry is an entry of the decision log as people and programs read it.
type Entry struct {
	Seq     int64             `json:"seq"`
	At      time.Time         `json:"at"`
	Kind    string            `json:"kind"`
	Actor   string            `json:"actor"`
	Subject string            `json:"subject,omitempty"`
	TouchID lifecycle.TouchID `json:"touch_id,omitempty"`
	Body    json.RawMessage   `json:"body"`
}

// EntryOf makes a log entry readable.
func EntryOf(e postgres.LogEntry) Entry {
	return Entry{e.Seq, e.At, e.Kind, e.Actor, e.Subject, e.TouchID, e.Body}
}

// Title says in a few words what was decided.
func (e Entry) Title() string {
	if state, found := strings.CutPrefix(e.Kind, "touch."); found {
		return e.Subject + ": " + strings.ReplaceAll(state, "_", " ")
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(e.Kind)
}

// reasoning is what bodies of decisions about touches and runs hold.
type reasoning struct {
	Reason   string             `json:"reason"`
	Trail    []string           `json:"trail"`
	Decision lifecycle.Decision `json:"decision"`
	Verdict  lifecycle.Verdict  `json:"verdict"`
}

// Explain tells a decision in lines: what was chosen for which expected value,
// why, and what each guardrail said. Amounts are in the brand's currency,
// instants on the clock of the zone.
func (e Entry) Explain(currency string, zone *time.Location) []string {
	var r reasoning
	if err := json.Unmarshal(e.Body, &r); err != nil {
		return []string{string(e.Body)} // another kind of record: shown as it is
	}
	var lines []string
	for _, step := range r.Trail {
		lines = append(lines, "took the branch "+step)
	}
	if d := r.Decision; d.Agent != "" {
		lines = append(lines, choice(d, currency))
		if len(d.Reasons) == 0 && !d.Chosen.Candidate.Nothing() {
			lines = append(lines, valuation(d.Chosen, currency))
		}
		lines = append(lines, d.Reasons...)
		if d.Evidence != "" {
			lines = append(lines, "evidence: "+d.Evidence)
		}
	}
	for _, f := range r.Verdict.Findings {
		line := Finding(f)
		if !f.Until.IsZero() {
			line += ", not before " + f.Until.In(zone).Format("2006-01-02 15:04")
		}
		lines = append(lines, line)
	}
	if law := r.Verdict.Law; law != nil && r.Verdict.Outcome == lifecycle.Allow {
		lines = append(lines, "permitted by "+law.ID+": "+law.Cite)
	}
	if len(lines) == 0 && r.Reason != "" {
		lines = append(lines, r.Reason)
	}
	return lines
}

// choice says what an agent chose.
func choice(d lifecycle.Decision, currency string) string {
	text := fmt.Sprintf("the %s agent (%s) chose %s", d.Agent, d.Version, candidate(d.Chosen.Candidate))
	if !d.Chosen.Candidate.Nothing() {
		text += ", expected value " + Amount(d.Chosen.ExpectedValue, currency)
	}
	if d.Exploring {
		text += ", to learn"
	}
	return text + " (" + alternatives(len(d.Rejected)) + ")"
}

func candidate(c lifecycle.Candidate) string {
	if c.Nothing() {
		return "to send nothing"
	}
	text := strings.TrimSpace(string(c.Channel) + " " + c.Slot)
	if c.OfferID == "" {
		return text + " without an offer"
	}
	return text + " with offer " + c.OfferID
}

// valuation shows how an expected value comes about.
func valuation(v lifecycle.Valuation, currency string) string {
	return fmt.Sprintf("%.2f%% lift x %s - message %s - offer %s - fatigue %s = %s", v.Lift*100, Amount(v.OrderValue, currency),
		Amount(v.MessageCost, currency), Amount(v.OfferCost, currency), Amount(v.FatiguePrice, currency), Amount(v.ExpectedValue, currency))
}

// Finding is a guardrail's finding in words: rule, outcome, reason, value and
// limit.
func Finding(f lifecycle.Finding) string {
	text := f.Rule + " says " + string(f.Outcome)
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	text += " (saw " + cmp.Or(f.Value, "-") + ", limit " + cmp.Or(f.Limit, "-") + ")"
	if f.Law != nil {
		text += ", by " + f.Law.ID + ": " + f.Law.Cite
	}
	return text
}

// alternatives renders how many an agent turned down.
func alternatives(n int) string {
	if n == 1 {
		return "1 alternative"
	}
	return fmt.Sprintf("%d alternatives", n)
}

// Amount renders minor units that are an expectation, so with fractions of a
// unit where they are small.
func Amount(minor float64, currency string) string {
	digits := lifecycle.MinorDigits(currency)
	major := minor / math.Pow10(digits)
	if major != 0 && math.Abs(major) < 1 {
		digits += 2
	}
	return fmt.Sprintf("%.*f %s", digits, major, currency)
}
