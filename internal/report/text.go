package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"touchstone/internal/lifecycle"
)

// Text writes the report for a terminal at least 100 columns wide. color uses
// ANSI escape sequences.
func (r *Report) Text(w io.Writer, color bool) error {
	t := &text{color: color}
	r.head(t)
	r.keyFigure(t)
	r.programme(t)
	r.trials(t, "Journeys", r.Journeys)
	r.trials(t, "Campaigns", r.Campaigns)
	r.creditTables(t)
	r.sending(t)
	r.guardrailTable(t)
	r.responseTable(t)
	r.people(t)
	r.events(t)
	r.proof(t)
	_, err := w.Write(t.out.Bytes())
	return err
}

// text collects the report. Styles never go into a table's cells, whose width
// they would falsify.
type text struct {
	out   bytes.Buffer
	color bool
}

// ANSI styles.
const (
	bold   = "1"
	dim    = "2"
	red    = "31;1"
	green  = "32;1"
	yellow = "33;1"
)

func (t *text) style(code, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

func (t *text) heading(s string) {
	t.line("\n%s", t.style(bold, strings.ReplaceAll(strings.ToUpper(s), "RPMT", "RpMT")))
}

// textWidth is where running text is wrapped.
const textWidth = 98

// wrap writes running text with an indent for every line after the first.
func (t *text) wrap(first, indent, s string) {
	line := first
	for _, word := range strings.Fields(s) {
		if len(line) > len(indent) && len(line)+len(word) > textWidth {
			t.line("%s", strings.TrimRight(line, " "))
			line = indent
		}
		line += word + " "
	}
	t.line("%s", strings.TrimRight(line, " "))
}

// table writes rows in aligned columns, the first of each to the left.
func (t *text) table(header []string, rows [][]string) {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "  "+strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	for i, l := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		l = strings.TrimRight(l, " ")
		if i == 0 {
			l = t.style(dim, l)
		}
		t.line("%s", l)
	}
}

func (r *Report) head(t *text) {
	t.line("%s", t.style(bold, "TOUCHSTONE REPORT · "+r.Brand))
	t.line("%s", r.period())
	if r.Clock != "" {
		t.line("Scaled clock: %s. Review times below are on the wall clock.", r.Clock)
	}
	if r.Simulated {
		for _, l := range strings.SplitAfter(simulatedWords, ": ") {
			t.line("%s", t.style(yellow, strings.TrimSpace(l)))
		}
	}
}

func (r *Report) keyFigure(t *text) {
	t.heading("Revenue per marketing touch (RpMT)")
	unit := r.Currency + " per touch"
	if r.RpMT.Attributed == nil {
		t.line("  Attributed    no marketing touch was sent")
	} else {
		t.line("  Attributed    %s  %s from %s touches", t.style(bold, r.decimal(*r.RpMT.Attributed)+" "+unit), amount(r.RpMT.Revenue), number(r.RpMT.Touches))
		t.wrap("                ", "                ", r.RpMT.Judgement)
	}
	inc := r.RpMT.Incremental
	if !inc.PerTouch.Known() {
		t.line("  Incremental   %s", t.style(yellow, verdict(inc.PerTouch)))
		return
	}
	i := inc.PerTouch.Interval
	style := yellow
	if inc.PerTouch.Interval.Low > 0 {
		style = green
	} else if inc.PerTouch.Interval.High < 0 {
		style = red
	}
	t.line("  Incremental   %s  95%% interval %s to %s", t.style(bold, r.decimal(i.Estimate)+" "+unit), r.decimal(i.Low), r.decimal(i.High))
	t.line("                %s", t.style(style, verdict(inc.PerTouch)))
	t.wrap("                ", "                ", r.RpMT.Increment)
	t.line("                %s customers treated, %s held out of everything", number(r.RpMT.Treated.Customers), number(r.RpMT.HeldOut.Customers))
	t.line("  Incremental revenue   %s %s", r.estimate(inc.Revenue), r.Currency)
	t.line("  Customers who bought  %s treated, %s held out", share(r.RpMT.Treated.Conversion), share(r.RpMT.HeldOut.Conversion))
	t.line("                        difference %s points", points(inc.Conversion))
}

