package activities

import (
	"context"
	"sync"
	"time"

	"touchstone/agents"
	"touchstone/internal/ledger"
)

// evidenceLife is how long response counts are used before they are read again,
// in real time: they are counted anew far less often.
const evidenceLife = 2 * time.Second

// evidenceCache keeps the response counts between activities.
type evidenceCache struct {
	mu   sync.Mutex
	last agents.Evidence
	at   time.Time
}

func (c *evidenceCache) read(ctx context.Context, from EvidenceStore) (agents.Evidence, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < evidenceLife {
		return c.last, nil
	}
	cells, err := from.Evidence(ctx)
	if err != nil {
		return agents.Evidence{}, err
	}
	c.last, c.at = evidenceOf(cells), time.Now()
	return c.last, nil
}

func evidenceOf(cells []ledger.ResponseCell) agents.Evidence {
	var observed []agents.Cell
	for _, c := range cells {
		observed = append(observed, agents.Cell{
			Group: c.Group, Journey: c.Journey, Channel: c.Channel, OfferID: c.OfferID,
			Touched: c.Touched, TouchedConversions: c.TouchedConversions, Held: c.Held, HeldConversions: c.HeldConversions,
		})
	}
	return agents.NewEvidence(observed)
}
