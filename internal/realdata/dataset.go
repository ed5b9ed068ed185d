package realdata

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/ingest"
)

//go:embed online_retail.yaml
var onlineRetailBrand []byte

//go:embed cdnow.yaml
var cdnowBrand []byte

// Dataset is one real purchase history.
type Dataset struct {
	Name string // of its folder, its file and its mapping
	// Cut is the first instant that is not history any more: the season begins.
	Cut time.Time
	// Day is how long a business day of the season takes: what the engine of one
	// machine needs for the journeys of everybody who lapsed.
	Day time.Duration

	later    string // CEL: rows at or after the cut-off
	customer string // column with the customer's id
	brand    []byte
}

// Datasets are the histories, smallest season first.
func Datasets() []Dataset {
	return []Dataset{
		{
			Name: "online_retail", Cut: midnight(2011, time.September, 1, "Europe/London"), Day: time.Second,
			later: `row.InvoiceDate >= "2011-09-01"`, customer: "CustomerID", brand: onlineRetailBrand,
		},
		{
			// Weeks 1-39, on which models of these customers are usually fitted.
			Name: "cdnow", Cut: midnight(1997, time.October, 1, "America/New_York"), Day: 12 * time.Second,
			later: `row.date > "1997-09-30"`, customer: "customer_id", brand: cdnowBrand,
		},
	}
}

func midnight(year int, month time.Month, day int, zone string) time.Time {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic("realdata: " + err.Error())
	}
	return time.Date(year, month, day, 0, 0, 0, 0, location).UTC()
}

// Path is the dataset's file below a folder of datasets.
func (d Dataset) Path(folder string) string { return filepath.Join(folder, d.Name, d.Name+".csv.gz") }

// Brand is the brand that sends to the dataset's customers.
func (d Dataset) Brand() (*brand.Brand, error) { return brand.Parse(d.Name+".yaml", d.brand) }

// orders is the shipped mapping, with one more row condition: what comes at or
// after the cut-off is not history.
func (d Dataset) orders(mappings string) (ingest.Mapping, error) {
	source, err := os.ReadFile(filepath.Join(mappings, d.Name+".yaml"))
	if err != nil {
		return ingest.Mapping{}, err
	}
	m, err := ingest.ParseMapping(source)
	if err != nil {
		return m, fmt.Errorf("mapping of %s: %w", d.Name, err)
	}
	if m.Skip != "" {
		m.Skip = "(" + m.Skip + ") || "
	}
	m.Skip += d.later
	return m, nil
}

// assumptions maps the same rows to customers with what the file does not have:
// an address that leads nowhere and consent.
func (d Dataset) assumptions(orders ingest.Mapping) ingest.Mapping {
	constant := func(s string) ingest.Column { return ingest.Column{Constant: &s} }
	return ingest.Mapping{Kind: ingest.Customers, Skip: orders.Skip, Columns: map[string]ingest.Column{
		"external_id":     {Column: d.customer},
		"email":           {Expr: fmt.Sprintf("'customer-' + row.%s + '@example.com'", d.customer)},
		"consent_email":   constant("granted"),
		"consent_at":      constant(d.Cut.AddDate(0, 0, -30).Format(time.RFC3339)),
		"consent_source":  constant("assumption"),
		"consent_wording": constant("assumed: the file has neither addresses nor consents"),
	}}
}
