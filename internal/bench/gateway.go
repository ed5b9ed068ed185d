package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/devstack"
	"touchstone/internal/onebox"
	"touchstone/internal/postgres"
)

const (
	mostTracked  = 200_000 // events of a round, however large the import is
	batchOf      = 100     // what libraries send at once
	batchSenders = 8
	soloSenders  = 128
	soloShare    = 5 // one in five of the events is also sent alone
	trackKey     = "bench:a-write-key"
)

// gateway measures events through the tracking doors over HTTP, in batches and one
// by one, against a bare COPY of the same rows. Half of the events say something
// about interests, and all customers are new to the first round.
func (r *run) gateway(ctx context.Context) (err error) {
	n := min(r.Events, mostTracked)
	r.say("gateway: %d events in batches of %d, %d one by one", n, batchOf, n/soloShare)
	stack, err := devstack.Start(ctx, devstack.Options{BinDir: r.Box.BinDir, Ephemeral: true, Postgres: true, Log: r.Box.Log, Progress: r.Box.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.Migrate(ctx, stack.DatabaseURL); err != nil {
		return err
	}
	doors, err := r.openDoors(ctx, stack.DatabaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doors.close()) }()
	begin := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	live := func(i int) (int, time.Time) { return i * 7919 % 50_000, begin.Add(time.Duration(i) * time.Millisecond) }
	var bare, batched, alone []float64
	for range min(r.Rounds, 3) {
		copied, err := bareCopy(ctx, stack.DatabaseURL, n, live)
		if err != nil {
			return err
		}
		together, err := doors.send(ctx, n, batchOf, batchSenders, live)
		if err != nil {
			return err
		}
		if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return empty(ctx, c, "events", "customer_affinities") }); err != nil {
			return err
		}
		single, err := doors.send(ctx, n/soloShare, 1, soloSenders, live)
		if err != nil {
			return err
		}
		if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return empty(ctx, c, "events", "customers", "customer_affinities") }); err != nil {
			return err
		}
		bare, batched, alone = append(bare, copied), append(batched, together), append(alone, single)
		r.say("  batches %.0f events/s, one by one %.0f events/s, bare COPY %.0f rows/s", together, single, copied)
	}
	r.target(Line{Part: "gateway", What: fmt.Sprintf("events in batches of %d", batchOf), Unit: "events/s", Ours: median(batched), Baseline: median(bare), Against: "bare COPY"},
		"at least 5,000/s", func(l Line) bool { return l.Ours >= 5000 })
	r.add(Line{Part: "gateway", What: "events one by one", Unit: "events/s", Ours: median(alone), Baseline: median(bare), Against: "bare COPY"})
	return nil
}

// doors is a gateway that listens.
type doors struct {
	url    string
	store  *postgres.Store
	client *http.Client
	stop   context.CancelFunc
	served chan error
}

func (r *run) openDoors(ctx context.Context, url string) (*doors, error) {
	store, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		return nil, err
	}
	c := config.Defaults()
	c.Gateway.WriteKeys, c.Gateway.LinkKeys = []string{trackKey}, []string{"a signing key for the benchmark, 32 characters"}
	server, err := onebox.NewGateway(onebox.GatewayOptions{Config: c, Store: store, Brand: r.Box.Brand, Clock: clock.Clock{}, Log: r.Box.Log})
	if err != nil {
		store.Close()
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		store.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	d := &doors{url: "http://" + l.Addr().String(), store: store, stop: stop, served: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: soloSenders}}}
	go func() { d.served <- server.Serve(ctx, l) }()
	return d, nil
}

func (d *doors) close() error {
	d.client.CloseIdleConnections()
	d.stop()
	err := <-d.served
	d.store.Close()
	return err
}

// send sends n events, size of them in a request, and returns events per second
// until the last was acknowledged. Every event must be stored.
func (d *doors) send(ctx context.Context, n, size, senders int, event func(i int) (int, time.Time)) (perSecond float64, err error) {
	bodies := make([][]byte, 0, n/size)
	for from := 0; from < n; from += size {
		bodies = append(bodies, trackBody(from, min(from+size, n), size > 1, event))
	}
	path := "/v1/batch"
	if size == 1 {
		path = "/v1/track"
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range senders {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return nil
				}
				if err := d.post(ctx, path, bodies[i]); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	perSecond = float64(n) / time.Since(began).Seconds()
	// The stored rows are counted, not the answers.
	stored, err := d.store.CountEvents(context.WithoutCancel(ctx))
	if err == nil && stored != n {
		err = fmt.Errorf("%d of %d events were stored", stored, n)
	}
	return perSecond, err
}

func (d *doors) post(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("a-write-key:")))
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || bytes.Contains(text, []byte("rejected")) {
		return fmt.Errorf("the gateway answered %d: %s", res.StatusCode, text)
	}
	return nil
}

// trackBody is a request as a library sends it, context included.
func trackBody(from, to int, batch bool, event func(i int) (int, time.Time)) []byte {
	var b bytes.Buffer
	if batch {
		b.WriteString(`{"batch":[`)
	}
	for i := from; i < to; i++ {
		customer, at := event(i)
		name := "Product Viewed"
		if i%2 == 0 {
			name = "Page Scrolled"
		}
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"track","userId":"c%d","messageId":"%s-%d-%t","event":"%s","timestamp":"%s","context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"},"locale":"en-GB"},"properties":{"product_id":"p%d","price":%d.50,"cart_id":"k%d"}}`,
			customer, "node-next-1764061234567-0f3c2a", i, batch, name, at.Format(time.RFC3339Nano), customer%500, i, i)
	}
	if batch {
		b.WriteString(`]}`)
	}
	return b.Bytes()
}