func (r *Report) programme(t *text) {
	t.heading("The programme")
	t.line("  %s customers known, %s entered a journey", number(r.Customers.Known), number(r.Customers.Entered))
	t.line("  %s orders and %s refunds, %s net, touched or not", number(r.Orders.Count), number(r.Orders.Refunds), amount(r.Orders.Revenue))
	t.line("  %s to send the marketing touches", amount(r.RpMT.Cost))
	rows := make([][]string, len(r.Weeks))
	most := 1
	for _, w := range r.Weeks {
		most = max(most, w.Touches)
	}
	for i, w := range r.Weeks {
		rows[i] = []string{fmt.Sprint(w.Number), w.Start.Format("2 Jan"), number(w.Touches), amount(w.Attributed), strings.Repeat("#", w.Touches*30/most)}
	}
	t.line("")
	t.table([]string{"week", "from", "touches", "attributed", ""}, rows)
}

func (r *Report) trials(t *text, title string, trials []Trial) {
	if len(trials) == 0 {
		return
	}
	t.heading(title)
	credit, bought, lift := make([][]string, len(trials)), make([][]string, len(trials)), make([][]string, len(trials))
	for i, x := range trials {
		credit[i] = []string{x.Name, number(x.Entered), number(x.HeldOut), number(x.Credit.Touches), number(x.Credit.Orders), amount(x.Credit.Revenue),
			r.perTouch(x.Credit.PerTouch)}
		bought[i] = []string{x.Name, number(x.Treated.Customers), number(x.Held.Customers), share(x.Treated.Conversion), share(x.Held.Conversion),
			points(x.Lift.Conversion)}
		estimate := "-"
		if x.Lift.PerTouch.Known() {
			estimate = r.estimate(x.Lift.PerTouch)
		}
		lift[i] = []string{x.Name, x.Window, control(x.Control), number(x.Open), estimate, verdict(x.Lift.PerTouch)}
	}
	t.table([]string{"", "entered", "held out", "touches", "orders", "attributed", "RpMT " + r.Currency}, credit)
	t.line("\n  Treated against held out: customers with a closed window, with 95%% intervals")
	t.table([]string{"", "treated", "held out", "treated buy", "held out buy", "points"}, bought)
	t.line("")
	t.table([]string{"", "window", "against", "open", "incremental RpMT " + r.Currency, ""}, lift)
}

func (r *Report) creditTables(t *text) {
	for _, c := range r.Credits {
		if c.By == "journey" || c.By == "campaign" || len(c.Lines) == 0 {
			continue // told with their trials
		}
		t.heading("Last-touch credit by " + c.By)
		rows := make([][]string, len(c.Lines))
		for i, l := range c.Lines {
			rows[i] = []string{l.Name, number(l.Touches), number(l.Orders), amount(l.Revenue), r.perTouch(l.PerTouch), amount(l.Cost)}
		}
		t.table([]string{"", "touches", "orders", "attributed", "RpMT " + r.Currency, "sending cost"}, rows)
	}
}

func (r *Report) sending(t *text) {
	t.heading("Touches by channel and state")
	for _, c := range r.Touches {
		var states []string
		for _, s := range lifecycle.TouchStates {
			if n := c.States[s]; n > 0 {
				states = append(states, fmt.Sprintf("%s %s", number(n), s))
			}
		}
		t.wrap(fmt.Sprintf("  %s: %s sent, %s not: ", c.Channel, number(c.Sent), number(c.Other)), "    ", strings.Join(states, ", "))
	}
	if len(r.NotSent) == 0 {
		return
	}
	t.heading("Not sent, and why")
	rows := make([][]string, 0, len(r.NotSent))
	for i, n := range r.NotSent {
		if i == mostReasons {
			rest := 0
			for _, x := range r.NotSent[i:] {
				rest += x.Count
			}
			rows = append(rows, []string{"", number(rest), "other reasons: see the JSON form"})
			break
		}
		rows = append(rows, []string{string(n.State), number(n.Count), reasonWords(n.Reason)})
	}
	t.table([]string{"state", "touches", "reason"}, rows)
}

// mostReasons is how many reasons a page shows.
const mostReasons = 20

