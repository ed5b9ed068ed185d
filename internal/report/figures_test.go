package report_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// The expected figures are counted by plain loops over the inserted rows.

func in(at time.Time) bool { return !at.Before(from) && at.Before(to) }

const (
	creditFor = 7 * day
	outcome   = 30 * day
)

func figuresOf(t *testing.T, s *season) measure.Figures {
	t.Helper()
	f, err := s.store(t).Figures(t.Context(), measure.Query{From: from, To: to, RealFrom: scale.RealAt(from), RealTo: scale.RealAt(to),
		Attribution: creditFor, Window: outcome, Windows: map[string]time.Duration{"winback": windowOf("winback"), "cart": windowOf("cart")}, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiguresAgreeWithPlainLoops(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		s := newSeason(seed, 900)
		f := figuresOf(t, s)
		s.checkTotals(t, f)
		s.checkCredits(t, f)
		s.checkProgramme(t, f)
		s.checkTrials(t, f)
		s.checkRulesAndReasons(t, f)
		s.checkPeople(t, f)
	}
}

func (s *season) checkTotals(t *testing.T, f measure.Figures) {
	t.Helper()
	orders, refunds, other, revenue := 0, 0, 0, int64(0)
	for _, o := range s.orders {
		switch {
		case !in(o.at):
		case o.currency != "USD":
			other++
		case o.total > 0:
			orders++
			revenue += o.total
		default:
			refunds++
			revenue += o.total
		}
	}
	entered := map[string]bool{}
	for _, r := range s.runs {
		if in(r.at) {
			entered[r.customer] = true
		}
	}
	got := []int{f.Customers, f.Entered, f.Orders, f.Refunds, f.OtherOrders, int(f.Revenue)}
	want := []int{len(s.customers), len(entered), orders, refunds, other, int(revenue)}
	if !slices.Equal(got, want) {
		t.Errorf("totals %v, want %v", got, want)
	}
	if refunds == 0 || other == 0 {
		t.Error("the season has no refund or no foreign order to prove anything with")
	}
}

func (x touchRow) counts() bool { return x.class == "marketing" && x.state.Sent() }

func (s *season) checkCredits(t *testing.T, f measure.Figures) {
	t.Helper()
	type key struct {
		journey, campaign, agent, channel, offer string
		week                                     int
	}
	keyOf := func(x touchRow, at time.Time) key {
		return key{x.journey, x.campaign, x.agent, x.channel, x.offer, int(at.Sub(from) / measure.Week)}
	}
	want := map[key]measure.Credit{}
	for _, x := range s.touches {
		if !x.counts() || !in(x.sent) {
			continue
		}
		c := measure.Credit{Touches: 1, Cost: x.cost}
		if x.opened {
			c.Opened = 1
		}
		if x.clicked {
			c.Clicked = 1
		}
		want[keyOf(x, x.sent)] = want[keyOf(x, x.sent)].Add(c)
	}
	credited := int64(0)
	for _, o := range s.orders {
		if !in(o.at) || o.currency != "USD" {
			continue
		}
		var last *touchRow
		for i, x := range s.touches {
			if x.customer != o.customer || !x.counts() || !x.sent.Before(o.at) || x.sent.Before(o.at.Add(-creditFor)) {
				continue
			}
			if last == nil || x.sent.After(last.sent) || x.sent.Equal(last.sent) && x.id > last.id {
				last = &s.touches[i]
			}
		}
		if last == nil || !in(last.sent) {
			continue
		}
		c := measure.Credit{Revenue: o.total}
		if o.total > 0 {
			c.Orders = 1
		}
		want[keyOf(*last, o.at)] = want[keyOf(*last, o.at)].Add(c)
		credited += o.total
	}
	got := map[key]measure.Credit{}
	for _, c := range f.Cells {
		k := key{c.Journey, c.Campaign, c.Agent, c.Channel, c.Offer, c.Week}
		got[k] = got[k].Add(c.Credit)
	}
	for k := range got {
		if got[k] != want[k] {
			t.Errorf("credit of %+v is %+v, want %+v", k, got[k], want[k])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d cells, want %d", len(got), len(want))
	}
	if total := measure.Total(f.Cells); total.Revenue != credited || credited == 0 {
		t.Errorf("the credits add up to %d, credited were %d", total.Revenue, credited)
	}
}

// arm sums customers by the naive rule: revenue and touches after since, until
// and including the end of the window.
func (s *season) arm(customers map[string][2]time.Time, mine func(touchRow) bool) measure.Arm {
	var a measure.Arm
	for customer, window := range customers {
		revenue, bought := 0.0, false
		for _, o := range s.orders {
			if o.customer == customer && o.currency == "USD" && o.at.After(window[0]) && !o.at.After(window[1]) {
				revenue += float64(o.total)
				bought = bought || o.total > 0
			}
		}
		a.Revenue = a.Revenue.Add(measure.SampleOf(revenue))
		if bought {
			a.Converted++
		}
		for _, x := range s.touches {
			if x.customer == customer && x.counts() && mine(x) && !x.sent.Before(window[0]) && !x.sent.After(window[1]) {
				a.Touches++
			}
		}
	}
	return a
}

// firsts are the earliest runs per customer among those that are asked for.
func (s *season) firsts(of func(runRow) bool) map[string]runRow {
	first := map[string]runRow{}
	for _, r := range s.runs {
		old, known := first[r.customer]
		if of(r) && (!known || r.at.Before(old.at) || r.at.Equal(old.at) && r.id < old.id) {
			first[r.customer] = r
		}
	}
	return first
}

func (s *season) checkProgramme(t *testing.T, f measure.Figures) {
	t.Helper()
	sides := map[bool]map[string][2]time.Time{true: {}, false: {}}
	for customer, run := range s.firsts(func(runRow) bool { return true }) {
		if !run.at.Before(to) {
			continue
		}
		since := run.at
		if since.Before(from) {
			since = from
		}
		sides[run.arm == ledger.GlobalHoldout][customer] = [2]time.Time{since, to.Add(-time.Nanosecond)}
	}
	every := func(touchRow) bool { return true }
	if got, want := f.Programme.Held, s.arm(sides[true], every); got != want {
		t.Errorf("programme, held out: %+v, want %+v", got, want)
	}
	if got, want := f.Programme.Treated, s.arm(sides[false], every); got != want {
		t.Errorf("programme, treated: %+v, want %+v", got, want)
	}
	if f.Programme.Held.Touches != 0 || f.Programme.Held.Revenue.N < 30 {
		t.Errorf("held out of everything: %+v", f.Programme.Held)
	}
}

func (s *season) checkTrials(t *testing.T, f measure.Figures) {
	t.Helper()
	if len(f.Trials) != 5 {
		t.Fatalf("%d trials, want three journeys and two campaigns: %+v", len(f.Trials), f.Trials)
	}
	for _, trial := range f.Trials {
		of := func(r runRow) bool { return r.journey == trial.Name }
		mine := func(x touchRow) bool { return x.journey == trial.Name }
		if trial.Scope == measure.CampaignTrial {
			of = func(r runRow) bool { return r.campaign == trial.Name }
			mine = func(x touchRow) bool { return x.campaign == trial.Name && x.journey == trial.Journey }
		}
		window := windowOf(trial.Journey)
		if window == 0 {
			window = outcome
		}
		runs := map[ledger.Arm]int{}
		for _, r := range s.runs {
			if of(r) && in(r.at) {
				runs[r.arm]++
			}
		}
		arms, open := map[ledger.Arm]map[string][2]time.Time{}, 0
		for customer, run := range s.firsts(of) {
			switch {
			case !in(run.at):
			case run.at.Add(window).After(to):
				open++
			default:
				if arms[run.arm] == nil {
					arms[run.arm] = map[string][2]time.Time{}
				}
				arms[run.arm][customer] = [2]time.Time{run.at, run.at.Add(window)}
			}
		}
		if trial.Open != open || open == 0 && trial.Scope == measure.JourneyTrial {
			t.Errorf("%s: %d left open, want %d", trial.Name, trial.Open, open)
		}
		for _, arm := range []ledger.Arm{ledger.Treated, ledger.Holdout, ledger.GlobalHoldout} {
			if trial.Runs[arm] != runs[arm] {
				t.Errorf("%s %s: %d runs, want %d", trial.Name, arm, trial.Runs[arm], runs[arm])
			}
			if got, want := trial.Arms[arm], s.arm(arms[arm], mine); got != want {
				t.Errorf("%s %s: %+v, want %+v", trial.Name, arm, got, want)
			}
		}
	}
}

func (s *season) checkRulesAndReasons(t *testing.T, f measure.Figures) {
	t.Helper()
	states, reasons := map[lifecycle.TouchState]int{}, map[string]int{}
	for _, x := range s.touches {
		if x.state.Sent() && in(x.sent) || !x.state.Sent() && in(x.planned) {
			states[x.state]++
		}
		if !x.state.Sent() && in(x.planned) {
			kind, _, _ := strings.Cut(x.reason, ":")
			reasons[string(x.state)+" "+kind]++
		}
	}
	got := map[lifecycle.TouchState]int{}
	for _, c := range f.Touches {
		got[c.State] += c.Count
	}
	for _, state := range lifecycle.TouchStates {
		if got[state] != states[state] {
			t.Errorf("%d touches are %s, want %d", got[state], state, states[state])
		}
	}
	for _, n := range f.NotSent {
		if key := string(n.State) + " " + n.Reason; reasons[key] != n.Count {
			t.Errorf("%d touches not sent by %q, want %d", n.Count, key, reasons[key])
		}
	}
	if len(f.NotSent) != len(reasons) {
		t.Errorf("%d reasons, want %d", len(f.NotSent), len(reasons))
	}
	findings, touched := map[string]int{}, map[string]map[lifecycle.TouchID]bool{}
	for _, d := range s.decisions {
		if !in(d.At) {
			continue
		}
		for kind, rules := range map[string][]string{"touch.blocked": {"consent", "suppression"}, "touch.deferred": {"frequency-cap"}, "touch.in_review": {"review-required"}} {
			for _, rule := range rules {
				if d.Kind == kind {
					findings[rule]++
					if touched[rule] == nil {
						touched[rule] = map[lifecycle.TouchID]bool{}
					}
					touched[rule][d.TouchID] = true
				}
			}
		}
	}
	for _, r := range f.Rules {
		if r.Findings != findings[r.Rule] || r.Touches != len(touched[r.Rule]) || r.Outcome == lifecycle.Allow {
			t.Errorf("rule %+v, want %d findings on %d touches", r, findings[r.Rule], len(touched[r.Rule]))
		}
	}
	if len(f.Rules) != len(findings) {
		t.Errorf("rules %+v, want those of %v", f.Rules, findings)
	}
}

func (s *season) checkPeople(t *testing.T, f measure.Figures) {
	t.Helper()
	touch := map[string]touchRow{}
	for _, x := range s.touches {
		touch[x.id] = x
	}
	type seen struct {
		touch   string
		kind    ledger.OutcomeKind
		machine bool
	}
	var want measure.Responses
	counted := map[seen]bool{}
	for _, p := range s.provider {
		x := touch[p.touch]
		key := seen{p.touch, p.kind, p.machine}
		if counted[key] || !x.state.Sent() || !in(x.sent) || !p.at.Before(to) {
			continue
		}
		counted[key] = true
		arrived := x.state == lifecycle.TouchDelivered || x.state == lifecycle.TouchComplained
		switch {
		case p.kind == ledger.OutcomeOpened && p.machine:
			want.MachineOpened++
		case p.kind == ledger.OutcomeClicked && p.machine:
			want.MachineClicked++
		case p.kind == ledger.OutcomeOpened && arrived:
			want.Opened++
		case p.kind == ledger.OutcomeClicked && arrived:
			want.Clicked++
		}
	}
	if f.Responses != want || want.Opened == 0 || want.Clicked == 0 || want.MachineClicked == 0 {
		t.Errorf("responses %+v, want %+v", f.Responses, want)
	}
	withdrawn, withdrawals := 0, 0
	for _, w := range s.withdrawals {
		if in(w.at) {
			withdrawn++
		}
	}
	for _, w := range f.Withdrawals {
		withdrawals += w.Count
	}
	if withdrawn != withdrawals {
		t.Errorf("%d consents withdrawn, want %d", withdrawals, withdrawn)
	}
	var times []float64
	reviews, inTime := 0, 0
	for _, r := range s.reviews {
		if r.opened.Before(scale.RealAt(from)) || !r.opened.Before(scale.RealAt(to)) {
			continue
		}
		reviews++
		if r.status == "approved" || r.status == "rejected" {
			times = append(times, r.decide.Sub(r.opened).Seconds())
			if !r.decide.After(r.due) {
				inTime++
			}
		}
	}
	gotReviews, gotInTime := 0, 0
	for _, r := range f.Reviews {
		gotReviews += r.Count
		gotInTime += r.InTime
	}
	slices.Sort(times)
	if gotReviews != reviews || gotInTime != inTime || f.ReviewTimes.Decided != len(times) ||
		math.Abs(f.ReviewTimes.Median.Seconds()-quantile(times, 0.5)) > 1e-5 || math.Abs(f.ReviewTimes.P95.Seconds()-quantile(times, 0.95)) > 1e-5 {
		t.Errorf("%d reviews, %d in time, %+v; want %d, %d, %d, median %v, 95th percentile %v", gotReviews, gotInTime, f.ReviewTimes,
			reviews, inTime, len(times), quantile(times, 0.5), quantile(times, 0.95))
	}
	creatives, cost := 0, int64(0)
	for _, c := range s.creatives {
		if in(c.at) {
			creatives++
			cost += c.cost
		}
	}
	gotCreatives, gotCost := 0, int64(0)
	for _, c := range f.Copy {
		gotCreatives += c.Count
		gotCost += c.Cost
	}
	if gotCreatives != creatives || gotCost != cost {
		t.Errorf("%d creatives for %d, want %d for %d", gotCreatives, gotCost, creatives, cost)
	}
}

// quantile interpolates linearly between the sorted values around p.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}
