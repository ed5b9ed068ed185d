package workflows_test

import (
	"testing"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

func TestReportIsWrittenAtItsBusinessInstant(t *testing.T) {
	t.Parallel()
	want := activities.ReportWritten{From: start.AddDate(0, 0, -7), To: start, Suggestions: 2}
	f := &fakes{WriteReport: script[activities.ReportInput, activities.ReportWritten](want)}
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.ReportName, workflows.ReportInput{Kind: "weekly", Clock: season})
	equal(t, "suggestions", end[activities.ReportWritten](x).Suggestions, 2)
	asked := inputs[activities.ReportInput](f, "WriteReport")[0]
	equal(t, "kind", asked.Kind, "weekly")
	equal(t, "business instant", asked.Now, season.At(start))
}

func TestReportThatCannotBeMadeFails(t *testing.T) {
	t.Parallel()
	f := &fakes{WriteReport: script[activities.ReportInput, activities.ReportWritten](finalError(lifecycle.Invalid, "currency XX"))}
	x := newFixture(t, f)
	x.ExecuteWorkflow(workflows.ReportName, workflows.ReportInput{Kind: "weekly"})
	equal(t, "code", activities.ErrorCode(x.GetWorkflowError()), lifecycle.Invalid)
	equal(t, "attempts", len(inputs[activities.ReportInput](f, "WriteReport")), 1)
}
