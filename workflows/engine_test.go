package workflows_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"touchstone/internal/devstack"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// engine is a real Temporal dev server with workers whose workflow cache is
// empty: every workflow task replays its history, so that code which would not
// replay in production does not pass here.
type engine struct {
	client.Client
	stack   *devstack.Stack
	workers []worker.Worker

	mu    sync.Mutex
	fakes map[string]*fakes // by workflow id
}

var sharedEngine = sync.OnceValues(startEngine)

// realEngine returns the engine that all tests of this package share; main
// stops it.
func realEngine(t *testing.T) *engine {
	t.Helper()
	e, err := sharedEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMain(m *testing.M) {
	code := m.Run()
	if started != nil {
		if err := started.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var started *engine

func startEngine() (*engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // the first build of the server is slow
	defer cancel()
	stack, err := devstack.Start(ctx, devstack.Options{Ephemeral: true, Temporal: true})
	if err != nil {
		return nil, err
	}
	e := &engine{stack: stack, fakes: map[string]*fakes{}}
	started = e
	e.Client, err = client.DialContext(ctx, client.Options{
		HostPort: stack.TemporalAddress, Namespace: stack.TemporalNamespace, Identity: "recorder",
		Logger: quiet(),
	})
	if err != nil {
		return nil, err
	}
	worker.SetStickyWorkflowCacheSize(0)
	for _, queue := range []string{workflows.QueueEngine, workflows.QueueBroadcast, workflows.QueueWatch, workflows.QueueDelivery(lifecycle.Email)} {
		w := worker.New(e.Client, queue, worker.Options{Identity: "worker", DisableWorkflowWorker: queue != workflows.QueueEngine})
		if queue == workflows.QueueEngine {
			workflows.Register(w)
		}
		registerFakes(w, e.fakesOf)
		if err := w.Start(); err != nil {
			return nil, err
		}
		e.workers = append(e.workers, w)
	}
	return e, nil
}

func (e *engine) stop() error {
	for _, w := range e.workers {
		w.Stop()
	}
	if e.Client != nil {
		e.Close()
	}
	return e.stack.Stop(context.Background())
}

// fakesOf finds the fakes of the workflow that calls an activity.
func (e *engine) fakesOf(ctx context.Context) *fakes {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fakes[activity.GetInfo(ctx).WorkflowExecution.ID]
}

// play runs a scenario and returns the histories of its runs, first to last.
func (e *engine) play(t *testing.T, s scenario) [][]*historypb.HistoryEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id := s.workflow + "/" + s.name
	f := s.fakes()
	e.mu.Lock()
	e.fakes[id] = f
	e.mu.Unlock()
	run, err := e.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.QueueEngine, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, s.workflow, s.input())
	if err != nil {
		t.Fatal(err)
	}
	first := run.GetRunID()
	if s.drive != nil {
		d := &driver{Context: ctx, client: e.Client, namespace: e.stack.TemporalNamespace, id: id, fakes: f}
		if s.drive(d); d.err != nil {
			t.Fatalf("%v\n%s", d.err, summary(e.history(ctx, t, id, first)))
		}
	}
	if !s.endless {
		if err := run.Get(ctx, nil); err != nil {
			t.Fatalf("%v\n%s", err, summary(e.history(ctx, t, id, first)))
		}
	}
	var histories [][]*historypb.HistoryEvent
	for next := first; next != ""; {
		events := e.history(ctx, t, id, next)
		histories = append(histories, events)
		next = events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	if s.endless {
		if err := e.TerminateWorkflow(ctx, id, "", "the scenario is over"); err != nil {
			t.Error(err)
		}
	}
	return histories
}

func (e *engine) history(ctx context.Context, t *testing.T, id, run string) []*historypb.HistoryEvent {
	t.Helper()
	var events []*historypb.HistoryEvent
	iterator := e.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	return events
}

// summary is a history for people.
func summary(events []*historypb.HistoryEvent) string {
	text := ""
	for _, event := range events {
		text += fmt.Sprintf("%d %s\n", event.GetEventId(), event.GetEventType())
	}
	return text
}

// count says how often each type of event stands in histories.
func count(histories [][]*historypb.HistoryEvent) map[enums.EventType]int {
	counts := map[enums.EventType]int{}
	for _, events := range histories {
		for _, event := range events {
			counts[event.GetEventType()]++
		}
	}
	return counts
}

// TestWorkflowsOnARealEngine plays every scenario with replay at every task.
func TestWorkflowsOnARealEngine(t *testing.T) {
	t.Parallel()
	e := realEngine(t)
	for _, s := range scenarios() {
		t.Run(s.workflow+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			histories := e.play(t, s)
			counts := count(histories)
			if len(histories) < max(s.runs, 1) || s.runs == 0 && len(histories) > 1 {
				t.Errorf("%d runs by continue-as-new, want %d", len(histories), s.runs)
			}
			for _, events := range histories {
				if len(events) > 1500 {
					t.Errorf("a run has %d events", len(events))
				}
				for _, event := range events {
					if failed := event.GetWorkflowTaskFailedEventAttributes(); failed != nil && failed.GetCause() != enums.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND {
						t.Errorf("a workflow task failed (%s): %s\n%s", failed.GetCause(), failed.GetFailure().GetMessage(), summary(events))
					}
					if event.Size() > 8000 {
						t.Errorf("event %d (%s) has %d bytes", event.GetEventId(), event.GetEventType(), event.Size())
					}
				}
			}
			if s.touches > 0 {
				s.checkCost(t, histories, counts)
			}
		})
	}
}

// checkCost holds the promise about the common path: at most two activities
// and one timer per delivered touch, and payloads under 2 KB.
func (s scenario) checkCost(t *testing.T, histories [][]*historypb.HistoryEvent, counts map[enums.EventType]int) {
	t.Helper()
	activities, timers := counts[enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED], counts[enums.EVENT_TYPE_TIMER_STARTED]
	if activities > 2*s.touches+1 || timers > s.touches {
		t.Errorf("%d touches took %d activities and %d timers", s.touches, activities, timers)
	}
	events, bytes := 0, 0
	for _, event := range histories[0] {
		events++
		bytes += event.Size()
		for _, payload := range append(event.GetActivityTaskScheduledEventAttributes().GetInput().GetPayloads(),
			event.GetActivityTaskCompletedEventAttributes().GetResult().GetPayloads()...) {
			if payload.Size() >= 2000 {
				t.Errorf("event %d (%s) carries %d bytes", event.GetEventId(), event.GetEventType(), payload.Size())
			}
		}
	}
	t.Logf("%d touches: %d activities, %d timers, %d events, %d bytes", s.touches, activities, timers, events, bytes)
}
