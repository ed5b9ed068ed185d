package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/guardrails"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

func (a *app) guardrails() *cobra.Command {
	return noun("guardrails", "Read the guardrails and the catalogue of laws",
		"Every touch is judged by the guardrails. Behind some of them stand laws: the catalogue says what\n"+
			"each asks for, where, since when, with its cite and version. Engineering help, not legal advice.",
		a.guardrailsList(), a.guardrailsExplain())
}

// ruleView is one guardrail.
type ruleView struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Source  string   `json:"source"`
	Stages  []string `json:"stages"`
	Content bool     `json:"content"`
	Timed   bool     `json:"timed"`
	Laws    []string `json:"laws"` // of the catalogue that it holds
}

// lawView is one row of the catalogue of laws.
type lawView struct {
	ID           string                   `json:"id"`
	Jurisdiction string                   `json:"jurisdiction"`
	Countries    []string                 `json:"countries"`
	Region       string                   `json:"region,omitempty"`
	Channels     []lifecycle.Channel      `json:"channels"`
	Classes      []lifecycle.MessageClass `json:"classes"`
	Asks         string                   `json:"asks"`
	Permits      []lifecycle.Basis        `json:"permits,omitempty"`
	Months       int                      `json:"within_months,omitempty"`
	Verdict      lifecycle.Outcome        `json:"verdict"`
	Cite         string                   `json:"cite"`
	Version      string                   `json:"version"`
	Effective    string                   `json:"effective,omitempty"`
	Guardrail    string                   `json:"guardrail"`
}

func viewOfLaw(p guardrails.Provision) lawView {
	v := lawView{p.ID, p.Jurisdiction, p.Countries, p.Region, p.Channels, p.Classes, p.Asks, p.Permits, p.Within, p.Verdict, p.Cite, p.Version, "", p.EnforcedBy}
	if !p.Effective.IsZero() {
		v.Effective = p.Effective.Format(time.DateOnly)
	}
	return v
}

func viewOfRule(r guardrails.Rule) ruleView {
	v := ruleView{Name: r.Name, Doc: r.Doc, Source: r.Source, Stages: []string{}, Content: r.Content, Timed: r.Timed, Laws: []string{}}
	for _, stage := range r.Stages {
		v.Stages = append(v.Stages, string(stage))
	}
	for _, p := range guardrails.Provisions() {
		if p.EnforcedBy == r.Name {
			v.Laws = append(v.Laws, p.ID)
		}
	}
	return v
}

// catalogueView is everything a touch is judged by.
type catalogueView struct {
	Version string     `json:"version"` // of the catalogue of laws
	Rules   []ruleView `json:"rules"`
	Laws    []lawView  `json:"laws"`
}

func (a *app) guardrailsList() *cobra.Command {
	var country string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the guardrails, and the laws behind them",
		Long: "Lists every guardrail, and the rows of the catalogue of laws, with --country only those that bind\n" +
			"messages to customers there.",
		Example: "  touchstone guardrails list\n  touchstone guardrails list --country CA --json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			view := catalogueView{Version: guardrails.CatalogueVersion(), Rules: []ruleView{}, Laws: []lawView{}}
			for _, r := range guardrails.Rules() {
				view.Rules = append(view.Rules, viewOfRule(r))
			}
			for _, p := range guardrails.Provisions() {
				if country == "" || slices.Contains(p.Countries, strings.ToUpper(country)) {
					view.Laws = append(view.Laws, viewOfLaw(p))
				}
			}
			if country != "" && len(view.Laws) == 0 {
				return lifecycle.Errorf(lifecycle.Invalid, "the catalogue has no law of %q: messages there must satisfy all of them; leave out --country to see them", country)
			}
			return a.print(view, func() { a.showCatalogue(view) })
		},
	}
	command.Flags().StringVar(&country, "country", "", "only laws of this `country` (ISO 3166-1, such as CA)")
	return command
}

func (a *app) showCatalogue(v catalogueView) {
	var rows [][]string
	for _, r := range v.Rules {
		doc, _, _ := strings.Cut(r.Doc, ". ")
		rows = append(rows, []string{r.Name, cut(doc, 74)})
	}
	a.table([]string{"guardrail", "what it does"}, rows)
	a.say("\ncatalogue of laws, version %s\n", v.Version)
	rows = nil
	for _, l := range v.Laws {
		var channels []string
		for _, c := range l.Channels {
			channels = append(channels, string(c))
		}
		rows = append(rows, []string{l.ID, cut(strings.Join(channels, " "), 18), l.Guardrail, cut(l.Cite, 28)})
	}
	a.table([]string{"law", "channels", "held by", "cite"}, rows)
	a.say("\n`touchstone guardrails explain NAME` tells more about one of them")
}

func (a *app) guardrailsExplain() *cobra.Command {
	return &cobra.Command{
		Use:     "explain NAME",
		Short:   "Explain a guardrail or a law",
		Long:    "Explains a guardrail by its name, or a row of the catalogue of laws by its id.",
		Example: "  touchstone guardrails explain us-tcpa-written\n  touchstone guardrails explain frequency-cap",
		Args:    takes("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			var known []string
			for _, r := range guardrails.Rules() {
				if known = append(known, r.Name); r.Name == args[0] {
					view := viewOfRule(r)
					return a.print(view, func() { a.explainRule(view) })
				}
			}
			for _, p := range guardrails.Provisions() {
				if known = append(known, p.ID); p.ID == args[0] {
					view := viewOfLaw(p)
					return a.print(view, func() { a.explainLaw(view, p) })
				}
			}
			hint := "`touchstone guardrails list` names them"
			if near := segment.Nearest(args[0], known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return lifecycle.Errorf(lifecycle.Invalid, "no guardrail and no law is called %q: %s", args[0], hint)
		},
	}
}

func (a *app) explainRule(r ruleView) {
	a.say("%s, asked %s", r.Name, cmp.Or(strings.Join(r.Stages, " and "), "when a touch is prepared and again right before it is sent"))
	a.say("    %s", wrap(r.Doc, 4))
	a.say("    source: %s", wrap(r.Source, 12))
	if len(r.Laws) > 0 {
		a.say("    laws: %s", wrap(list(r.Laws), 10))
	}
}

func (a *app) explainLaw(l lawView, p guardrails.Provision) {
	a.say("%s, %s", l.ID, l.Jurisdiction)
	a.say("    %s", wrap(l.Asks, 4))
	where := list(l.Countries)
	if l.Region != "" {
		where += ", " + l.Region
	}
	var channels, bases []string
	for _, c := range l.Channels {
		channels = append(channels, string(c))
	}
	for _, b := range l.Permits {
		bases = append(bases, string(b))
	}
	rows := [][2]string{{"countries", where}, {"channels", list(channels)}, {"accepts", list(bases)}, {"cite", l.Cite}, {"version", l.Version},
		{"in force", cmp.Or(l.Effective, "taken as always")}, {"held by", l.Guardrail}, {"otherwise", string(l.Verdict)}}
	if l.Months > 0 {
		rows[2][1] += ", for " + count(l.Months) + " months"
	}
	for _, row := range rows {
		if row[1] != "" {
			a.say("    %-11s%s", row[0], wrap(row[1], 15))
		}
	}
	for _, e := range p.Examples {
		a.say("    for example, %s", wrap(e.Name+": "+string(e.Want), 8))
	}
}
