package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Run returns one run.
func (s *Store) Run(ctx context.Context, id lifecycle.RunID) (ledger.Run, error) {
	row, err := s.q.Run(ctx, string(id))
	if err != nil {
		return ledger.Run{}, translate(err, "read run "+string(id))
	}
	return runOf(row)
}

// RunsOf returns every run of a customer, oldest first.
func (s *Store) RunsOf(ctx context.Context, customer lifecycle.CustomerID) ([]ledger.Run, error) {
	rows, err := s.q.RunsOf(ctx, string(customer))
	return runsOf(rows, err, "read the runs of a customer")
}

// ActiveRuns returns the runs of a customer that have not ended, oldest first.
func (s *Store) ActiveRuns(ctx context.Context, customer lifecycle.CustomerID) ([]ledger.Run, error) {
	rows, err := s.q.ActiveRuns(ctx, string(customer))
	return runsOf(rows, err, "read the active runs of a customer")
}

// HeldRuns returns up to limit runs that a pause stopped, of one journey or, when
// journey is empty, of all, by id after the given one.
func (s *Store) HeldRuns(ctx context.Context, journey string, limit int, after lifecycle.RunID) ([]ledger.Run, error) {
	rows, err := s.q.HeldRuns(ctx, dbsqlc.HeldRunsParams{Journey: journey, After: orNoID(after), N: int32(limit)})
	return runsOf(rows, err, "read the held runs")
}

// RunsInJourney returns up to limit runs of a journey in these states, by id
// after the given one.
func (s *Store) RunsInJourney(ctx context.Context, journey string, statuses []ledger.RunStatus, limit int, after lifecycle.RunID) ([]ledger.Run, error) {
	rows, err := s.q.RunsInJourney(ctx, dbsqlc.RunsInJourneyParams{Journey: journey, Statuses: texts(statuses),
		After: orNoID(after), N: int32(limit)})
	return runsOf(rows, err, "read the runs of journey "+journey)
}

// DueRuns returns up to limit pending runs of a campaign that are due, oldest
// first. A run leaves the list when it is moved on.
func (s *Store) DueRuns(ctx context.Context, campaign string, now time.Time, limit int) ([]ledger.Run, error) {
	rows, err := s.q.DueRuns(ctx, dbsqlc.DueRunsParams{Campaign: campaign, Now: instant(now), N: int32(limit)})
	return runsOf(rows, err, "read the due runs of campaign "+campaign)
}

// NextDue returns when the next pending run of a campaign is due (zero = none has
// a due time) and how many runs are pending in all.
func (s *Store) NextDue(ctx context.Context, campaign string) (due time.Time, pending int, err error) {
	row, err := s.q.NextDue(ctx, campaign)
	return moment(row.Due), int(row.Pending), translate(err, "read what is due in campaign "+campaign)
}

// Detach takes pending runs out of their campaign's hands: they run on in
// workflows of their own.
func (s *Store) Detach(ctx context.Context, runs []lifecycle.RunID) error {
	return translate(s.q.DetachRuns(ctx, texts(runs)), "detach runs from their campaign")
}

// ActiveRunIDs returns the ids of ActiveRuns.
func (s *Store) ActiveRunIDs(ctx context.Context, customer lifecycle.CustomerID) ([]lifecycle.RunID, error) {
	runs, err := s.ActiveRuns(ctx, customer)
	if err != nil {
		return nil, err
	}
	ids := make([]lifecycle.RunID, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	return ids, nil
}

// MoveRuns stores the progress of runs and appends the records, together. A run
// that has ended keeps its state and only takes ConvertedAt.
func (s *Store) MoveRuns(ctx context.Context, moves []ledger.Progress, records []ledger.Record) error {
	if err := s.ensureFor(ctx, records); err != nil {
		return err
	}
	return s.pipelined(ctx, "move runs", func(q *dbsqlc.Queries, p *pipeline) error {
		if err := moveRuns(ctx, q, p, moves); err != nil {
			return err
		}
		return appendRecords(ctx, q, records)
	}, nil)
}

func moveRuns(ctx context.Context, q *dbsqlc.Queries, p *pipeline, moves []ledger.Progress) error {
	var params dbsqlc.MoveRunsParams
	seen := map[lifecycle.RunID]bool{}
	for _, m := range moves {
		if m.RunID == "" {
			continue
		}
		if seen[m.RunID] {
			return lifecycle.Errorf(lifecycle.Invalid, "run %s is moved twice in one batch", m.RunID)
		}
		seen[m.RunID] = true
		params.Ids = append(params.Ids, string(m.RunID))
		params.States = append(params.States, string(m.Status))
		params.Durables = append(params.Durables, m.Durable)
		params.Helds = append(params.Helds, m.Held)
		params.Steps = append(params.Steps, m.Step)
		params.Starts = append(params.Starts, instant(m.StepStartedAt))
		params.Dues = append(params.Dues, instant(m.DueAt))
		params.Positions = append(params.Positions, int32(m.Position))
		params.Conversions = append(params.Conversions, instant(m.ConvertedAt))
		params.Ends = append(params.Ends, instant(m.EndedAt))
		params.Reasons = append(params.Reasons, m.EndReason)
	}
	if len(params.Ids) == 0 {
		return nil
	}
	if err := q.MoveRuns(ctx, params); err != nil {
		return err
	}
	p.check(all(len(params.Ids), "runs to move"))
	return nil
}

func runsOf(rows []dbsqlc.JourneyRun, err error, what string) ([]ledger.Run, error) {
	if err != nil {
		return nil, translate(err, what)
	}
	runs := make([]ledger.Run, len(rows))
	for i, row := range rows {
		if runs[i], err = runOf(row); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func runOf(row dbsqlc.JourneyRun) (ledger.Run, error) {
	entry, err := fromObject(row.Entry)
	return ledger.Run{ID: lifecycle.RunID(row.ID), Journey: row.Journey, Version: int(row.Version),
		CustomerID: lifecycle.CustomerID(row.CustomerID), EntryKey: row.EntryKey, Campaign: row.Campaign,
		Arm: ledger.Arm(row.Arm), Status: ledger.RunStatus(row.Status), Durable: row.Durable, Held: row.Held,
		Step: row.Step, StepStartedAt: moment(row.StepStartedAt), DueAt: moment(row.DueAt), Position: int(row.Position),
		EnteredAt: row.EnteredAt.UTC(), EntryEventID: given[lifecycle.EventID](row.EntryEventID), Entry: entry,
		ConvertedAt: moment(row.ConvertedAt), EndedAt: moment(row.EndedAt), EndReason: row.EndReason}, err
}
