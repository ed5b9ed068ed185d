package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/clock"
	"touchstone/internal/devstack"
	"touchstone/internal/ingest"
	"touchstone/internal/postgres"
)

// imports measures the import of events as CSV and as JSON lines against a bare
// COPY of the same rows into a table with the same indexes.
func (r *run) imports(ctx context.Context) (err error) {
	r.say("import: %d events", r.Events)
	stack, err := devstack.Start(ctx, devstack.Options{BinDir: r.Box.BinDir, Ephemeral: true, Postgres: true, Log: r.Box.Log, Progress: r.Box.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.Migrate(ctx, stack.DatabaseURL); err != nil {
		return err
	}
	formats := []format{
		{"CSV", filepath.Join(r.Scratch, "events.csv"), "external_id,name,at,message_id,properties\n",
			"c%[1]d,Product Viewed,%[2]s,m%[3]d,\"{\"\"product_id\"\":\"\"p%[1]d\"\",\"\"price\"\":%[3]d.50,\"\"cart_id\"\":\"\"k%[3]d\"\"}\"\n"},
		{"JSON lines", filepath.Join(r.Scratch, "events.jsonl"), "",
			`{"external_id":"c%[1]d","name":"Product Viewed","at":"%[2]s","message_id":"m%[3]d","properties":{"product_id":"p%[1]d","price":%[3]d.50,"cart_id":"k%[3]d"}}` + "\n"},
	}
	for _, f := range formats {
		if err := f.write(r.Events); err != nil {
			return err
		}
	}
	rates, peaks, bare := map[string][]float64{}, map[string]uint64{}, []float64{}
	for range min(r.Rounds, 2) {
		copied, err := bareCopy(ctx, stack.DatabaseURL, r.Events, event)
		if err != nil {
			return err
		}
		bare = append(bare, copied)
		for _, f := range formats {
			rate, peak, err := r.imported(ctx, stack.DatabaseURL, f)
			if err != nil {
				return err
			}
			rates[f.name], peaks[f.name] = append(rates[f.name], rate), max(peaks[f.name], peak)
			r.say("  %s %.0f rows/s, bare COPY %.0f", f.name, rate, copied)
		}
	}
	for _, f := range formats {
		r.target(Line{Part: "import", What: "events from " + f.name, Unit: "rows/s", Ours: median(rates[f.name]), Baseline: median(bare), Against: "bare COPY"},
			"at least 0.5", func(l Line) bool { return l.Ratio >= 0.5 })
		r.add(Line{Part: "import", What: "peak of the heap, " + f.name, Unit: "MB", Ours: float64(peaks[f.name]) / (1 << 20)})
	}
	return nil
}

// format is one way to write the same events.
type format struct{ name, path, header, row string }

var firstEvent = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// event is event i: 50,000 customers over a year.
func event(i int) (customer int, at time.Time) {
	return i * 7919 % 50_000, firstEvent.Add(time.Duration(i*31%31_536_000) * time.Second)
}

func (f format) write(n int) (err error) {
	file, err := os.Create(f.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	if _, err := w.WriteString(f.header); err != nil {
		return err
	}
	for i := range n {
		customer, at := event(i)
		if _, err := fmt.Fprintf(w, f.row, customer, at.Format(time.RFC3339), i); err != nil {
			return err
		}
	}
	return w.Flush()
}

// imported imports one file into an empty database and returns rows per second
// and the peak of the heap.
func (r *run) imported(ctx context.Context, url string, f format) (perSecond float64, peak uint64, err error) {
	store, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	runtime.GC()
	looks := 0
	summary, err := ingest.Import(ctx, ingest.Options{
		Kind: ingest.Events, Path: f.path, Currency: "USD", Clock: clock.Clock{}, Store: store, Bulk: store, Imports: store,
		Progress: func(ingest.Progress) {
			if looks++; looks%20 != 0 {
				return // reading the statistics stops the world
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		},
	})
	if err != nil {
		return 0, 0, err
	}
	if summary.Accepted != int64(r.Events) || summary.Rejected != 0 {
		return 0, 0, fmt.Errorf("%d of %d events were accepted, %d refused", summary.Accepted, r.Events, summary.Rejected)
	}
	return float64(r.Events) / summary.Elapsed.Seconds(), peak,
		onConnection(ctx, url, func(c *pgx.Conn) error { return empty(ctx, c, "events", "customers", "imports") })
}

// empty empties tables between rounds, and those that depend on them: also the
// consent history, whose triggers forbid it otherwise.
func empty(ctx context.Context, c *pgx.Conn, tables ...string) error {
	if _, err := c.Exec(ctx, "set session_replication_role = replica"); err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := c.Exec(ctx, "truncate "+t+" cascade"); err != nil {
			return err
		}
	}
	return nil
}

// bareCopy returns rows per second of one COPY of the same rows.
func bareCopy(ctx context.Context, url string, n int, event func(i int) (customer int, at time.Time)) (perSecond float64, err error) {
	err = onConnection(ctx, url, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "create table bare (like events including all)"); err != nil {
			return err
		}
		i, began := -1, time.Now()
		if _, err := c.CopyFrom(ctx, pgx.Identifier{"bare"},
			[]string{"id", "customer_id", "name", "occurred_at", "received_at", "source", "properties"},
			pgx.CopyFromFunc(func() ([]any, error) {
				if i++; i == n {
					return nil, nil
				}
				customer, at := event(i)
				var id, who uuid.UUID
				binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
				binary.BigEndian.PutUint64(who[:], uint64(customer)*0x9e3779b97f4a7c15)
				properties := fmt.Appendf(nil, `{"product_id":"p%[1]d","price":%[2]d.50,"cart_id":"k%[2]d"}`, customer, i)
				return []any{[16]byte(id), [16]byte(who), "Product Viewed", at, began, "import", properties}, nil
			})); err != nil {
			return err
		}
		perSecond = float64(n) / time.Since(began).Seconds()
		_, err := c.Exec(ctx, "drop table bare")
		return err
	})
	return perSecond, err
}
