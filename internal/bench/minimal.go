package bench

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Names of the baseline: the least that a journey of two touches can be.
const (
	minimalName    = "BenchMinimal"
	minimalQueue   = "bench"
	minimalSending = "bench-deliver"
	minimalPause   = time.Second // as in twoTouches
)

// minimalInput is what the baseline carries: an id, as ours.
type minimalInput struct {
	Run string `json:"run"`
}

// minimalWorkflow does what a journey of two touches does to the engine, and
// nothing else: prepare, deliver, wait, prepare, deliver.
func minimalWorkflow(ctx workflow.Context, in minimalInput) error {
	retry := &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond}
	prepare := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 30 * time.Second, RetryPolicy: retry})
	deliver := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: minimalSending, StartToCloseTimeout: time.Minute, RetryPolicy: retry})
	for touch := range 2 {
		if touch > 0 {
			if err := workflow.Sleep(ctx, minimalPause); err != nil {
				return err
			}
		}
		if err := workflow.ExecuteActivity(prepare, minimalPrepare, in).Get(ctx, nil); err != nil {
			return err
		}
		if err := workflow.ExecuteActivity(deliver, minimalDeliver, minimalStep{in.Run, touch}).Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// minimalStep says which of the two touches to deliver.
type minimalStep struct {
	Run   string `json:"run"`
	Touch int    `json:"touch"`
}

const (
	minimalPrepare = "BenchPrepare"
	minimalDeliver = "BenchDeliver"
)

// minimal runs the baseline's workers and counts what is done.
type minimal struct {
	workers []sdk.Worker
	done    atomic.Int64
}

// startMinimal starts workers with the poller settings of ours.
func startMinimal(c client.Client) (*minimal, error) {
	m := &minimal{}
	options := func() sdk.Options {
		return sdk.Options{
			WorkflowTaskPollerBehavior:         sdk.NewPollerBehaviorAutoscaling(sdk.PollerBehaviorAutoscalingOptions{InitialNumberOfPollers: 4, MinimumNumberOfPollers: 2, MaximumNumberOfPollers: 16}),
			ActivityTaskPollerBehavior:         sdk.NewPollerBehaviorAutoscaling(sdk.PollerBehaviorAutoscalingOptions{InitialNumberOfPollers: 4, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: 16}),
			MaxConcurrentActivityExecutionSize: 64,
		}
	}
	engine := sdk.New(c, minimalQueue, options())
	engine.RegisterWorkflowWithOptions(minimalWorkflow, workflow.RegisterOptions{Name: minimalName})
	engine.RegisterActivityWithOptions(func(context.Context, minimalInput) error { return nil }, namedActivity(minimalPrepare))
	sendingOnly := options()
	sendingOnly.DisableWorkflowWorker = true
	sending := sdk.New(c, minimalSending, sendingOnly)
	sending.RegisterActivityWithOptions(func(_ context.Context, s minimalStep) error {
		if s.Touch == 1 {
			m.done.Add(1)
		}
		return nil
	}, namedActivity(minimalDeliver))
	for _, w := range []sdk.Worker{engine, sending} {
		if err := w.Start(); err != nil {
			m.stop()
			return nil, err
		}
		m.workers = append(m.workers, w)
	}
	return m, nil
}

func (m *minimal) stop() {
	for _, w := range m.workers {
		w.Stop()
	}
}
