package ingest_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/ingest"
	"touchstone/internal/postgres"
)

// benchEvents is how many events the benchmark imports; the environment
// variable TOUCHSTONE_BENCH_EVENTS sets another number.
func benchEvents(b *testing.B) int {
	s := os.Getenv("TOUCHSTONE_BENCH_EVENTS")
	if s == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		b.Fatalf("TOUCHSTONE_BENCH_EVENTS is %q: give a number of events", s)
	}
	return n
}

var benchStart = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// benchEvent is event i: 50,000 customers over a year.
func benchEvent(i int) (customer int, at time.Time, cart int) {
	return i * 7919 % 50_000, benchStart.Add(time.Duration(i*31%31_536_000) * time.Second), i
}

// BenchmarkImport imports the same events as CSV and as JSON lines, and prints
// their rows per second as a ratio of a bare COPY of the same rows through pgx
// into a table with the same indexes, and the peak of the heap. Run it with
// -benchtime=1x.
func BenchmarkImport(b *testing.B) {
	ctx := context.Background()
	n := benchEvents(b)
	csvFile, jsonFile := writeBenchFiles(b, n)
	for b.Loop() {
		bare := bareCopy(b, pgtest.Migrated(b, postgres.Migrate), n)
		b.ReportMetric(bare, "copy-rows/s")
		for name, path := range map[string]string{"csv": csvFile, "jsonl": jsonFile} {
			store, err := postgres.Open(ctx, pgtest.Migrated(b, postgres.Migrate), postgres.Options{})
			if err != nil {
				b.Fatal(err)
			}
			peak := uint64(0)
			s, err := ingest.Import(ctx, ingest.Options{
				Kind: ingest.Events, Path: path, Currency: "USD", Store: store, Bulk: store, Imports: store,
				Progress: func(ingest.Progress) {
					var m runtime.MemStats
					if runtime.ReadMemStats(&m); m.HeapInuse > peak {
						peak = m.HeapInuse
					}
				},
			})
			store.Close()
			if err != nil {
				b.Fatal(err)
			}
			if s.Accepted != int64(n) || s.Rejected != 0 {
				b.Fatalf("%+v", s)
			}
			rate := float64(n) / s.Elapsed.Seconds()
			b.ReportMetric(rate, name+"-rows/s")
			b.ReportMetric(rate/bare, name+"-ratio")
			b.ReportMetric(float64(peak)/(1<<20), name+"-heap-MB")
		}
	}
}

func writeBenchFiles(b *testing.B, n int) (csvFile, jsonFile string) {
	dir := b.TempDir()
	csvFile, jsonFile = filepath.Join(dir, "events.csv"), filepath.Join(dir, "events.jsonl")
	for path, format := range map[string]string{
		csvFile:  "c%[1]d,Product Viewed,%[2]s,m%[3]d,\"{\"\"product_id\"\":\"\"p%[1]d\"\",\"\"price\"\":%[3]d.50,\"\"cart_id\"\":\"\"k%[3]d\"\"}\"\n",
		jsonFile: `{"external_id":"c%[1]d","name":"Product Viewed","at":"%[2]s","message_id":"m%[3]d","properties":{"product_id":"p%[1]d","price":%[3]d.50,"cart_id":"k%[3]d"}}` + "\n",
	} {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		w := bufio.NewWriterSize(f, 1<<20)
		if path == csvFile {
			fmt.Fprintln(w, "external_id,name,at,message_id,properties")
		}
		for i := range n {
			customer, at, cart := benchEvent(i)
			fmt.Fprintf(w, format, customer, at.Format(time.RFC3339), cart)
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return csvFile, jsonFile
}

// bareCopy returns rows per second of one COPY of the same rows.
func bareCopy(b *testing.B, url string, n int) float64 {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	execute(b, url, "drop table if exists bare; create table bare (like events including all)")
	i, now := -1, time.Now()
	began := time.Now()
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"bare"},
		[]string{"id", "customer_id", "name", "occurred_at", "received_at", "source", "properties"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if i++; i == n {
				return nil, nil
			}
			customer, at, cart := benchEvent(i)
			var id, who uuid.UUID
			binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
			binary.BigEndian.PutUint64(who[:], uint64(customer)*0x9e3779b97f4a7c15)
			properties := fmt.Appendf(nil, `{"product_id":"p%[1]d","price":%[2]d.50,"cart_id":"k%[2]d"}`, customer, cart)
			return []any{[16]byte(id), [16]byte(who), "Product Viewed", at, now, "import", properties}, nil
		}))
	if err != nil {
		b.Fatal(err)
	}
	rate := float64(n) / time.Since(began).Seconds()
	execute(b, url, "drop table bare")
	return rate
}

func execute(t testing.TB, url, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
