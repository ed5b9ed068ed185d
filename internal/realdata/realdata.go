// Package realdata runs a win-back campaign on real purchase histories: it
// imports them as of a cut-off date through the public import, and sends the
// shipped winback journey to the customers who really lapsed, on the real
// engines. What the histories do not have is assumed and labelled so: addresses,
// consent, and how people respond (see responder). Level 6: may import
// everything below the command line.
package realdata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ingest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/sandbox"
)

// Options say what to run.
type Options struct {
	Folder   string         // with a folder per dataset
	Mappings string         // folder of the shipped mapping files
	Box      onebox.Options // its Brand is replaced by the dataset's
	Scratch  string         // folder for reject files
	Weeks    int            // length of the season in business weeks; 0 = 3
	Datasets []Dataset      // empty = all
	Out      io.Writer
}

// Figures is what became of one dataset.
type Figures struct {
	Dataset   string
	Customers int // with at least one order or refund before the cut-off
	Orders    int // refunds not counted
	Refunds   int
	Revenue   lifecycle.Money // of the orders
	Refunded  lifecycle.Money // not negative
	Lapsed    int             // without an order for longer than the brand's threshold
	WinBack   int             // of them, with two orders or more: whom the journey is for

	Enrolled  int
	HeldOut   int
	Touches   int // the provider took them, or may have
	Responses Responses
	Ledger    ledger.LedgerReport
	Audit     ledger.VerifyReport
	Twice     int // touches that the provider saw more than once
}

// Sound reports whether everything that must hold did.
func (f Figures) Sound() bool { return f.Ledger.OK && f.Audit.OK && f.Twice == 0 }

// Run runs every dataset, one after the other, each on a box of its own.
func Run(ctx context.Context, o Options) ([]Figures, error) {
	if o.Weeks == 0 {
		o.Weeks = 3
	}
	if len(o.Datasets) == 0 {
		o.Datasets = Datasets()
	}
	var all []Figures
	for _, d := range o.Datasets {
		f, err := run(ctx, o, d)
		if err != nil {
			return all, fmt.Errorf("%s: %w", d.Name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

func run(ctx context.Context, o Options, d Dataset) (f Figures, err error) {
	r := &season{Options: o, dataset: d, responder: newResponder()}
	r.figures.Dataset = d.Name
	if r.Box.Brand, err = d.Brand(); err != nil {
		return f, err
	}
	r.Box.Sandbox = func(so *sandbox.Options) { so.OnDelivered = r.responder.OnDelivered }
	zone, err := time.LoadLocation(r.Box.Brand.TimeZone)
	if err != nil {
		return f, err
	}
	r.say("%s: the real purchases before %s, win-back from then on", d.Name, d.Cut.In(zone).Format(time.DateOnly))
	if r.box, err = onebox.Start(ctx, r.Box); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.box.Stop(context.WithoutCancel(ctx))) }()
	if err := r.history(ctx); err != nil {
		return f, err
	}
	if err := r.play(ctx); err != nil {
		return f, err
	}
	return r.figures, r.prove(ctx)
}

// season is one dataset under way.
type season struct {
	Options
	dataset   Dataset
	box       *onebox.Box
	responder *responder
	figures   Figures
}

func (r *season) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// history imports everything before the cut-off and counts it.
func (r *season) history(ctx context.Context) error {
	orders, err := r.dataset.orders(r.Mappings)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		kind    ingest.Kind
		mapping ingest.Mapping
	}{{ingest.Orders, orders}, {ingest.Customers, r.dataset.assumptions(orders)}} {
		// The past is complete: it is imported as of the cut-off.
		eve := clock.Clock{Scale: clock.Scale{Base: time.Now(), Origin: r.dataset.Cut, Factor: 1}}
		summary, err := ingest.Import(ctx, ingest.Options{
			Kind: file.kind, Path: r.dataset.Path(r.Folder), Mapping: file.mapping, Currency: r.Box.Brand.Currency, Clock: eve,
			Store: r.box.Store, Bulk: r.box.Store, Rejects: filepath.Join(r.Scratch, r.dataset.Name+"-"+string(file.kind)+".rejects.csv"),
		})
		if err != nil {
			return err
		}
		if summary.Rejected > 0 {
			return lifecycle.Errorf(lifecycle.Invalid, "%d rows of %s were refused as %s: see %s", summary.Rejected, r.dataset.Name, file.kind, summary.RejectsPath)
		}
		r.say("  imported as %s: %d rows in %s, %d left out", file.kind, summary.Rows, summary.Elapsed.Round(time.Millisecond), summary.Skipped)
	}
	r.say("  assumed: an address at example.com and consent to e-mail for every customer; the file has neither")
	return r.count(ctx)
}
