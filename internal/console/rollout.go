package console

import (
	"context"
	"net/http"
	"time"
)

// Programmes reads the rollouts of the programme.
type Programmes interface {
	Programmes(ctx context.Context) ([]Programme, error)
}

// Programme is a staged rollout as people follow it.
type Programme struct {
	Name       string
	Status     string // running, holding, waiting for a person, halted, done
	Share      float64
	StartedAt  time.Time // business time, as all of this
	StageSince time.Time
	Note       string // what it waits for, or why it was halted
	WorkflowID string
	Stages     []Stage
}

// Stage is one share of the cohort, entered when its gates hold.
type Stage struct {
	Name   string
	Phase  string
	Share  float64
	State  string // done, current, ahead
	Person bool   // a person says go or no-go at its end
	Gates  []Gate
}

// Gate is a condition on data, with the reading behind its answer.
type Gate struct {
	Condition string
	Answer    string // holds, does not hold, not enough data
	Evidence  string
}

type rolloutView struct {
	Programmes []rolloutRow
}

type rolloutRow struct {
	Programme
	Temporal string
}

func (s *Server) rolloutPage(c *call) error {
	var v rolloutView
	if s.Programmes != nil {
		all, err := s.Programmes.Programmes(c.ctx())
		if err != nil {
			return err
		}
		for _, p := range all {
			v.Programmes = append(v.Programmes, rolloutRow{p, s.temporal(p.WorkflowID)})
		}
	}
	return s.show(c, http.StatusOK, "rollout", page{Title: "Rollout", Section: "rollout", Data: v})
}
