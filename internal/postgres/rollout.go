package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// StartRollout stores a new start of a programme, at the record's instant, and
// returns its version. Conflict
// when it runs already, or another programme's scope covers one of its journeys
// (governs; empty = all).
func (s *Store) StartRollout(ctx context.Context, programme string, source []byte, governs []string, by string, record ledger.Record) (version int, err error) {
	if err := s.ensureFor(ctx, []ledger.Record{record}); err != nil {
		return 0, err
	}
	err = s.transaction(ctx, "start rollout "+programme, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		if err := q.LockRollouts(ctx); err != nil {
			return err
		}
		rows, err := q.Rollouts(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Programme == programme && r.EndedAt == nil {
				return lifecycle.Errorf(lifecycle.Conflict, "rollout %s is %s already: see `touchstone rollout status %s`, or end it with `touchstone rollout abort %s`", programme, r.Status, programme, programme)
			}
		}
		scopes, err := q.Scopes(ctx)
		if err != nil {
			return err
		}
		for _, row := range scopes {
			if row.Programme != programme && overlap(row.Governs, governs) {
				return lifecycle.Errorf(lifecycle.Conflict, "rollout %s governs some of these journeys: end it first with `touchstone rollout abort %s` and `touchstone rollout lift %s`", row.Programme, row.Programme, row.Programme)
			}
		}
		n, err := q.InsertRollout(ctx, dbsqlc.InsertRolloutParams{Programme: programme, Source: string(source), At: instant(record.At), StartedBy: by})
		if err != nil {
			return err
		}
		version = int(n)
		return appendRecords(ctx, q, []ledger.Record{record})
	})
	return version, err
}

// overlap reports whether two lists of journeys share one; an empty list means all.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// Rollout returns one start of a programme; version 0 = the latest.
func (s *Store) Rollout(ctx context.Context, programme string, version int) (ledger.RolloutRow, error) {
	var row dbsqlc.Rollout
	var err error
	if version == 0 {
		row, err = s.q.LatestRollout(ctx, programme)
	} else {
		row, err = s.q.Rollout(ctx, dbsqlc.RolloutParams{Programme: programme, Version: int32(version)})
	}
	if err != nil {
		return ledger.RolloutRow{}, translate(err, "read rollout "+programme)
	}
	return rolloutOf(row)
}

// Rollouts returns the latest start of every programme.
func (s *Store) Rollouts(ctx context.Context) ([]ledger.RolloutRow, error) {
	rows, err := s.q.Rollouts(ctx)
	if err != nil {
		return nil, translate(err, "read the rollouts")
	}
	all := make([]ledger.RolloutRow, len(rows))
	for i, row := range rows {
		if all[i], err = rolloutOf(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func rolloutOf(row dbsqlc.Rollout) (ledger.RolloutRow, error) {
	r := ledger.RolloutRow{Programme: row.Programme, Version: int(row.Version), Source: []byte(row.Source), Status: row.Status,
		Phase: row.Phase, Stage: row.Stage, Since: moment(row.Since), Changes: int(row.Changes), Assessment: row.Assessment,
		StartedAt: row.StartedAt.UTC(), StartedBy: row.StartedBy, EndedAt: moment(row.EndedAt)}
	if err := json.Unmarshal(row.Ticks, &r.Ticks); err != nil {
		return r, lifecycle.Errorf(lifecycle.Internal, "decode the ticks of rollout %s: %w", row.Programme, err)
	}
	return r, nil
}

// ChangeRollout stores one step of a rollout: its row, the scope in force, the
// controls it sets and the decision record, together. A change whose number is
// not the next one was stored before and is left as it is.
func (s *Store) ChangeRollout(ctx context.Context, c ledger.RolloutChange) error {
	if err := s.ensureFor(ctx, []ledger.Record{c.Record}); err != nil {
		return err
	}
	ticks := c.Ticks
	if ticks == nil {
		ticks = map[string]ledger.Tick{}
	}
	encoded, err := json.Marshal(ticks)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "encode the ticks of rollout %s: %w", c.Programme, err)
	}
	defer s.scopes.forget()
	return s.transaction(ctx, "change rollout "+c.Programme, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		n, err := q.ChangeRollout(ctx, dbsqlc.ChangeRolloutParams{Status: c.Status, Phase: c.Phase, Stage: c.Stage, Since: stamp(c.Since),
			Ticks: encoded, EndedAt: stamp(c.EndedAt), Programme: c.Programme, Version: int32(c.Version), Change: int32(c.Number)})
		if err != nil || n == 0 {
			return err
		}
		if err := changeScope(ctx, q, c); err != nil {
			return err
		}
		if err := changeControls(ctx, q, c); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{c.Record})
	})
}

