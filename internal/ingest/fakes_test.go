package ingest_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// memory is an in-memory store with the semantics ingestion relies on.
type memory struct {
	mu        sync.Mutex
	customers map[string]lifecycle.Customer
	consents  []ledger.ConsentRow
	erased    map[string]bool
	events    map[lifecycle.EventID]postgres.BulkEvent
	orders    map[string]postgres.BulkOrder
	imports   map[string]ledger.ImportProgress
	batches   []postgres.BulkBatch
	failAfter int // batches; 0 = never
}

func newMemory() *memory {
	return &memory{customers: map[string]lifecycle.Customer{}, erased: map[string]bool{}, events: map[lifecycle.EventID]postgres.BulkEvent{},
		orders: map[string]postgres.BulkOrder{}, imports: map[string]ledger.ImportProgress{}}
}

func (m *memory) ActiveCustomerIDs(_ context.Context, externalIDs []string) (map[string]lifecycle.CustomerID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := map[string]lifecycle.CustomerID{}
	for _, e := range externalIDs {
		if c, ok := m.customers[e]; ok && !m.erased[e] {
			ids[e] = c.ID
		}
	}
	return ids, nil
}

func (m *memory) UpsertCustomers(_ context.Context, customers []lifecycle.Customer, consents []ledger.ConsentRow, at time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	inserted := 0
	seen := map[string]bool{}
	for _, c := range customers {
		if seen[c.ExternalID] {
			return 0, fmt.Errorf("customer %q twice in one batch", c.ExternalID)
		}
		seen[c.ExternalID] = true
		if m.erased[c.ExternalID] {
			continue
		}
		if _, ok := m.customers[c.ExternalID]; !ok {
			inserted++
			c.ID = lifecycle.CustomerID(fmt.Sprintf("00000000-0000-7000-8000-%012d", len(m.customers)+1))
			if c.CreatedAt.IsZero() {
				c.CreatedAt = at
			}
			m.customers[c.ExternalID] = c
		}
	}
	m.consents = append(m.consents, consents...)
	return inserted, nil
}

func (m *memory) WriteBatch(_ context.Context, b postgres.BulkBatch) (postgres.BulkResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = append(m.batches, b)
	if m.failAfter > 0 && len(m.batches) > m.failAfter {
		return postgres.BulkResult{}, lifecycle.Errorf(lifecycle.Unavailable, "the database is gone")
	}
	var r postgres.BulkResult
	for _, o := range b.Orders {
		if _, ok := m.orders[o.ExternalID]; !ok {
			m.orders[o.ExternalID] = o
			m.events[o.Event.ID] = o.Event
			r.Orders++
		}
	}
	for _, e := range b.Events {
		if _, ok := m.events[e.ID]; !ok {
			m.events[e.ID] = e
			r.Events++
		}
	}
	return r, nil
}

func (m *memory) Import(_ context.Context, hash, kind string) (ledger.ImportProgress, error) {
	p, ok := m.imports[hash+kind]
	if !ok {
		p.SourceHash, p.Kind = hash, kind
	}
	return p, nil
}

func (m *memory) SaveImport(_ context.Context, p ledger.ImportProgress) error {
	m.imports[p.SourceHash+p.Kind] = p
	return nil
}
