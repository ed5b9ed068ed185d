package realdata_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/config"
	"touchstone/internal/onebox"
	"touchstone/internal/realdata"
)

// TestRealData imports the histories, wins back and compares what is printed
// with what plain loops over the files count. TOUCHSTONE_REALDATA names the
// folder and asks for every dataset; without it the smallest one is run.
func TestRealData(t *testing.T) {
	folder, datasets := os.Getenv("TOUCHSTONE_REALDATA"), realdata.Datasets()
	if folder == "" {
		folder, datasets = filepath.Join("..", "..", "..", "shared", "data"), datasets[:1]
		if testing.Short() {
			t.Skip("realdata: skipped, it takes most of a minute")
		}
	}
	for _, d := range datasets {
		if _, err := os.Stat(d.Path(folder)); errors.Is(err, os.ErrNotExist) {
			t.Skipf("realdata: skipped, there is no %s: name the folder of the datasets in TOUCHSTONE_REALDATA", d.Path(folder))
		}
	}
	var printed strings.Builder
	all, err := realdata.Run(t.Context(), realdata.Options{
		Folder: folder, Mappings: filepath.Join("..", "..", "docs", "examples", "mappings"), Scratch: t.TempDir(), Datasets: datasets,
		Box: onebox.Options{Ephemeral: true, Config: config.Defaults(), Policy: guardrails.DefaultPolicy(), Seed: 1},
		Out: io.MultiWriter(&printed, testWriter{t}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range all {
		want := countFile(t, datasets[i], folder)
		got := counted{f.Customers, f.Orders, f.Refunds, f.Revenue.Amount, f.Refunded.Amount, f.Lapsed, f.WinBack}
		if got != want {
			t.Errorf("%s: the product counts %+v, the file has %+v", f.Dataset, got, want)
		}
		if f.Enrolled < want.winBack || f.HeldOut == 0 || f.HeldOut > f.Enrolled/4 {
			t.Errorf("%s: %d enrolled of whom %d held out, for %d who lapsed", f.Dataset, f.Enrolled, f.HeldOut, want.winBack)
		}
		// Three touches each at most; how far the season comes depends on the machine.
		if treated := f.Enrolled - f.HeldOut; f.Touches < treated/2 || f.Touches > 3*treated {
			t.Errorf("%s: %d touches for %d treated customers", f.Dataset, f.Touches, treated)
		}
		if !f.Sound() {
			t.Errorf("%s: ledger %+v, audit %+v, %d seen twice", f.Dataset, f.Ledger, f.Audit, f.Twice)
		}
		if !strings.Contains(printed.String(), "SIMULATED responses") {
			t.Errorf("%s: the responses are not labelled as simulated", f.Dataset)
		}
	}
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// counted is what the file says, without any code of the product.
type counted struct {
	customers, orders, refunds int
	revenue, refunded          int64 // minor units
	lapsed, winBack            int
}

// order is one order of a file: the sum of its rows, at the instant of the first.
type order struct {
	customer string
	at       time.Time
	total    *big.Rat
}

// notGoods are the stock codes that the README of the dataset and the shipped
// mapping leave out.
var notGoods = regexp.MustCompile(`^(POST|DOT|M|m|BANK CHARGES|AMAZONFEE|D|C2|S|CRUK|B|PADS)$`)

// read gives the order that a row belongs to, its customer, local instant and
// amount; an empty order id leaves the row out.
var read = map[string]func(row map[string]string) (id, customer, at, price, quantity string){
	"online_retail": func(r map[string]string) (string, string, string, string, string) {
		if r["CustomerID"] == "" || notGoods.MatchString(r["StockCode"]) || r["InvoiceDate"] >= "2011-09-01" {
			return "", "", "", "", ""
		}
		return r["InvoiceNo"], r["CustomerID"], r["InvoiceDate"], r["UnitPrice"], r["Quantity"]
	},
	"cdnow": func(r map[string]string) (string, string, string, string, string) {
		if r["date"] >= "1997-10-01" {
			return "", "", "", "", ""
		}
		return r["customer_id"] + " " + r["date"], r["customer_id"], r["date"] + " 00:00:00", r["amount"], "1"
	},
}

var zones = map[string]string{"online_retail": "Europe/London", "cdnow": "America/New_York"}

func countFile(t *testing.T, d realdata.Dataset, folder string) counted {
	t.Helper()
	zone, err := time.LoadLocation(zones[d.Name])
	if err != nil {
		t.Fatal(err)
	}
	orders := map[string]*order{}
	for row := range rows(t, d.Path(folder)) {
		id, customer, at, price, quantity := read[d.Name](row)
		if id == "" {
			continue
		}
		if orders[id] == nil {
			instant, err := time.ParseInLocation("2006-01-02 15:04:05", at, zone)
			if err != nil {
				t.Fatal(err)
			}
			orders[id] = &order{customer, instant, new(big.Rat)}
		}
		p, ok := new(big.Rat).SetString(price)
		q, also := new(big.Rat).SetString(quantity)
		if !ok || !also {
			t.Fatalf("row %v", row)
		}
		orders[id].total.Add(orders[id].total, p.Mul(p, q))
	}
	return sum(orders, d.Cut)
}

// sum adds the orders up: lapsed is who bought last more than 90 days before
// the cut-off.
func sum(orders map[string]*order, cut time.Time) counted {
	var c counted
	last, times, everybody := map[string]time.Time{}, map[string]int{}, map[string]bool{}
	for _, o := range orders {
		everybody[o.customer] = true
		cents := cents(o.total)
		switch {
		case cents > 0:
			c.orders++
			c.revenue += cents
			times[o.customer]++
			if o.at.After(last[o.customer]) {
				last[o.customer] = o.at
			}
		case cents < 0:
			c.refunds++
			c.refunded -= cents
		}
	}
	c.customers = len(everybody)
	for customer, at := range last {
		if cut.Sub(at) > 90*24*time.Hour {
			c.lapsed++
			if times[customer] >= 2 {
				c.winBack++
			}
		}
	}
	return c
}

// cents rounds half away from zero.
func cents(r *big.Rat) int64 {
	scaled := new(big.Rat).Mul(r, big.NewRat(100, 1))
	half := big.NewRat(int64(scaled.Sign()), 2)
	scaled.Add(scaled, half)
	return new(big.Int).Quo(scaled.Num(), scaled.Denom()).Int64()
}

func rows(t *testing.T, path string) func(yield func(map[string]string) bool) {
	return func(yield func(map[string]string) bool) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		text, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		reader := csv.NewReader(text)
		header, err := reader.Read()
		if err != nil {
			t.Fatal(err)
		}
		header = slices.Clone(header)
		for {
			fields, err := reader.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			row := map[string]string{}
			for i, name := range header {
				row[name] = fields[i]
			}
			if !yield(row) {
				return
			}
		}
	}
}

func TestRunNamesTheDatasetThatFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := realdata.Run(ctx, realdata.Options{Box: onebox.Options{Ephemeral: true, Config: config.Defaults()}, Out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "online_retail") {
		t.Fatalf("got %v", err)
	}
}
