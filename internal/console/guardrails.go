package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"touchstone/guardrails"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// examplesShown is how many entries stand as examples under a rule.
const examplesShown = 5

// objections is a rule with what it objected to, most serious outcome first.
type objections struct {
	Rule     string
	Doc      string
	Outcomes []outcome
}

// outcome is what one rule did in one way.
type outcome struct {
	postgres.Objection
	Examples []example
}

// example is one objection.
type example struct {
	At       time.Time
	Customer lifecycle.CustomerID
	Subject  string
	Finding  lifecycle.Finding
}

type guardrailsView struct {
	Period  period
	Periods []period
	Result  result[[]objections]
	Quiet   []guardrails.Rule // rules that never objected
}

func (s *Server) guardrailsPage(c *call) error {
	p, err := periodOf(c)
	if err != nil {
		return err
	}
	v := guardrailsView{Period: p, Periods: periods, Result: s.blocks.of(p.Length).get(first)}
	spoke := map[string]bool{}
	for _, rule := range v.Result.Value {
		spoke[rule.Rule] = true
	}
	for _, rule := range guardrails.Rules() {
		if !spoke[rule.Name] {
			v.Quiet = append(v.Quiet, rule)
		}
	}
	return s.show(c, http.StatusOK, "guardrails", page{Title: "Guardrails", Section: "guardrails", Data: v})
}

// objections counts a span's objections by rule and reads examples of each.
func (s *Server) objections(ctx context.Context, length time.Duration) ([]objections, error) {
	to := s.Clock.Now()
	counted, err := s.Store.Objections(ctx, to.Add(-length), to, examplesShown)
	if err != nil {
		return nil, err
	}
	docs := map[string]string{}
	for _, rule := range guardrails.Rules() {
		docs[rule.Name] = rule.Doc
	}
	var found []objections
	at := map[string]int{}
	for _, one := range counted {
		i, known := at[one.Rule]
		if !known {
			i, at[one.Rule] = len(found), len(found)
			found = append(found, objections{Rule: one.Rule, Doc: docs[one.Rule]})
		}
		examples, err := s.examples(ctx, one)
		if err != nil {
			return nil, err
		}
		found[i].Outcomes = append(found[i].Outcomes, outcome{one, examples})
	}
	return found, nil
}

func (s *Server) examples(ctx context.Context, o postgres.Objection) ([]example, error) {
	entries, err := s.Store.LogEntries(ctx, o.Latest)
	if err != nil {
		return nil, err
	}
	var found []example
	for _, entry := range entries {
		var body struct {
			Verdict lifecycle.Verdict `json:"verdict"`
		}
		if err := json.Unmarshal(entry.Body, &body); err != nil {
			return nil, lifecycle.Errorf(lifecycle.Internal, "entry %d of the decision log cannot be read: %w", entry.Seq, err)
		}
		for _, f := range body.Verdict.Findings {
			if f.Rule == o.Rule && f.Outcome == o.Outcome {
				found = append(found, example{entry.At, entry.CustomerID, entry.Subject, f})
				break
			}
		}
	}
	return found, nil
}