// reasonWords shortens a reason to what fits beside the counts.
func reasonWords(reason string) string {
	const most = 70
	if reason == "" {
		return "-"
	}
	if runes := []rune(reason); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return reason
}

func (r *Report) guardrailTable(t *text) {
	t.heading("Guardrails: objections in all judgements of a touch")
	rows := make([][]string, len(r.Guardrails))
	for i, g := range r.Guardrails {
		rows[i] = []string{g.Rule, number(g.Blocks), number(g.Defers), number(g.Reviews)}
	}
	t.table([]string{"rule", "blocked", "deferred", "to review"}, rows)
}

func (r *Report) responseTable(t *text) {
	x := r.Responses
	t.heading("Responses to the touches sent")
	t.table([]string{"", "touches, rate and 95% interval"}, [][]string{
		{"delivered", rateWords(x.Delivered, "sent")},
		{"bounced", rateWords(x.Bounced, "sent")},
		{"opened by people", rateWords(x.Opened, "delivered")},
		{"clicked by people", rateWords(x.Clicked, "delivered")},
		{"complained", rateWords(x.Complained, "delivered")},
		{"opened by machines", number(x.MachineOpened)},
		{"clicked by machines", number(x.MachineClicked)},
		{"unsubscribed", unsubscribedWords(x)},
	})
}

func unsubscribedWords(x Responses) string {
	var sources []string
	for _, w := range x.Withdrawals {
		if w.Source != erasureSource {
			sources = append(sources, fmt.Sprintf("%s %s by %s", number(w.Count), w.Channel, orDash(w.Source)))
		}
	}
	slices.Sort(sources)
	if len(sources) == 0 {
		return "0 consents withdrawn"
	}
	return fmt.Sprintf("%s consents withdrawn: %s", number(x.Unsubscribed), strings.Join(sources, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (r *Report) people(t *text) {
	t.heading("Reviews and copy")
	for _, l := range r.peopleWords() {
		t.wrap("  ", "    ", l)
	}
}

// peopleWords tells of reviews and copy, a sentence a line.
func (r *Report) peopleWords() []string {
	v := r.Reviews
	lines := []string{fmt.Sprintf("%s reviews opened: %s approved, %s rejected, %s expired, %s waiting",
		number(v.Opened), number(v.Approved), number(v.Rejected), number(v.Expired), number(v.Awaiting))}
	if decided := v.Approved + v.Rejected; decided > 0 {
		lines = append(lines, fmt.Sprintf("Time to a decision on the wall clock: median %s, 95th percentile %s", seconds(v.MedianSeconds), seconds(v.P95Seconds)))
		var by []string
		for _, d := range v.DecidedBy {
			by = append(by, fmt.Sprintf("%s %s", number(d.Count), orDash(d.Name)))
		}
		lines = append(lines, "Decided by: "+strings.Join(by, ", "))
	}
	if v.InTime.Of > 0 {
		lines = append(lines, "Decided within the promised time: "+rateWords(v.InTime, "approved, rejected or expired"))
	}
	var sources []string
	for _, s := range []lifecycle.CreativeSource{lifecycle.FromTemplate, lifecycle.FromModel, lifecycle.FromPerson} {
		if n := r.Copy.Sources[string(s)]; n > 0 {
			sources = append(sources, fmt.Sprintf("%s by %s", number(n), s))
		}
	}
	var costs []string
	for _, c := range r.Copy.Cost {
		costs = append(costs, amount(c))
	}
	line := fmt.Sprintf("%s creatives", number(r.Copy.Creatives))
	if len(sources) > 0 {
		line += " (" + strings.Join(sources, ", ") + ")"
	}
	return append(lines, line+"; the model charged "+strings.Join(costs, " and "))
}

func (r *Report) proof(t *text) {
	t.heading("Proof")
	for _, v := range r.verifications() {
		style := map[string]string{"passed": green, "FAILED": red}[v.Mark]
		t.line("  %-13s  %s  %s", v.Name, t.style(cmp.Or(style, yellow), v.Mark), v.Words)
	}
	t.heading("How this was counted")
	for _, n := range r.Notes {
		t.wrap("  - ", "    ", n)
	}
	t.line("\n%s", recomputeWords)
}
