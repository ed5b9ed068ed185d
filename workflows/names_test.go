package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

var update = flag.Bool("update", false, "rewrite testdata/names.golden")

// TestNamesArePersisted guards the names that stand in histories, in the store
// and in people's scripts.
func TestNamesArePersisted(t *testing.T) {
	t.Parallel()
	var names []string
	for name, fn := range registered() {
		names = append(names, "workflow "+name)
		names = append(names, handlers(t, name, fn)...)
	}
	for _, name := range activityNames(t) {
		names = append(names, "activity "+name)
	}
	for _, queue := range []string{workflows.QueueEngine, workflows.QueueBroadcast, workflows.QueueWatch, workflows.QueueDelivery(lifecycle.Email)} {
		names = append(names, "queue "+queue)
	}
	for _, key := range []temporal.SearchAttributeKey{
		workflows.AttributeJourney, workflows.AttributeCampaign, workflows.AttributeCustomer, workflows.AttributeReview, workflows.AttributeDueAt,
	} {
		names = append(names, fmt.Sprintf("attribute %s %s", key.GetName(), key.GetValueType()))
	}
	for _, id := range []string{
		workflows.JourneyID(runOf("spring")), workflows.CampaignID("spring"), workflows.PreflightID("winback", 3), workflows.ErasureID("c-1"), workflows.UpkeepID, workflows.WatchID,
		workflows.RolloutID("three-phases"), workflows.ReportID("weekly"),
	} {
		names = append(names, "id "+id)
	}
	slices.Sort(names)
	got := strings.Join(names, "\n") + "\n"
	golden := filepath.Join("testdata", "names.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range difference(string(want), got) {
		t.Errorf("%q is gone: running workflows would be orphaned, signals and scripts would miss. Keep the old name, or add a patch gate and a migration, and only then run the test with -update", name)
	}
	for _, name := range difference(got, string(want)) {
		t.Errorf("%q is new: names stay for ever, so make sure of it, then run the test with -update", name)
	}
}

// difference lists the lines of a that b lacks.
func difference(a, b string) []string {
	other := strings.Split(b, "\n")
	return slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(other, line) })
}

// registry collects what workflows.Register registers.
type registry map[string]any

func (r registry) RegisterWorkflow(any) { panic("a workflow without a name of its own") }

func (r registry) RegisterWorkflowWithOptions(fn any, o workflow.RegisterOptions) { r[o.Name] = fn }

func (r registry) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {
	panic("a dynamic workflow has no name")
}

func registered() registry {
	r := registry{}
	workflows.Register(r)
	return r
}

// handlers asks a running workflow for its signals, updates and queries. Its
// activities fail for good, which must not end it; a workflow that fails then
// has no handlers to list.
func handlers(t *testing.T, name string, fn any) []string {
	t.Helper()
	x := newFixture(t, &fakes{})
	var found []string
	x.at(time.Second, func() {
		definition := query[*metadata](x, "__temporal_workflow_metadata").GetDefinition()
		for _, s := range definition.GetSignalDefinitions() {
			found = append(found, "signal "+name+" "+s.GetName())
		}
		for _, u := range definition.GetUpdateDefinitions() {
			found = append(found, "update "+name+" "+u.GetName())
		}
		for _, q := range definition.GetQueryDefinitions() {
			if !strings.HasPrefix(q.GetName(), "__") {
				found = append(found, "query "+name+" "+q.GetName())
			}
		}
		for _, d := range slices.Concat(definition.GetSignalDefinitions(), definition.GetUpdateDefinitions()) {
			if d.GetDescription() == "" {
				t.Errorf("%s %s has no description for the Temporal UI", name, d.GetName())
			}
		}
		x.CancelWorkflow()
	})
	x.ExecuteWorkflow(name, reflect.Zero(reflect.TypeOf(fn).In(1)).Interface())
	return found
}

// activityNames lists the activity methods: one input struct after the context,
// an error last.
func activityNames(t *testing.T) []string {
	t.Helper()
	var (
		names   []string
		ctxType = reflect.TypeFor[context.Context]()
		errType = reflect.TypeFor[error]()
	)
	for _, owner := range []any{&activities.Journeys{}, &activities.Campaigns{}, &activities.Reviews{}, &activities.Upkeep{}, &activities.Erasure{}, &activities.Watch{}, &activities.Rollouts{}, &activities.Reports{}} {
		methods := reflect.TypeOf(owner)
		for i := range methods.NumMethod() {
			m := methods.Method(i)
			if m.Type.NumIn() != 3 || m.Type.In(1) != ctxType || m.Type.NumOut() == 0 || m.Type.Out(m.Type.NumOut()-1) != errType {
				continue
			}
			if slices.Contains(names, m.Name) {
				t.Errorf("two activities are called %s: they share one name on a worker", m.Name)
			}
			names = append(names, m.Name)
		}
	}
	return names
}
