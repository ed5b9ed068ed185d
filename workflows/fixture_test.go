package workflows_test

import (
	"errors"

	"strings"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"touchstone/workflows"
)

// start is when the tests' workflows begin: a Monday.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// fixture is one workflow on the time-skipping environment.
type fixture struct {
	*testsuite.TestWorkflowEnvironment
	t        *testing.T
	fakes    *fakes
	timers   int // started
	payloads *sizes
}

func newFixture(t *testing.T, f *fakes) *fixture {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(quiet())
	x := &fixture{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, fakes: f, payloads: &sizes{}}
	x.payloads.DataConverter = converter.GetDefaultDataConverter()
	x.SetDataConverter(x.payloads)
	x.SetStartTime(start)
	x.SetTestTimeout(20 * time.Second) // a shared machine may be slow; virtual time is not bounded by it
	x.SetOnTimerScheduledListener(func(string, time.Duration) { x.timers++ })
	workflows.Register(x)
	f.register(x)
	return x
}

// at runs do at a virtual instant after the start.
func (x *fixture) at(d time.Duration, do func()) { x.RegisterDelayedCallback(do, d) }

func (x *fixture) signalAt(d time.Duration, name string, data any) {
	x.at(d, func() { x.SignalWorkflow(name, data) })
}

// end returns the result of a workflow that completed well.
func end[Result any](x *fixture) Result {
	x.t.Helper()
	var result Result
	if !x.IsWorkflowCompleted() {
		x.t.Fatal("the workflow has not completed")
	}
	if err := x.GetWorkflowError(); err != nil {
		x.t.Fatalf("the workflow failed: %v", err)
	}
	if err := x.GetWorkflowResult(&result); err != nil {
		x.t.Fatal(err)
	}
	return result
}

// continued returns the input of the next run of a workflow that continued as new.
func continued[Input any](x *fixture) Input {
	x.t.Helper()
	var again *workflow.ContinueAsNewError
	if !errors.As(x.GetWorkflowError(), &again) {
		x.t.Fatalf("want continue as new, got error %v", x.GetWorkflowError())
	}
	var in Input
	if err := x.payloads.FromPayloads(again.Input, &in); err != nil {
		x.t.Fatal(err)
	}
	return in
}

// query asks the running workflow.
func query[Answer any](x *fixture, name string) Answer {
	x.t.Helper()
	var answer Answer
	value, err := x.QueryWorkflow(name)
	if err == nil {
		err = value.Get(&answer)
	}
	if err != nil {
		x.t.Fatalf("query %s: %v", name, err)
	}
	return answer
}

// metadata is what the Temporal UI reads of a running workflow.
type metadata = sdkpb.WorkflowMetadata

// details is what the Temporal UI shows as current details.
func (x *fixture) details() string {
	x.t.Helper()
	shown := query[*metadata](x, "__temporal_workflow_metadata")
	return shown.GetCurrentDetails()
}

func (x *fixture) wantDetails(parts ...string) {
	x.t.Helper()
	shown := x.details()
	for _, part := range parts {
		if !strings.Contains(shown, part) {
			x.t.Errorf("the details lack %q:\n%s", part, shown)
		}
	}
}

// updateAt sends an update and keeps what becomes of it.
func updateAt[Result any](x *fixture, d time.Duration, name string, in any) *answer[Result] {
	a := &answer[Result]{}
	x.at(d, func() { x.UpdateWorkflow(name, "", a, in) })
	return a
}

// answer is what became of an update.
type answer[Result any] struct {
	accepted bool
	rejected error
	err      error
	result   Result
	done     bool
}

func (a *answer[Result]) Accept()          { a.accepted = true }
func (a *answer[Result]) Reject(err error) { a.rejected = err }
func (a *answer[Result]) Complete(result any, err error) {
	a.done, a.err = true, err
	if r, ok := result.(Result); ok {
		a.result = r
	}
}

// sizes is the default data converter that remembers the largest payload.
type sizes struct {
	converter.DataConverter
	largest atomic.Int64
}

func (s *sizes) ToPayload(value any) (*commonpb.Payload, error) {
	p, err := s.DataConverter.ToPayload(value)
	s.note(p)
	return p, err
}

func (s *sizes) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	p, err := s.DataConverter.ToPayloads(values...)
	for _, each := range p.GetPayloads() {
		s.note(each)
	}
	return p, err
}

func (s *sizes) note(p *commonpb.Payload) {
	if size := int64(p.Size()); size > s.largest.Load() {
		s.largest.Store(size)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	equal(t, what, strings.Join(got, " "), strings.Join(want, " "))
}
