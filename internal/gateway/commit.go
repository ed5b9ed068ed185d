package gateway

import (
	"context"
	"sync"
	"time"

	"touchstone/internal/ingest"
	"touchstone/internal/lifecycle"
	"touchstone/internal/web"
)

// maxGroup bounds the messages of one transaction.
const maxGroup = 5000

// committer writes what concurrent requests bring in common transactions: a commit
// costs as much for one message as for hundreds. There is no goroutine of its own:
// whoever waits first writes for everybody who waits.
type committer struct {
	intake *ingest.Intake
	turn   chan struct{} // holds who writes

	mu      sync.Mutex
	waiting []*delivery
}

// delivery is a request's parcel on its way.
type delivery struct {
	parcel *ingest.Parcel
	done   chan struct{}
	err    error // valid after done
}

func newCommitter(in *ingest.Intake) *committer {
	return &committer{intake: in, turn: make(chan struct{}, 1)}
}

// commit returns when the parcel is written, or why it is not. When ctx ends the
// parcel may be written all the same: to the sender that looks like a lost answer.
func (c *committer) commit(ctx context.Context, p *ingest.Parcel) error {
	d := &delivery{parcel: p, done: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, d)
	c.mu.Unlock()
	for {
		select {
		case <-d.done:
			return d.err
		case <-ctx.Done():
			return lifecycle.Errorf(lifecycle.Unavailable, "the store took too long: %w", ctx.Err())
		case c.turn <- struct{}{}:
			c.write(ctx)
			<-c.turn
		}
	}
}

// take returns the deliveries of the next group.
func (c *committer) take() []*delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, messages := 0, 0
	for n < len(c.waiting) && (n == 0 || messages+c.waiting[n].parcel.Size() <= maxGroup) {
		messages += c.waiting[n].parcel.Size()
		n++
	}
	group := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return group
}

// write commits one group. The work belongs to many requests: it does not end with
// the one that happens to do it.
func (c *committer) write(ctx context.Context) {
	group := c.take()
	if len(group) == 0 {
		return // somebody else has written for us
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), web.RequestTime-time.Second)
	defer cancel()
	parcels := make([]*ingest.Parcel, len(group))
	for i, d := range group {
		parcels[i] = d.parcel
	}
	var err error
	defer func() {
		p := recover()
		if p != nil {
			err = lifecycle.Errorf(lifecycle.Internal, "writing messages panicked: %v", p)
		}
		for _, d := range group {
			d.err = err
			close(d.done)
		}
	}()
	err = c.intake.Write(ctx, parcels...)
}
