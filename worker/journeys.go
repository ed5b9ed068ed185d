package worker

import (
	"context"
	"sync"
	"time"

	"touchstone/internal/journey"
	"touchstone/internal/ledger"
)

// JourneyStore keeps journey sources.
type JourneyStore interface {
	Journey(ctx context.Context, name string, version int) (ledger.JourneyRow, error)
	Journeys(ctx context.Context) ([]ledger.JourneyRow, error)
}

// Definitions parses journey sources once per version and knows the latest of
// each. A version never changes, so parsed definitions are kept for good.
type Definitions struct {
	Store  JourneyStore
	Offers []string // ids of the brand's catalogue

	mu     sync.Mutex
	parsed map[versioned]*journey.Definition
	latest []current
	read   time.Time
}

type versioned struct {
	name    string
	version int
}

// current is the latest version of a journey.
type current struct {
	versioned
	definition *journey.Definition
}

// freshFor is how long the list of latest versions is trusted: a newly applied
// journey takes entries this soon.
const freshFor = time.Second

// Definition returns one version of a journey.
func (d *Definitions) Definition(ctx context.Context, name string, version int) (*journey.Definition, error) {
	d.mu.Lock()
	def := d.parsed[versioned{name, version}]
	d.mu.Unlock()
	if def != nil {
		return def, nil
	}
	row, err := d.Store.Journey(ctx, name, version)
	if err != nil {
		return nil, err
	}
	return d.parse(row)
}

// Latest returns the latest version of every journey.
func (d *Definitions) Latest(ctx context.Context) ([]current, error) {
	d.mu.Lock()
	latest, age := d.latest, time.Since(d.read)
	d.mu.Unlock()
	if age < freshFor {
		return latest, nil
	}
	rows, err := d.Store.Journeys(ctx)
	if err != nil {
		return nil, err
	}
	latest = nil
	for _, row := range rows {
		def, err := d.parse(row)
		if err != nil {
			return nil, err
		}
		latest = append(latest, current{versioned{row.Name, row.Version}, def})
	}
	d.mu.Lock()
	d.latest, d.read = latest, time.Now()
	d.mu.Unlock()
	return latest, nil
}

func (d *Definitions) parse(row ledger.JourneyRow) (*journey.Definition, error) {
	key := versioned{row.Name, row.Version}
	d.mu.Lock()
	defer d.mu.Unlock()
	if def := d.parsed[key]; def != nil {
		return def, nil
	}
	def, err := journey.Parse(row.Name+".yaml", []byte(row.Source), journey.ParseOptions{Offers: d.Offers})
	if err != nil {
		return nil, err
	}
	if d.parsed == nil {
		d.parsed = map[versioned]*journey.Definition{}
	}
	d.parsed[key] = def
	return def, nil
}