func changeScope(ctx context.Context, q *dbsqlc.Queries, c ledger.RolloutChange) error {
	if c.Lift {
		_, err := q.LiftScope(ctx, c.Programme)
		return err
	}
	if c.Scope == nil {
		return nil
	}
	review := ""
	if c.Scope.ReviewAll {
		review = reviewAll
	}
	return q.SetScope(ctx, dbsqlc.SetScopeParams{Programme: c.Programme, Version: int32(c.Version), Phase: c.Scope.Phase, Stage: c.Scope.Stage,
		Governs: texts(c.Scope.Governs), Journeys: texts(c.Scope.Journeys), Channels: texts(c.Scope.Channels), Agents: texts(c.Scope.Agents),
		Review: review, Share: c.Scope.Share, Cohort: c.Scope.Cohort, At: instant(c.Scope.At)})
}

// changeControls stops every journey that a programme governs, or lifts the
// stops that it set: never those of somebody else.
func changeControls(ctx context.Context, q *dbsqlc.Queries, c ledger.RolloutChange) error {
	by, at := ledger.HaltedBy(c.Programme), instant(c.Record.At)
	if c.Resume {
		return q.LiftControls(ctx, dbsqlc.LiftControlsParams{Reason: "resumed", By: by, At: at})
	}
	if c.Halt == "" {
		return nil
	}
	scope, names := ledger.ScopeJourney, c.Governs
	if len(names) == 0 {
		scope, names = ledger.ScopeGlobal, []string{""}
	}
	return q.HaltControls(ctx, dbsqlc.HaltControlsParams{Scope: string(scope), Names: names, Reason: c.Halt, By: by, At: at})
}

// LiftScope takes the scope of a programme that has ended out of force.
func (s *Store) LiftScope(ctx context.Context, programme string, record ledger.Record) error {
	if err := s.ensureFor(ctx, []ledger.Record{record}); err != nil {
		return err
	}
	defer s.scopes.forget()
	return s.transaction(ctx, "lift rollout "+programme, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		n, err := q.LiftScope(ctx, programme)
		if err != nil {
			return err
		}
		if n == 0 {
			return lifecycle.Errorf(lifecycle.NotFound, "rollout %s has no stage in force", programme)
		}
		if err := q.LiftControls(ctx, dbsqlc.LiftControlsParams{Reason: "lifted", By: ledger.HaltedBy(programme), At: instant(record.At)}); err != nil {
			return err
		}
		return appendRecords(ctx, q, []ledger.Record{record})
	})
}

// SaveAssessment keeps the latest judgement of a stage, as JSON.
func (s *Store) SaveAssessment(ctx context.Context, programme string, version int, assessment []byte) error {
	return translate(s.q.SaveAssessment(ctx, dbsqlc.SaveAssessmentParams{Assessment: assessment, Programme: programme, Version: int32(version)}),
		"save the assessment of rollout "+programme)
}

// RolloutSample counts the customers to whom a marketing touch of these journeys
// (none = all) was sent in a period, half-open.
func (s *Store) RolloutSample(ctx context.Context, journeys []string, since, until time.Time) (n int, err error) {
	err = s.snapshot(ctx, "count who was reached", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		customers, err := q.RolloutSample(ctx, dbsqlc.RolloutSampleParams{Since: instant(since), Until: instant(until), Journeys: texts(journeys)})
		n = int(customers)
		return err
	})
	return n, err
}

// RolloutTimeline returns what happened in a rollout since an instant, from the
// decision log.
func (s *Store) RolloutTimeline(ctx context.Context, programme string, since time.Time) ([]ledger.RolloutMoment, error) {
	rows, err := s.q.RolloutTimeline(ctx, dbsqlc.RolloutTimelineParams{Kinds: ledger.RolloutKinds, Programme: programme, Since: instant(since)})
	if err != nil {
		return nil, translate(err, "read the timeline of rollout "+programme)
	}
	moments := make([]ledger.RolloutMoment, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Body), &moments[i]); err != nil {
			return nil, lifecycle.Errorf(lifecycle.Internal, "decode decision %d: %w", row.Seq, err)
		}
		moments[i].At, moments[i].Kind, moments[i].Actor = row.At.UTC(), row.Kind, row.Actor
	}
	return moments, nil
}
