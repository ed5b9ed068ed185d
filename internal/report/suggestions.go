package report

import (
	"cmp"
	"fmt"
	"slices"

	"touchstone/internal/measure"
)

// Suggestion is a change that the figures speak for. The evidence is what it
// rests on, in numbers that stand in the same report.
type Suggestion struct {
	Change   string   `json:"change"`
	Evidence []string `json:"evidence"`
	weight   int      // the more the sooner
}

// heldBack is the share of a channel's wanted touches above which a guardrail
// that defers or blocks them is worth a look.
const heldBack = 0.2

// suggestions lists changes, the most urgent first. Nothing is suggested on an
// interval that contains zero or a target.
func suggestions(p *Periodic) []Suggestion {
	all := slices.Concat(aboutLift(p), aboutRollouts(p), aboutKPIs(p), aboutGroups(p), aboutGuardrails(p), aboutReviews(p))
	slices.SortStableFunc(all, func(a, b Suggestion) int { return cmp.Compare(b.weight, a.weight) })
	if all == nil {
		all = []Suggestion{}
	}
	return all
}

func aboutLift(p *Periodic) []Suggestion {
	var all []Suggestion
	r := p.Figures
	say := func(what, name string, a measure.Answer) {
		switch {
		case a.Status != measure.OK:
		case a.Interval.High < 0:
			all = append(all, Suggestion{weight: 100, Change: fmt.Sprintf("Pause %s %s and find out why: customers held out of it bought more.", what, name),
				Evidence: []string{fmt.Sprintf("Incremental revenue per touch %s %s, 95%% interval, all of it below zero.", r.estimate(a), r.Currency)}})
		default:
			all = append(all, Suggestion{weight: 30, Change: fmt.Sprintf("Give %s %s more room: a larger cohort, or priority for the last cap slot.", what, name),
				Evidence: []string{fmt.Sprintf("Incremental revenue per touch %s %s, 95%% interval, all of it above zero.", r.estimate(a), r.Currency)}})
		}
	}
	for _, t := range r.Journeys {
		say("journey", t.Name, t.Lift.PerTouch)
	}
	for _, t := range r.Campaigns {
		say("campaign", t.Name, t.Lift.PerTouch)
	}
	return all
}

func aboutRollouts(p *Periodic) []Suggestion {
	var all []Suggestion
	for _, one := range p.Rollouts {
		evidence := []string{fmt.Sprintf("Rollout %s is %s in stage %s.", one.Programme, one.Status, cmp.Or(one.Stage, "(none)"))}
		if n := len(one.Timeline); n > 0 && one.Timeline[n-1].Why != "" {
			evidence = append(evidence, one.Timeline[n-1].Why)
		}
		switch one.Status {
		case "awaiting":
			all = append(all, Suggestion{weight: 90, Change: fmt.Sprintf("Decide go or no go: touchstone rollout status %s.", one.Programme), Evidence: evidence})
		case "halted":
			all = append(all, Suggestion{weight: 110, Change: fmt.Sprintf("Mend what halted rollout %s, then resume or abort it.", one.Programme), Evidence: evidence})
		}
	}
	return all
}

func aboutKPIs(p *Periodic) []Suggestion {
	var all []Suggestion
	for _, k := range p.KPIs {
		if k.Standing != Missed {
			continue
		}
		evidence := []string{fmt.Sprintf("%s: %s, target %s.", k.Title, p.reading(k.Unit, k.Now), p.value(k.Unit, *k.Target))}
		if k.Before.Status != measure.NotEnoughData {
			evidence = append(evidence, fmt.Sprintf("In the period before: %s.", p.reading(k.Unit, k.Before)))
		}
		change := fmt.Sprintf("Raise %s: it is below its target.", k.Title)
		if k.Better == measure.Lower {
			change = fmt.Sprintf("Lower %s: it is above its target.", k.Title)
		}
		all = append(all, Suggestion{weight: 60, Change: change, Evidence: evidence})
	}
	return all
}

// noName is the group of touches without a value of the dimension.
const noName = "(none)"

// remedies say what can be done about groups that earn less, by dimension.
var remedies = map[string]string{
	"cohort":  "Write less to cohort %s, or give it other offers and copy",
	"agent":   "Look at what agent %s decides",
	"journey": "Rework journey %s, or lower its priority",
	"channel": "Move touches from channel %s to others",
	"offer":   "Replace offer %s",
	"slot":    "Have new copy written for slot %s",
}

func aboutGroups(p *Periodic) []Suggestion {
	var all []Suggestion
	for _, g := range p.Groups {
		if !g.Under() || g.Name == noName {
			continue
		}
		all = append(all, Suggestion{weight: 50, Change: fmt.Sprintf(remedies[g.By], g.Name) + ": it earns less per touch than the rest.", Evidence: []string{
			fmt.Sprintf("%s %s per touch from %s touches; difference to the rest %s, interval at %.1f%% because every %s is compared.",
				p.Figures.decimal(g.PerTouch), p.Figures.Currency, number(g.Touches), p.Figures.estimate(g.Against), g.Against.Interval.Level*100, g.By),
			"What it earns is credited by last touch; whether touches cause it is for its holdout to say.",
		}})
	}
	return all
}

func aboutGuardrails(p *Periodic) []Suggestion {
	sent := 0
	for _, c := range p.Figures.Touches {
		sent += c.Sent
	}
	var all []Suggestion
	for _, rule := range p.Figures.Guardrails {
		held := rule.Blocks + rule.Defers
		if wanted := sent + held; held < 30 || float64(held) < heldBack*float64(wanted) {
			continue
		}
		all = append(all, Suggestion{weight: 40, Change: fmt.Sprintf("See whether guardrail %s, or what runs into it, should change.", rule.Rule), Evidence: []string{
			fmt.Sprintf("It deferred %s and blocked %s times while %s touches were sent.", number(rule.Defers), number(rule.Blocks), number(sent)),
		}})
	}
	return all
}

func aboutReviews(p *Periodic) []Suggestion {
	r := p.Figures.Reviews
	if r.Expired == 0 {
		return nil
	}
	return []Suggestion{{weight: 45, Change: "Give reviews more people, or ask for fewer of them.", Evidence: []string{
		fmt.Sprintf("Reviews that expired undecided: %s. Decided: %s, half of them within %s.", number(r.Expired), number(r.Approved+r.Rejected), seconds(r.MedianSeconds)),
	}}}
}
