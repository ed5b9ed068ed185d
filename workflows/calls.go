package workflows

import (
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Activities are referred to through nil receivers, so that the compiler checks
// that they exist. Business steps call these typed functions and never handle
// a future.
var (
	journeys  *activities.Journeys
	campaigns *activities.Campaigns
	reviews   *activities.Reviews
	upkeep    *activities.Upkeep
	erasure   *activities.Erasure
	watch     *activities.Watch
	rollouts  *activities.Rollouts
	reports   *activities.Reports
)

func call[Out any](ctx workflow.Context, activity, in any) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(ctx, activity, in).Get(ctx, &out)
	return out, err
}

func prepare(ctx workflow.Context, in activities.Step, summary string) (activities.Next, error) {
	return call[activities.Next](shortWork(ctx, summary), journeys.Prepare, in)
}

func deliver(ctx workflow.Context, channel lifecycle.Channel, in activities.DeliverInput, summary string) (activities.Next, error) {
	return call[activities.Next](delivery(ctx, channel, summary), journeys.Deliver, in)
}

func sendPage(ctx workflow.Context, in activities.PageInput, summary string) (activities.PageResult, error) {
	return call[activities.PageResult](page(ctx, summary), journeys.SendPage, in)
}

func enrol(ctx workflow.Context, in activities.EnrolInput) (ledger.Enrolled, error) {
	return call[ledger.Enrolled](longWork(ctx, "enrol "+in.EntryKey), campaigns.Enrol, in)
}

func preflight(ctx workflow.Context, in activities.PreflightInput) (activities.PreflightResult, error) {
	return call[activities.PreflightResult](longWork(ctx, "check that all copy is approved"), campaigns.Preflight, in)
}

func setStatus(ctx workflow.Context, in activities.StatusInput) error {
	_, err := call[struct{}](shortWork(ctx, "record status "+in.Status), campaigns.SetStatus, in)
	return err
}

func brief(ctx workflow.Context, id lifecycle.ReviewID) (activities.Brief, error) {
	return call[activities.Brief](shortWork(ctx, "describe what to review"), reviews.Brief, activities.ReviewID{ID: id})
}

func decide(ctx workflow.Context, in activities.DecideInput) (activities.Decided, error) {
	return call[activities.Decided](shortWork(ctx, "record decision: "+string(in.Status)), reviews.Decide, in)
}

func edit(ctx workflow.Context, in activities.EditInput) (activities.Decided, error) {
	return call[activities.Decided](shortWork(ctx, "store edited copy"), reviews.Edit, in)
}

func escalate(ctx workflow.Context, id lifecycle.ReviewID) error {
	_, err := call[struct{}](shortWork(ctx, "record escalation"), reviews.Escalate, activities.ReviewID{ID: id})
	return err
}

func release(ctx workflow.Context, in activities.ReleaseInput) (activities.Released, error) {
	return call[activities.Released](longWork(ctx, "release what waited"), reviews.Release, in)
}

func runUpkeep(ctx workflow.Context, in activities.UpkeepInput) (activities.UpkeepResult, error) {
	return call[activities.UpkeepResult](longWork(ctx, "upkeep"), upkeep.Round, in)
}

func erase(ctx workflow.Context, in activities.EraseInput) (activities.Erased, error) {
	return call[activities.Erased](longWork(ctx, "forget the customer"), erasure.Erase, in)
}

func endRuns(ctx workflow.Context, in activities.EraseInput) (activities.RunsEnded, error) {
	return call[activities.RunsEnded](shortWork(ctx, "end running journeys"), erasure.EndRuns, in)
}

func tellProviders(ctx workflow.Context, in activities.EraseInput) (activities.Told, error) {
	return call[activities.Told](notice(ctx, "tell the providers"), erasure.TellProviders, in)
}

func forget(ctx workflow.Context, in activities.ForgetInput) (activities.Erased, error) {
	return call[activities.Erased](longWork(ctx, "empty what is personal"), erasure.Forget, in)
}

func keepWatch(ctx workflow.Context, in activities.WatchInput) (activities.WatchResult, error) {
	return call[activities.WatchResult](watching(ctx, in.For), watch.KeepWatch, in)
}

func preflightRollout(ctx workflow.Context, in activities.RolloutCheck) (activities.RolloutReady, error) {
	return call[activities.RolloutReady](longWork(ctx, "check that the programme may begin"), rollouts.PreflightRollout, in)
}

func assessRollout(ctx workflow.Context, in activities.AssessInput) (activities.Assessed, error) {
	return call[activities.Assessed](longWork(ctx, "check the stage"), rollouts.AssessRollout, in)
}

func stepRollout(ctx workflow.Context, in activities.RolloutStep) (activities.RolloutPlace, error) {
	return call[activities.RolloutPlace](longWork(ctx, in.Step+": "+in.Why), rollouts.StepRollout, in)
}

func writeReport(ctx workflow.Context, in activities.ReportInput) (activities.ReportWritten, error) {
	return call[activities.ReportWritten](longWork(ctx, "write the "+in.Kind+" report"), reports.WriteReport, in)
}
