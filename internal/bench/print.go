package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Print writes the results as a table for people.
func (r Results) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MEASURED\tUNIT\tOURS\tBASELINE\tRATIO\tAGAINST\tTARGET")
	part := ""
	for _, l := range r.Lines {
		if l.Part != part {
			part = l.Part
			fmt.Fprintf(w, "%s\t\t\t\t\t\t\n", part)
		}
		base, ratio, target := "-", "-", l.Target
		if l.Baseline != 0 {
			base, ratio = number(l.Baseline), fmt.Sprintf("%.2f", l.Ratio)
		}
		if l.Met != nil {
			target += map[bool]string{true: ": met", false: ": MISSED"}[*l.Met]
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.What, l.Unit, number(l.Ours), base, ratio, l.Against, target)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d cores, medians of %d rounds, %s in all. Ratios are ours / baseline.\n", r.Cores, r.Rounds, r.Elapsed.Round(time.Second))
	return err
}

// number shows a figure with about three digits.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
