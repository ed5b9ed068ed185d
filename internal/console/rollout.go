package console

import (
	"encoding/json"
	"net/http"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/rollout"
	"touchstone/workflows"
)

// rolloutRow is a programme as people follow it.
type rolloutRow struct {
	ledger.RolloutRow
	Title    string
	Note     string // what it waits for, or how it came to stand
	Temporal string
	Stages   []stageRow
	Timeline []ledger.RolloutMoment // latest first
}

// stageRow is one stage; the present one with what it was last judged by.
type stageRow struct {
	Name       string
	Phase      string
	Reach      float64 // share of all customers
	State      string  // done, current, ahead
	Person     bool    // a person says go or no-go at its end
	Assessment *rollout.Assessment
}

// timelineLength is how many of a programme's latest moments its page shows.
const timelineLength = 12

func (s *Server) rolloutPage(c *call) error {
	rows, err := s.Store.Rollouts(c.ctx())
	if err != nil {
		return err
	}
	var view struct{ Programmes []rolloutRow }
	for _, row := range rows {
		r, err := s.rolloutRow(c, row)
		if err != nil {
			return err
		}
		view.Programmes = append(view.Programmes, r)
	}
	return s.show(c, http.StatusOK, "rollout", page{Title: "Rollout", Section: "rollout", Data: view})
}

func (s *Server) rolloutRow(c *call, row ledger.RolloutRow) (rolloutRow, error) {
	r := rolloutRow{RolloutRow: row, Temporal: s.temporal(workflows.RolloutID(row.Programme))}
	p, err := rollout.Parse(row.Programme, row.Source)
	if err != nil {
		return r, err
	}
	r.Title = p.Title
	var last *rollout.Assessment
	if len(row.Assessment) > 0 {
		last = &rollout.Assessment{}
		if err := json.Unmarshal(row.Assessment, last); err != nil {
			return r, lifecycle.Errorf(lifecycle.Internal, "read the assessment of rollout %s: %w", row.Programme, err)
		}
		r.Note = last.Why
	}
	state := "done"
	for i, stage := range p.Stages {
		phase := p.PhaseOf(i)
		view := stageRow{Name: stage.Name, Phase: phase.Title, Reach: stage.Reach, State: state, Person: p.NeedsPerson(i)}
		if stage.Name == row.Stage && phase.Name == row.Phase {
			view.State, state = "current", "ahead"
			if last != nil && last.Stage == stage.Name && last.Phase == phase.Name {
				view.Assessment = last
			}
		}
		r.Stages = append(r.Stages, view)
	}
	moments, err := s.Store.RolloutTimeline(c.ctx(), row.Programme, time.Time{})
	if err != nil {
		return r, err
	}
	for i := len(moments) - 1; i >= 0 && len(r.Timeline) < timelineLength; i-- {
		r.Timeline = append(r.Timeline, moments[i])
	}
	return r, nil
}
