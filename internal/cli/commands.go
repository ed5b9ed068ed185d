package cli

import "github.com/spf13/cobra"

// The headings of the help.
const (
	groupRun    = "run"
	groupMarket = "market"
	groupProve  = "prove"
)

// group is one heading of the help.
type group struct {
	id       string
	commands []*cobra.Command
}

// commands lists every command: the table of contents of the CLI.
func (a *app) commands() []group {
	return []group{
		{groupRun, []*cobra.Command{a.demo(), a.dev(), a.worker(), a.serve(), a.migrate(), a.status(), a.alerts()}},
		{groupMarket, []*cobra.Command{
			a.imports(), a.events(), a.segments(), a.journeys(), a.campaigns(), a.rollouts(), a.experiments(), a.reviews(), a.creatives(),
			a.pause(), a.resume(), a.halt(), a.policies(), a.guardrails(), a.consents(), a.customers(), a.users(),
		}},
		{groupProve, []*cobra.Command{
			a.why(), a.report(), a.kpis(), a.lifts(), a.attributions(), a.rois(), a.sla(), a.bench(), a.ledger(), a.audit(),
		}},
	}
}
