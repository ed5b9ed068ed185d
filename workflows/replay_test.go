package workflows_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"touchstone/workflows"
)

// TestReplay runs today's workflow code over histories that released code
// wrote. A failure means that workflows which are running now would break with
// the next deploy: put the change behind a patch gate.
func TestReplay(t *testing.T) {
	t.Parallel()
	for name := range registered() {
		files, err := filepath.Glob(filepath.Join("testdata", "replay", name, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("no histories of workflow %s: record some, see docs/development.md", name)
		}
		for _, file := range files {
			t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				replayer := worker.NewWorkflowReplayer()
				workflows.Register(replayer)
				if err := replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), file); err != nil {
					t.Errorf("the code no longer replays %s: %v", file, err)
				}
			})
		}
	}
}

// A replay test that cannot fail guards nothing.
func TestReplayNoticesChangedCode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "replay", workflows.JourneyName, "*-two-touches.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no history to try: %v", err)
	}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.JourneyInput) (workflows.JourneyResult, error) {
		if err := workflow.Sleep(ctx, day); err != nil { // a timer that released code did not start
			return workflows.JourneyResult{}, err
		}
		return workflows.Journey(ctx, in)
	}, workflow.RegisterOptions{Name: workflows.JourneyName})
	err = replayer.ReplayWorkflowHistoryFromJSONFile(quiet(), files[0])
	if err == nil || !strings.Contains(err.Error(), "TMPRL1100") {
		t.Errorf("changed code replays: got %v, want a nondeterminism error", err)
	}
}

func quiet() sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
}
