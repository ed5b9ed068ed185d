package worker

import (
	"context"
	"errors"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"touchstone/activities"
	"touchstone/internal/brand"
	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/internal/report"
	"touchstone/workflows"
)

// reporter writes the scheduled reports.
type reporter struct {
	store  *postgres.Store
	brand  *brand.Brand
	scale  clock.Scale
	window time.Duration // attribution
}

// Write makes and keeps the report of the last whole period before now.
func (r reporter) Write(ctx context.Context, kind string, now time.Time) (activities.ReportWritten, error) {
	from, to := report.Kind(kind).Period(now)
	if r.scale.Scaled() { // the schedule asks more often than periods end
		kept, err := r.kept(ctx, kind, from)
		if err != nil {
			return activities.ReportWritten{}, err
		}
		if kept != nil {
			return activities.ReportWritten{From: from, To: to, Suggestions: len(kept.Suggestions)}, nil
		}
	}
	baselines, err := r.store.Baselines(ctx)
	if err != nil {
		return activities.ReportWritten{}, err
	}
	p, err := report.WritePeriodic(ctx, r.store, report.Kind(kind), report.PeriodicOptions{
		Catalogue: baselines.Catalogue(), MadeAt: now, Shop: r.brand,
		Options: report.Options{From: from, To: to, AttributionWindow: r.window, Brand: r.brand.Name, Currency: r.brand.Currency,
			Scale: r.scale, Simulated: r.scale.Scaled()},
	})
	if err != nil {
		return activities.ReportWritten{}, err
	}
	return activities.ReportWritten{From: from, To: to, Suggestions: len(p.Suggestions)}, nil
}

// kept returns the report that is kept for a period, nil when none is.
func (r reporter) kept(ctx context.Context, kind string, from time.Time) (*report.Periodic, error) {
	row, err := r.store.SavedReport(ctx, kind, from)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return report.ReadPeriodic(row.Body)
}

// reportHour is when reports are written, UTC: the period is over everywhere in
// the company, and Monday's meeting has not begun.
const reportHour = 6 * time.Hour

// reportSpecs say when each kind of report is written. On a scaled clock a
// calendar of real time means nothing, and schedules know whole seconds only: it
// is looked twice a period whether the report of the last one is there.
func reportSpecs(scale clock.Scale) map[report.Kind]client.ScheduleSpec {
	hour := []client.ScheduleRange{{Start: int(reportHour.Hours())}}
	if !scale.Scaled() {
		return map[report.Kind]client.ScheduleSpec{
			report.Weekly:  {Calendars: []client.ScheduleCalendarSpec{{DayOfWeek: []client.ScheduleRange{{Start: 1}}, Hour: hour, Comment: "Mondays at 06:00 UTC"}}},
			report.Monthly: {Calendars: []client.ScheduleCalendarSpec{{DayOfMonth: []client.ScheduleRange{{Start: 1}}, Hour: hour, Comment: "the 1st at 06:00 UTC"}}},
		}
	}
	half := func(days int) client.ScheduleSpec {
		every := max(scale.Real(time.Duration(days)*12*time.Hour).Truncate(time.Second), time.Second)
		return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	}
	return map[report.Kind]client.ScheduleSpec{report.Weekly: half(7), report.Monthly: half(30)}
}

// ScheduleReports makes sure that the reports' schedules exist and are as this
// worker would make them. Somebody's pause of a schedule stays.
func (s *Starter) ScheduleReports(ctx context.Context) error {
	for kind, spec := range reportSpecs(s.Scale) {
		action := &client.ScheduleWorkflowAction{
			ID: workflows.ReportID(string(kind)), Workflow: workflows.ReportName, TaskQueue: workflows.QueueEngine,
			Args: []any{workflows.ReportInput{Kind: string(kind), Clock: s.Scale}}, StaticSummary: "The " + string(kind) + " report",
		}
		_, err := s.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
			ID: workflows.ReportID(string(kind)), Spec: spec, Action: action, Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
			CatchupWindow: 7 * 24 * time.Hour, // a worker or server that was down writes the report late
		})
		if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
			handle := s.Client.ScheduleClient().GetHandle(ctx, workflows.ReportID(string(kind)))
			err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				schedule := in.Description.Schedule
				schedule.Spec, schedule.Action = &spec, action
				return &client.ScheduleUpdate{Schedule: &schedule}, nil
			}})
		}
		if err != nil {
			return engineError(err)
		}
	}
	return nil
}
