package cli_test

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/report"
)

// The e-mail experiment of K. Hillstrom (2008): customers of a shop were drawn
// into an e-mail of men's goods, one of women's goods, or none. Both comparisons
// are imported as journeys, with everybody who got no e-mail held out of both.
const (
	hillstromCustomers = "kind: customers\ncolumns: {external_id: customer_id, created_at: {constant: 2007-01-01}, region: zip_code}\n"
	hillstromVisits    = "kind: events\nskip: row.visit != \"1\"\ncolumns: {external_id: customer_id, name: {constant: Site Visited}, at: {constant: 2008-03-05}}\n"
	hillstromOrders    = "kind: orders\nskip: row.conversion != \"1\"\ncolumns: {order_id: customer_id, external_id: customer_id, at: {constant: 2008-03-06}, total: spend}\n"
)

func hillstromTouches(journey, segment, others string) string {
	return "kind: touches\nskip: row.segment == \"" + others + "\"\ncolumns:\n  external_id: customer_id\n  at: {constant: 2008-03-01T12:00:00Z}\n" +
		"  journey: {constant: " + journey + "}\n  channel: {constant: email}\n  agent: {constant: shop}\n" +
		"  arm: {column: segment, values: {" + segment + ": treated, No E-Mail: holdout}}\n"
}

// hillstromFile is the data set, or skips the test.
func hillstromFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", "hillstrom", "hillstrom.csv.gz")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Skipf("hillstrom: skipped, there is no %s", path)
	}
	return path
}

// hillstromRow is what the file says of one customer.
type hillstromRow struct {
	visit, conversion bool
	spend             float64 // dollars
}

func readHillstrom(t *testing.T, path string) map[string][]hillstromRow {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	arms := map[string][]hillstromRow{}
	for _, r := range records[1:] {
		spend, err := strconv.ParseFloat(r[column["spend"]], 64)
		if err != nil {
			t.Fatal(err)
		}
		arm := r[column["segment"]]
		arms[arm] = append(arms[arm], hillstromRow{r[column["visit"]] == "1", r[column["conversion"]] == "1", spend})
	}
	return arms
}

// effect is an estimate with its interval. The tests compute it without any code of
// the product: means and variances in two passes, Welch's interval, and
// Newcombe's from the roots of the score equation.
type effect struct{ estimate, low, high float64 }

func welch(treated, held []float64) effect {
	moments := func(v []float64) (mean, of float64) {
		for _, x := range v {
			mean += x
		}
		mean /= float64(len(v))
		for _, x := range v {
			of += (x - mean) * (x - mean)
		}
		return mean, of / float64(len(v)-1) / float64(len(v))
	}
	m1, v1 := moments(treated)
	m0, v0 := moments(held)
	df := math.Pow(v1+v0, 2) / (v1*v1/float64(len(treated)-1) + v0*v0/float64(len(held)-1))
	half := distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(0.975) * math.Sqrt(v1+v0)
	return effect{m1 - m0, m1 - m0 - half, m1 - m0 + half}
}

func newcombe(x1, n1, x0, n0 float64) effect {
	const z = 1.9599639845400545
	wilson := func(x, n float64) (low, high float64) {
		// (p - q)² = z² q (1-q) / n, solved for q.
		a, b, c := 1+z*z/n, -2*x/n-z*z/n, x*x/n/n
		root := math.Sqrt(b*b - 4*a*c)
		return (-b - root) / 2 / a, (-b + root) / 2 / a
	}
	p1, p0 := x1/n1, x0/n0
	l1, u1 := wilson(x1, n1)
	l0, u0 := wilson(x0, n0)
	return effect{p1 - p0, p1 - p0 - math.Sqrt((p1-l1)*(p1-l1)+(u0-p0)*(u0-p0)), p1 - p0 + math.Sqrt((u1-p1)*(u1-p1)+(p0-l0)*(p0-l0))}
}

