package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"touchstone/internal/lifecycle"
)

// storeRetry waits out a database or engine that is restarting. Attempts are
// unlimited: giving up would lose a customer's place. Activities mark errors
// that time cannot mend as final.
var storeRetry = &temporal.RetryPolicy{
	InitialInterval:    200 * time.Millisecond,
	BackoffCoefficient: 2,
	MaximumInterval:    30 * time.Second, // soon enough after an outage, gentle during it
}

// shortWork is reading, deciding and writing one run.
func shortWork(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, // a few queries; longer means the database is stuck
		RetryPolicy:         storeRetry,
		Summary:             summary,
	})
}

// workerDead is how long an activity that heartbeats may be silent: it speaks up
// every few seconds. Noticing too early is harmless: the ledger keeps
// the second attempt from sending again.
const workerDead = 20 * time.Second

// delivery is one touch on its provider's queue. Retrying is safe: the ledger,
// not the retry policy, keeps a touch from going out twice.
func delivery(ctx workflow.Context, channel lifecycle.Channel, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           QueueDelivery(channel),
		StartToCloseTimeout: time.Minute, // the provider's client gives up after 15 s
		HeartbeatTimeout:    workerDead,
		RetryPolicy:         storeRetry,
		Summary:             summary,
	})
}

// page is one page of a broadcast: minutes of work with heartbeats.
func page(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           QueueBroadcast,
		StartToCloseTimeout: 9 * time.Minute, // below activities.abandonedAfter
		HeartbeatTimeout:    workerDead,
		RetryPolicy:         storeRetry,
		Summary:             summary,
	})
}

// longWork is enrolling a cohort or waiting for a language model.
func longWork(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		HeartbeatTimeout:    workerDead,
		RetryPolicy:         storeRetry,
		Summary:             summary,
	})
}

// notice tells a provider something that is no message. A day is long enough for
// any outage, and what depends on it must not wait for longer.
func notice(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    2 * time.Minute,
		ScheduleToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:       workerDead,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
		Summary:                summary,
	})
}

// watching is a watch that lasts for a while on its own queue. Its heartbeats say
// within seconds that the worker has died, and another goes on.
func watching(ctx workflow.Context, lasts time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           QueueWatch,
		StartToCloseTimeout: lasts + 10*time.Minute, // a proof of the ledger may outlast the watch
		HeartbeatTimeout:    workerDead,
		RetryPolicy:         storeRetry,
		Summary:             "keep watch",
	})
}
