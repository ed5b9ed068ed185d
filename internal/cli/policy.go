package cli

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"touchstone/guardrails"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/lifecycle"
)

func (a *app) policies() *cobra.Command {
	return noun("policy", "Read and check the guardrail policy",
		"The policy holds the numbers behind the guardrails: caps, hours, consent, and which touches a\n"+
			"person looks at. It is a YAML file named by the configuration; without one the shipped policy\n"+
			"holds.",
		a.policyShow(), a.policyCheck())
}

// policyView is a policy in short.
type policyView struct {
	Version string         `json:"version"`
	Caps    []capView      `json:"caps"`
	Hours   []hoursView    `json:"hours"`
	Changes []policyChange `json:"changes"`
}

type capView struct {
	Name    string `json:"name"`
	Channel string `json:"channel,omitempty"`
	Tag     string `json:"tag,omitempty"`
	Limit   *int   `json:"limit"` // null = none
	Window  string `json:"window"`
}

type hoursView struct {
	Channel string `json:"channel"`
	Hours   string `json:"hours"`
}

type policyChange struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // tightens or relaxes
	Reason  string    `json:"reason"`
	Version string    `json:"version"`
	InForce bool      `json:"in_force"`
}

func viewOf(p *guardrails.Policy, now time.Time) policyView {
	current := p.At(now)
	view := policyView{Version: current.Version, Caps: []capView{}, Hours: []hoursView{}, Changes: []policyChange{}}
	for _, c := range current.Caps {
		window := c.Calendar
		if window == "" {
			window = clock.FormatDuration(c.Per)
		}
		view.Caps = append(view.Caps, capView{c.Name, string(c.Channel), c.Tag, c.Limit, window})
	}
	for _, channel := range lifecycle.Channels {
		if h, ok := current.Hours[channel]; ok {
			view.Hours = append(view.Hours, hoursView{string(channel), h.String()})
		}
	}
	for _, c := range p.Changes() {
		kind := "tightens"
		if c.Relaxes {
			kind = "relaxes"
		}
		view.Changes = append(view.Changes, policyChange{c.At.UTC(), kind, c.Reason, c.Version, !c.At.After(now)})
	}
	return view
}

func (a *app) policyShow() *cobra.Command {
	var source bool
	command := &cobra.Command{
		Use:     "show",
		Short:   "Show the policy in force and its dated changes",
		Long:    "Shows the policy in force now, and the changes that are dated. --source prints the YAML.",
		Example: "  touchstone policy show\n  touchstone policy show --source > policy.yaml",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			c, err := config.Load(a.config, a.LookupEnv)
			if err != nil {
				return lifecycle.Errorf(lifecycle.Invalid, "%w", err)
			}
			if source {
				text := guardrails.DefaultPolicySource()
				if c.PolicyFile != "" {
					if text, err = os.ReadFile(c.PolicyFile); err != nil {
						return unreadable(c.PolicyFile, err)
					}
				}
				_, err = a.Out.Write(text)
				return err
			}
			_, policy, err := loadRules(c)
			if err != nil {
				return err
			}
			view := viewOf(policy, time.Now())
			return a.print(view, func() { a.showPolicy(view) })
		},
	}
	command.Flags().BoolVar(&source, "source", false, "print the YAML, for copying")
	return command
}

func (a *app) policyCheck() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a policy file and list every mistake",
		Long:    "Checks a policy file and lists every mistake with file, line, column and what to write instead.",
		Example: "  touchstone policy check policy.yaml",
		Args:    takes("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return unreadable(args[0], err)
			}
			policy, err := guardrails.ParsePolicy(args[0], text)
			if err != nil {
				return err
			}
			view := viewOf(policy, time.Now())
			return a.print(view, func() {
				a.say("%s: ok\n", args[0])
				a.showPolicy(view)
			})
		},
	}
}

func (a *app) showPolicy(p policyView) {
	a.say("policy %s\n", p.Version)
	var rows [][]string
	for _, c := range p.Caps {
		limit := "no limit"
		if c.Limit != nil {
			limit = count(*c.Limit)
		}
		rows = append(rows, []string{c.Name, cmp.Or(c.Channel, "every"), cmp.Or(c.Tag, "every"), limit, c.Window})
	}
	a.table([]string{"cap", "channel", "tag", "most", "per"}, rows)
	if len(p.Hours) > 0 {
		a.say("")
	}
	rows = nil
	for _, h := range p.Hours {
		rows = append(rows, []string{h.Channel, h.Hours})
	}
	if len(rows) > 0 {
		a.table([]string{"channel", "allowed hours, on the customer's clock"}, rows)
	}
	if len(p.Changes) == 0 {
		return
	}
	a.say("")
	rows = nil
	for _, c := range p.Changes {
		force := "to come"
		if c.InForce {
			force = "in force"
		}
		rows = append(rows, []string{day(c.At), c.Kind, c.Version, force, cut(c.Reason, 48)})
	}
	a.table([]string{"from", "change", "version", "state", "reason"}, rows)
}
