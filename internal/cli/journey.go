package cli

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/brand"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

func (a *app) journeys() *cobra.Command {
	return noun("journey", "Check, apply and watch journeys",
		"A journey is a YAML file: who enters, what happens step by step, and when it ends. Where a FILE\n"+
			"is asked for, the name of a shipped journey will do:\n"+list(shippedNames())+".",
		a.journeyValidate(), a.journeyPlan(), a.journeyDiff(), a.journeySimulate(), a.journeyApply(), a.journeyMigrate(),
		a.journeyList(), a.journeyShow(), a.journeySchema(),
		a.stopOrGo(ledger.ScopeJourney, ledger.ControlPaused), a.stopOrGo(ledger.ScopeJourney, ledger.ControlRunning))
}

func shippedNames() []string { return slices.Sorted(maps.Keys(journey.Shipped())) }

// readJourney reads a definition's file, or a shipped one by its name.
func readJourney(arg string) (file string, source []byte, err error) {
	source, err = os.ReadFile(arg)
	if err == nil {
		return arg, source, nil
	}
	if shipped, ok := journey.Shipped()[arg]; ok && errors.Is(err, os.ErrNotExist) {
		return arg + ".yaml", shipped, nil
	}
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(arg, "./"+string(filepath.Separator)) {
		return "", nil, lifecycle.Errorf(lifecycle.Invalid, "no file %s and no shipped journey of this name: shipped are %s", arg, list(shippedNames()))
	}
	return "", nil, unreadable(arg, err)
}

// parseJourney parses a definition against the brand's offers.
func parseJourney(file string, source []byte, b *brand.Brand) (*journey.Definition, error) {
	var offers []string
	for _, o := range b.Offers {
		offers = append(offers, o.ID)
	}
	return journey.Parse(file, source, journey.ParseOptions{Offers: offers, Topics: b.TopicIDs()})
}

// loadJourney is both.
func loadJourney(arg string, b *brand.Brand) (*journey.Definition, error) {
	file, source, err := readJourney(arg)
	if err != nil {
		return nil, err
	}
	def, err := parseJourney(file, source, b)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "the journey has mistakes:\n%w", err)
	}
	return def, nil
}

// journeyLine is a journey in a list.
type journeyLine struct {
	postgres.RunCounts
	Version   int       `json:"version"`
	Entry     string    `json:"entry"` // "segment" or the event
	AppliedAt time.Time `json:"applied_at"`
	AppliedBy string    `json:"applied_by"`
}

func (a *app) journeyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the applied journeys with their customers",
		Long:    "Lists the latest version of every applied journey, and how many customers are where.",
		Example: "  touchstone journey list",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(ctx context.Context, s *session) error {
				rows, err := s.store.Journeys(ctx)
				if err != nil {
					return err
				}
				counts, err := s.journeyCounts(ctx)
				if err != nil {
					return err
				}
				var lines []journeyLine
				for _, row := range rows {
					line := journeyLine{Version: row.Version, Entry: "segment", AppliedAt: row.AppliedAt.UTC(), AppliedBy: row.AppliedBy}
					if row.EntryEvent != "" {
						line.Entry = row.EntryEvent
					}
					for _, c := range counts {
						if c.Name == row.Name {
							line.RunCounts = c
						}
					}
					lines = append(lines, line)
				}
				return a.print(lines, func() { a.showJourneys(lines) })
			})
		},
	}
}

func (a *app) showJourneys(lines []journeyLine) {
	if len(lines) == 0 {
		a.say("no journey has been applied; shipped are %s: touchstone journey apply winback", list(shippedNames()))
		return
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.Name, "v" + count(l.Version), cut(l.Entry, 20), count(l.Entered), count(l.Pending + l.Running), count(l.Converted), count(l.HeldOut), day(l.AppliedAt), cut(l.AppliedBy, 14)})
	}
	a.table([]string{"journey", "version", "entered by", "entered", "on it", "converted", "held out", "applied", "by"}, rows)
}

func (a *app) journeySchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of journey files",
		Long:    "Prints the JSON Schema (2020-12) of journey files, for editors and CI.",
		Example: "  touchstone journey schema > journey.schema.json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Out.Write(journey.Schema())
			return err
		},
	}
}

// applied is the stored version of a journey, parsed.
func (s *session) applied(ctx context.Context, name string, version int) (ledger.JourneyRow, *journey.Definition, error) {
	row, err := s.store.Journey(ctx, name, version)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		what := "no journey " + name + " has been applied"
		if version > 0 {
			what = "journey " + name + " has no version " + count(version)
		}
		return row, nil, lifecycle.Errorf(lifecycle.NotFound, "%s: see `touchstone journey list`", what)
	}
	if err != nil {
		return row, nil, err
	}
	def, err := parseJourney(name+".yaml", row.Source, s.brand)
	return row, def, err
}
