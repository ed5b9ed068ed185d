package gateway_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"touchstone/internal/gateway"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// queue is an outbox in memory whose failed events come again after retry.
type queue struct {
	mu      sync.Mutex
	waiting []ledger.OutboxEvent
	due     map[int64]time.Time
	retry   time.Duration
	claims  int
}

func (q *queue) ClaimOutbox(ctx context.Context, limit int, handle func(context.Context, []ledger.OutboxEvent) ([]int64, map[int64]error)) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.claims++; q.claims == 1 {
		return 0, errors.New("the database restarts")
	}
	var claimed []ledger.OutboxEvent
	for _, e := range q.waiting {
		if len(claimed) < limit && !time.Now().Before(q.due[e.ID]) {
			claimed = append(claimed, e)
		}
	}
	done, failed := handle(ctx, claimed)
	q.waiting = slices.DeleteFunc(q.waiting, func(e ledger.OutboxEvent) bool { return slices.Contains(done, e.ID) })
	for id := range failed {
		q.due[id] = time.Now().Add(q.retry)
	}
	return len(claimed), nil
}

func TestRouterKeepsOrderAndDropsNothing(t *testing.T) {
	t.Parallel()
	q := &queue{due: map[int64]time.Time{}, retry: 5 * time.Millisecond}
	for id := int64(1); id <= 60; id++ {
		q.waiting = append(q.waiting, ledger.OutboxEvent{ID: id, Event: lifecycle.Event{
			ID: lifecycle.EventID(rune('A' + id)), CustomerID: lifecycle.CustomerID(rune('a' + id%3)), At: time.Unix(id, 0)}})
	}
	slices.Reverse(q.waiting) // the order of claims is not the order of events
	var mu sync.Mutex
	routed, tries := map[lifecycle.CustomerID][]int64{}, map[int64]int{}
	total := 0
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r := &gateway.Router{Outbox: q, Dispatch: func(_ context.Context, e lifecycle.Event) error {
		mu.Lock()
		defer mu.Unlock()
		id := e.At.Unix()
		tries[id]++
		switch {
		case id == 7 && tries[id] < 3:
			return errors.New("the journey is busy")
		case id == 11 && tries[id] < 2:
			panic("a bad row")
		}
		routed[e.CustomerID] = append(routed[e.CustomerID], id)
		if total++; total == 60 {
			cancel()
		}
		return nil
	}}
	r.Wake()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if total != 60 || tries[7] != 3 || tries[11] != 2 {
		t.Fatalf("routed %d; event 7 tried %d times, event 11 %d times", total, tries[7], tries[11])
	}
	for customer, ids := range routed {
		if !slices.IsSorted(ids) {
			t.Errorf("customer %s: events in the order %v", customer, ids)
		}
	}
}
