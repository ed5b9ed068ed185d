package cli

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"touchstone/internal/experiment/proof"
)

func (a *app) experimentProve() *cobra.Command {
	var o proof.Options
	var folder string
	command := &cobra.Command{
		Use:   "prove",
		Short: "Measure what the experiment engine promises, against its targets",
		Long: "Simulates tests, bandits and approvals with fixed seeds, and replays real data where --realdata\n" +
			"names their folder: how often equals are told apart, what is found and how soon, what a bandit\n" +
			"loses, whether intervals cover. The same seed gives the same figures. Exits non-zero when a target\n" +
			"is missed. Parts: " + strings.Join(proof.Parts[:5], ", ") + ",\n" + strings.Join(proof.Parts[5:], ", ") + ".",
		Example: "  touchstone experiment prove\n  touchstone experiment prove --part test,srm --runs 5000\n  touchstone experiment prove --realdata ../shared/data --json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			if folder != "" {
				o.Open = func(dataset string) (io.ReadCloser, error) { return openDataset(folder, dataset) }
			}
			o.Done = func(l proof.Line) { a.note("  %s: %s", l.Part, l.What) }
			report, err := proof.Run(o)
			if err != nil {
				return err
			}
			if err := a.print(report, func() { a.showProof(report) }); err != nil {
				return err
			}
			if !report.Met() {
				return errFound
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&o.Parts, "part", nil, "prove only these `parts`")
	flags.Uint64Var(&o.Seed, "seed", 1, "of all simulations")
	flags.IntVar(&o.Runs, "runs", proof.DefaultRuns, "simulated `experiments` per line of a test")
	flags.StringVar(&folder, "realdata", "", "`folder` with a folder per data set")
	return command
}

func (a *app) showProof(r proof.Report) {
	var rows [][]string
	for _, l := range r.Lines {
		if l.Skipped != "" {
			rows = append(rows, []string{l.Part, l.What, "-", "", "", "skipped: " + l.Skipped})
			continue
		}
		verdict := ""
		if l.Met != nil {
			verdict = map[bool]string{true: "met", false: "MISSED"}[*l.Met]
		}
		rows = append(rows, []string{l.Part, l.What, fmt.Sprintf("%.5g", l.Measured), l.Unit, orDash(l.Target), verdict})
	}
	a.table([]string{"part", "measured", "value", "unit", "target", ""}, rows)
	a.say("\nseed %d, %d simulated experiments per line of a test, %s", r.Seed, r.Runs, r.Elapsed.Round(time.Second))
}

// zipped closes the file behind a decompressor.
type zipped struct {
	*gzip.Reader
	file *os.File
}

func (z zipped) Close() error { return errors.Join(z.Reader.Close(), z.file.Close()) }

// openDataset opens a data set's compressed CSV file.
func openDataset(folder, name string) (io.ReadCloser, error) {
	file, err := os.Open(filepath.Join(folder, name, name+".csv.gz"))
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return zipped{reader, file}, nil
}