func TestHillstromArmEffects(t *testing.T) {
	t.Parallel()
	path := hillstromFile(t)
	arms := readHillstrom(t, path)
	tm := setup(t)
	bring := func(kind, mapping string) {
		t.Helper()
		r := tm.run("import", kind, path, "--strict", "--mapping", tm.file(kind+strconv.Itoa(len(mapping))+".yaml", mapping), "--rejects", filepath.Join(tm.dir, "rejects.csv"))
		r.ok()
	}
	bring("customers", hillstromCustomers)
	bring("touches", hillstromTouches("mens", "Mens E-Mail", "Womens E-Mail"))
	bring("touches", hillstromTouches("womens", "Womens E-Mail", "Mens E-Mail"))
	bring("events", hillstromVisits)
	bring("orders", hillstromOrders)

	show := []string{"lift", "show", "--from", "2008-02-25", "--to", "2008-03-31", "--window", "14d", "--event", "Site Visited"}
	tm.run(show...).ok().narrow().line("mens", count(len(arms["Mens E-Mail"])), count(len(arms["No E-Mail"]))).line("SITE VISITED", "TREATED")
	table := into[report.LiftTable](tm.run(append(show, "--json")...))
	if len(table.Rows) != 2 {
		t.Fatalf("%d journeys: %+v", len(table.Rows), table.Rows)
	}
	held := arms["No E-Mail"]
	for i, name := range []string{"Mens E-Mail", "Womens E-Mail"} {
		row := table.Rows[i]
		treated := arms[name]
		if row.Treated.Customers != len(treated) || row.HeldOut.Customers != len(held) || row.Treated.Touches != len(treated) || row.Open != 0 {
			t.Errorf("%s: %d treated with %d touches, %d held out, %d open", name, row.Treated.Customers, row.Treated.Touches, row.HeldOut.Customers, row.Open)
		}
		visits, conversions, spend := sums(treated)
		visits0, conversions0, spend0 := sums(held)
		n1, n0 := float64(len(treated)), float64(len(held))
		perCustomer := welch(spend, spend0)
		total := 0.0
		for _, s := range spend {
			total += s
		}
		for figure, c := range map[string]struct {
			got  effect
			want effect
		}{
			"visit":      {effect{row.Response.Difference.Interval.Estimate, row.Response.Difference.Interval.Low, row.Response.Difference.Interval.High}, newcombe(visits, n1, visits0, n0)},
			"conversion": {effect{row.Lift.Conversion.Interval.Estimate, row.Lift.Conversion.Interval.Low, row.Lift.Conversion.Interval.High}, newcombe(conversions, n1, conversions0, n0)},
			"spend":      {effect{row.Lift.PerCustomer.Interval.Estimate, row.Lift.PerCustomer.Interval.Low, row.Lift.PerCustomer.Interval.High}, perCustomer},
			// One touch each: revenue per touch is revenue per customer.
			"RpMT": {effect{row.Lift.PerTouch.Interval.Estimate, row.Lift.PerTouch.Interval.Low, row.Lift.PerTouch.Interval.High}, perCustomer},
		} {
			t.Logf("%s, %s: %+.6f (%.6f to %.6f)", name, figure, c.got.estimate, c.got.low, c.got.high)
			if math.Abs(c.got.estimate-c.want.estimate) > 1e-9 || math.Abs(c.got.low-c.want.low) > 1e-9 || math.Abs(c.got.high-c.want.high) > 1e-9 {
				t.Errorf("%s, %s: %+v, independently %+v", name, figure, c.got, c.want)
			}
		}
		if row.Attributed == nil || math.Abs(*row.Attributed.PerTouch-total/n1) > 1e-9 {
			t.Errorf("%s: attributed %+v, %v came in", name, row.Attributed, total/n1)
		}
	}
	// The report, which takes the whole month after entry, has the same spend.
	full := into[report.Report](tm.run("report", "--from", "2008-02-25", "--to", "2008-04-30", "--json"))
	if len(full.Journeys) != 2 || full.Proof.Ledger == nil || !full.Proof.Ledger.OK {
		t.Fatalf("report: %d journeys, ledger %+v", len(full.Journeys), full.Proof.Ledger)
	}
	for i, j := range full.Journeys {
		if j.Lift.PerCustomer != table.Rows[i].Lift.PerCustomer || j.Lift.Conversion != table.Rows[i].Lift.Conversion {
			t.Errorf("%s: the report says %+v, lift show %+v", j.Name, j.Lift, table.Rows[i].Lift)
		}
	}
	// Importing again changes nothing.
	tm.run("import", "touches", path, "--restart", "--mapping", tm.file("again.yaml", hillstromTouches("mens", "Mens E-Mail", "Womens E-Mail"))).ok().line("new", "0")
}

func sums(rows []hillstromRow) (visits, conversions float64, spend []float64) {
	for _, r := range rows {
		if r.visit {
			visits++
		}
		if r.conversion {
			conversions++
		}
		spend = append(spend, r.spend)
	}
	return visits, conversions, spend
}
