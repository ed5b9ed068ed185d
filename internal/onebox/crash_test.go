package onebox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	temporallog "go.temporal.io/sdk/log"

	"touchstone/activities"
	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/channel"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/clock"
	"touchstone/internal/config"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/onebox"
	"touchstone/internal/postgres"
	"touchstone/worker"
)

// crashPlan is the environment variable that turns the test binary into a
// worker that kills itself.
const crashPlan = "TOUCHSTONE_TEST_CRASH"

// point is where a worker dies.
type point string

// The points of a delivery, in its order.
const (
	beforeReserve   point = "before reserve"
	afterReserve    point = "after reserve, before the provider call"
	duringCall      point = "during the provider call"
	afterAcceptance point = "after acceptance, before settling"
	afterSettling   point = "after settling"
	afterFollowers  point = "after starting the journeys that follow"
	afterEnrolling  point = "after enrolling, before the campaign knows"
)

// slug is the point in a form that fits into names.
func (p point) slug() string {
	return strings.ReplaceAll(strings.ReplaceAll(string(p), ",", ""), " ", "-")
}

// crash is what a dying worker is told.
type crash struct {
	At      point
	Journey string // dies at touches of this journey only
	Config  config.Config
	Scale   clock.Scale
}

// kill starts a worker process that dies by SIGKILL at the given point of a
// delivery of the given journey, and waits for its death.
func (h *house) kill(t *testing.T, at point, journey string) {
	t.Helper()
	plan, err := json.Marshal(crash{At: at, Journey: journey, Config: h.Config, Scale: h.Clock.Scale})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashPlan+"="+string(plan))
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || ctx.Err() != nil || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the worker was to die %s: %v\n%s", at, err, output.Bytes())
	}
}

// crashingWorker is a worker process like any other, except for the port at
// which it dies.
func crashingWorker(plan string) int {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := runCrashingWorker(context.Background(), plan, log); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1 // it should not have come back
}

func runCrashingWorker(ctx context.Context, plan string, log *slog.Logger) error {
	var c crash
	if err := json.Unmarshal([]byte(plan), &c); err != nil {
		return err
	}
	shop := brand.Example()
	store, err := postgres.Open(ctx, c.Config.DatabaseURL, postgres.Options{Stages: shop.Stages})
	if err != nil {
		return err
	}
	engine, err := client.DialContext(ctx, client.Options{
		HostPort: c.Config.Temporal.Address, Namespace: c.Config.Temporal.Namespace, Logger: temporallog.NewStructuredLogger(log),
	})
	if err != nil {
		return err
	}
	providers, err := onebox.Providers(c.Config)
	if err != nil {
		return err
	}
	activity, err := sendgrid.New(sendgrid.Config{APIKey: c.Config.SendGrid.APIKey, BaseURL: c.Config.SendGrid.BaseURL, EmailActivity: true})
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Options{
		Config: c.Config, Store: store, Temporal: engine, Brand: shop, Policy: guardrails.DefaultPolicy(), Scale: c.Scale,
		Providers: providers, Log: log,
		Wrap: func(j *activities.Journeys, campaigns *activities.Campaigns) {
			d := dying{crash: c, store: store}
			j.Ledger = dyingLedger{d, j.Ledger}
			j.Starter = dyingStarter{d, j.Starter}
			campaigns.Cohorts = dyingCohorts{d, campaigns.Cohorts}
			j.Providers = map[lifecycle.Channel]activities.Provider{lifecycle.Email: dyingProvider{d, j.Providers[lifecycle.Email], activity}}
		},
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// dying ends the process where the plan says, as a power cut would.
type dying struct {
	crash
	store *postgres.Store
}

func (d dying) die() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

// at dies if the plan says this point and one of the touches is of its journey.
func (d dying) at(ctx context.Context, where point, ids ...lifecycle.TouchID) {
	if d.At == where && slices.ContainsFunc(ids, func(id lifecycle.TouchID) bool {
		touch, err := d.store.Touch(ctx, id)
		return err == nil && touch.Journey == d.Journey
	}) {
		d.die()
	}
}

type dyingLedger struct {
	dying
	activities.Ledger
}

func (l dyingLedger) Reserve(ctx context.Context, batch []ledger.Reservation) ([]ledger.Reserved, error) {
	var ids []lifecycle.TouchID
	for _, r := range batch {
		ids = append(ids, r.Touch.ID)
	}
	if l.At == beforeReserve && batch[0].Touch.Journey == l.Journey { // it may not be stored yet
		l.die()
	}
	answers, err := l.Ledger.Reserve(ctx, batch)
	l.at(ctx, afterReserve, ids...)
	return answers, err
}

func (l dyingLedger) Settle(ctx context.Context, batch []ledger.Settlement, moves []ledger.Progress, records []ledger.Record) error {
	err := l.Ledger.Settle(ctx, batch, moves, records)
	for _, s := range batch {
		l.at(ctx, afterSettling, s.TouchID)
	}
	return err
}

type dyingProvider struct {
	dying
	activities.Provider
	log activities.Provider // answers Lookup
}

// Send may die while the provider has the message and has not answered yet: the
// test makes the provider slow, and its activity log says what it has.
func (p dyingProvider) Send(ctx context.Context, m lifecycle.Message) (channel.Receipt, error) {
	if p.At == duringCall {
		calling, answered := context.WithCancel(ctx)
		defer answered()
		go func() {
			for calling.Err() == nil {
				if _, presence, err := p.log.Lookup(calling, m.TouchID); err == nil && presence == channel.Found {
					p.at(calling, duringCall, m.TouchID)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	receipt, err := p.Provider.Send(ctx, m)
	p.at(ctx, afterAcceptance, m.TouchID)
	return receipt, err
}

type dyingStarter struct {
	dying
	activities.Starter
}

func (s dyingStarter) StartJourney(ctx context.Context, runs []ledger.Run, now time.Time) error {
	err := s.Starter.StartJourney(ctx, runs, now)
	if s.At == afterFollowers && slices.ContainsFunc(runs, func(r ledger.Run) bool { return r.Journey == s.Journey }) {
		s.die()
	}
	return err
}

type dyingCohorts struct {
	dying
	activities.Cohorts
}

func (c dyingCohorts) Enrol(ctx context.Context, cohort ledger.Cohort) (ledger.Enrolled, error) {
	enrolled, err := c.Cohorts.Enrol(ctx, cohort)
	if c.At == afterEnrolling && cohort.Journey == c.Journey {
		c.die()
	}
	return enrolled, err
}
