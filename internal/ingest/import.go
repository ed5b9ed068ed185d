package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// DefaultBatchSize is how many rows one transaction writes.
const DefaultBatchSize = 5000

// ProgressStore keeps how far an import came.
type ProgressStore interface {
	// Import returns the progress of a source, the zero progress when it is new.
	Import(ctx context.Context, sourceHash, kind string) (ledger.ImportProgress, error)
	SaveImport(ctx context.Context, p ledger.ImportProgress) error
}

// Options say what to import and how.
type Options struct {
	Kind     Kind
	Path     string    // a file, or "-" for Reader
	Reader   io.Reader // read when Path is empty or "-"; cannot resume
	Mapping  Mapping
	Rejects  string // reject file; empty = Path with ".rejects.csv"
	Currency string // the brand's; ISO 4217
	Clock    clock.Clock
	Store    Store
	Bulk     Bulk
	Imports  ProgressStore // nil = no resuming
	// Restart reads the file from its beginning although an earlier import of it
	// came further. Rows that are there already stay as they are.
	Restart bool
	// Live puts events younger than a day whose names are in Listens into the
	// outbox, so that journeys react. Files are history by default: nobody gets
	// a welcome message for a sign-up of last year.
	Live    bool
	Listens []string
	// Confirm as in Writer; who must confirm is asked by the live doors only.
	Confirm   func(c lifecycle.Consent, country string) bool
	BatchSize int            // rows per transaction; 0 = DefaultBatchSize
	Progress  func(Progress) // called now and then from the goroutine of Import; may be nil
}

// Progress is how far an import is.
type Progress struct {
	Rows     int64
	Rejected int64
	Bytes    int64 // read of the file as it lies on disk
	Total    int64 // size of the file; 0 = unknown
}

// Summary is what became of an import.
type Summary struct {
	Rows        int64            // records read; those before ResumedAt not counted
	Accepted    int64            // stored and new: customers, events, or orders
	Present     int64            // stored before
	Rejected    int64            // refused, see the reject file
	Skipped     int64            // left out by the mapping's condition, blank, or of another kind
	Created     int64            // customers made for events and orders
	ByReason    map[string]int64 // rejected rows by reason
	Ignored     []string         // columns nobody asked for
	RejectsPath string           // empty when nothing was rejected
	ResumedAt   int64            // line after which reading began; 0 = the beginning
	Done        bool             // an earlier import had finished the file; nothing was read
	Elapsed     time.Duration    // real time
}

// Import reads a file or stream into the store in bounded memory. It is safe to
// repeat and to interrupt: rows have identities, batches are transactions, and
// a file resumes after its last committed line. Refused rows go to the reject
// file and never stop it; an error means the import did not finish.
func Import(ctx context.Context, o Options) (summary Summary, err error) {
	began := time.Now()
	now := o.Clock.Now()
	if !lifecycle.ValidCurrency(o.Currency) {
		return summary, lifecycle.Errorf(lifecycle.Invalid, "the brand's currency %q is not an ISO 4217 code such as USD", o.Currency)
	}
	p, err := newPlan(o.Kind, o.Mapping, o.Currency, now)
	if err != nil {
		return summary, err
	}
	src, err := open(o.Path, o.Reader, string(o.Kind)+"\n"+o.Currency+"\n"+o.Mapping.source)
	if err != nil {
		return summary, err
	}
	im := &importer{
		Options: o, src: src, plan: p,
		writer: &Writer{Store: o.Store, Bulk: o.Bulk, Now: o.Clock.Now, Confirm: o.Confirm},
		mark:   ledger.ImportProgress{SourceHash: src.hash, Kind: string(o.Kind)},
		sum:    Summary{ByReason: map[string]int64{}},
	}
	if im.BatchSize <= 0 {
		im.BatchSize = DefaultBatchSize
	}
	if o.Live {
		im.writer.Listens, im.writer.Since = o.Listens, now.Add(-24*time.Hour)
	}
	if err := im.resume(ctx); err != nil {
		return summary, errors.Join(err, src.close())
	}
	im.rejects = &rejects{path: rejectsPath(o), append: im.mark.Lines > 0}
	if !im.sum.Done {
		err = im.run(ctx)
	}
	err = errors.Join(err, im.rejects.close(), src.close())
	if im.rejects.file != nil {
		im.sum.RejectsPath = im.rejects.path
	}
	im.sum.Elapsed = time.Since(began)
	return im.sum, err
}

func rejectsPath(o Options) string {
	switch {
	case o.Rejects != "":
		return o.Rejects
	case o.Path == "" || o.Path == "-":
		return string(o.Kind) + ".rejects.csv"
	}
	return filepath.Clean(o.Path) + ".rejects.csv"
}

// importer is one import under way.
type importer struct {
	Options
	src     *source
	plan    *plan
	writer  *Writer
	rejects *rejects
	groups  *grouper
	mark    ledger.ImportProgress
	sum     Summary
	batch   []Item
	last    int64 // line of the last row taken over
}

// resume finds where an earlier import of the same file stopped.
func (im *importer) resume(ctx context.Context) error {
	if im.Imports == nil || im.src.hash == "" || im.Restart {
		return nil
	}
	mark, err := im.Imports.Import(ctx, im.src.hash, string(im.Kind))
	if err != nil {
		return fmt.Errorf("look for an earlier import: %w", err)
	}
	if mark.Lines == 0 && !mark.Done {
		return nil
	}
	im.mark = mark
	im.sum.ResumedAt, im.sum.Done = mark.Lines, mark.Done
	return nil
}

func (im *importer) run(ctx context.Context) error {
	if im.plan.lines {
		im.groups = newGrouper(im.plan.window)
	}
	reading, cancel := context.WithCancel(ctx)
	chunks, wait, err := im.start(reading)
	if err == nil {
		err = im.collect(ctx, chunks)
	}
	cancel()
	wait()
	im.sum.Ignored = im.plan.ignored
	if err != nil {
		return err
	}
	return im.finish(ctx)
}

// finish writes what is left and marks the file as done.
func (im *importer) finish(ctx context.Context) error {
	if im.groups != nil {
		if err := im.finished(im.groups.finish(math.MaxInt)); err != nil {
			return err
		}
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	return im.save(ctx, true)
}

// collect takes decoded rows in the order of the file, and ends the import.
func (im *importer) collect(ctx context.Context, chunks <-chan *chunk) error {
	for c := range chunks {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.err != nil {
			return c.err
		}
		for i := range c.parsed {
			if err := im.take(ctx, &c.parsed[i]); err != nil {
				return err
			}
		}
		im.report()
	}
	return ctx.Err()
}

// take adds one row to the batch and writes the batch when it is full.
func (im *importer) take(ctx context.Context, r *parsedRow) error {
	im.sum.Rows++
	im.last = r.line
	switch {
	case r.err != nil:
		if err := im.reject(r.line, r.err, r.text); err != nil {
			return err
		}
	case r.skip:
		im.sum.Skipped++
	case r.part != nil:
		if err := im.groups.add(r.part, r.line); err != nil {
			if err := im.reject(r.line, err, r.text); err != nil {
				return err
			}
		}
	}
	for _, err := range r.fails {
		if err := im.reject(r.line, err, r.text); err != nil {
			return err
		}
	}
	for _, m := range r.items {
		im.batch = append(im.batch, Item{Message: m, Line: r.line, Raw: r.text})
	}
	if im.groups != nil {
		if err := im.finished(im.groups.tick()); err != nil {
			return err
		}
	}
	if len(im.batch) < im.BatchSize {
		return nil
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	return im.save(ctx, false)
}

// finished turns orders whose lines are complete into items.
func (im *importer) finished(orders []*openOrder) error {
	for _, o := range orders {
		row, err := o.row(o.products)
		if err != nil {
			if err := im.reject(o.firstLine, err, []byte(o.orderID)); err != nil {
				return err
			}
			continue
		}
		im.batch = append(im.batch, Item{Message: Message{Order: row}, Line: o.firstLine, Raw: []byte(o.orderID)})
	}
	return nil
}

func (im *importer) reject(line int64, reason error, raw []byte) error {
	im.sum.Rejected++
	im.mark.Rejected++
	// Reasons are few: a bounded set of sentences without values.
	if _, seen := im.sum.ByReason[reason.Error()]; seen || len(im.sum.ByReason) < 1000 {
		im.sum.ByReason[reason.Error()]++
	}
	return im.rejects.write(line, reason, raw)
}

// flush writes the batch and then the progress: after a crash between the two
// the batch is written again, which changes nothing.
func (im *importer) flush(ctx context.Context) error {
	written, err := im.writer.Write(ctx, im.batch)
	if err != nil {
		return fmt.Errorf("import rows up to line %d: %w", im.last, err)
	}
	for _, r := range written.Rejected {
		if err := im.reject(im.batch[r.Index].Line, r.Err, im.batch[r.Index].Raw); err != nil {
			return err
		}
	}
	im.batch = slices.Delete(im.batch, 0, len(im.batch))
	im.sum.Accepted += int64(written.New)
	im.sum.Present += int64(written.Present)
	im.sum.Created += int64(written.Created)
	im.mark.Accepted += int64(written.New)
	if err := im.rejects.flush(); err != nil {
		return fmt.Errorf("write reject file: %w", err)
	}
	im.report()
	return im.save(ctx, false)
}

// save records the last line before which everything is committed.
func (im *importer) save(ctx context.Context, done bool) error {
	if im.Imports == nil || im.src.hash == "" {
		return nil
	}
	lines := im.last
	if im.groups != nil {
		if first := im.groups.firstOpen(); first > 0 {
			lines = first - 1
		}
	}
	im.mark.Lines = max(im.mark.Lines, lines)
	im.mark.Done = done
	im.mark.UpdatedAt = im.Clock.Now()
	if err := im.Imports.SaveImport(ctx, im.mark); err != nil {
		return fmt.Errorf("save import progress: %w", err)
	}
	return nil
}

func (im *importer) report() {
	if im.Progress != nil {
		im.Progress(Progress{Rows: im.sum.Rows, Rejected: im.sum.Rejected, Bytes: im.src.read.n.Load(), Total: im.src.total})
	}
}
