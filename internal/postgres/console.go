package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// RunCounts counts the runs of a journey or campaign.
type RunCounts struct {
	Name      string `json:"name"`
	Entered   int    `json:"entered"`  // everybody who ever did
	Pending   int    `json:"pending"`  // worked through in pages
	Running   int    `json:"running"`  // in a workflow of their own
	Ended     int    `json:"ended"`    // treated and over
	Held      int    `json:"held"`     // stopped before a touch by a pause
	HeldOut   int    `json:"held_out"` // received nothing, so that lift can be measured
	Converted int    `json:"converted"`
}

// JourneyCounts counts the runs of every journey that anybody entered.
func (s *Store) JourneyCounts(ctx context.Context) ([]RunCounts, error) {
	var counts []RunCounts
	err := s.snapshot(ctx, "count the runs of journeys", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.JourneyCounts(ctx)
		for _, r := range rows {
			counts = append(counts, RunCounts{r.Journey, int(r.Entered), int(r.Pending), int(r.Running), int(r.Ended), int(r.Held), int(r.HeldOut), int(r.Converted)})
		}
		return err
	})
	return counts, err
}

// CampaignCounts counts the runs of every campaign that anybody entered.
func (s *Store) CampaignCounts(ctx context.Context) ([]RunCounts, error) {
	var counts []RunCounts
	err := s.snapshot(ctx, "count the runs of campaigns", func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.CampaignCounts(ctx)
		for _, r := range rows {
			counts = append(counts, RunCounts{r.Campaign, int(r.Entered), int(r.Pending), int(r.Running), int(r.Ended), int(r.Held), int(r.HeldOut), int(r.Converted)})
		}
		return err
	})
	return counts, err
}

// FunnelRow counts the runs of a journey that stand, or ended, at one place.
type FunnelRow struct {
	Version   int              `json:"version"`
	Arm       ledger.Arm       `json:"arm"`
	Status    ledger.RunStatus `json:"status"`
	Step      string           `json:"step,omitempty"`
	EndReason string           `json:"end_reason,omitempty"`
	Runs      int              `json:"runs"`
	Converted int              `json:"converted"`
}

// Funnel counts a journey's runs by version, arm, status, step and end reason.
func (s *Store) Funnel(ctx context.Context, journey string) ([]FunnelRow, error) {
	var funnel []FunnelRow
	err := s.snapshot(ctx, "count the runs of journey "+journey, func(q *dbsqlc.Queries, _ pgx.Tx) error {
		rows, err := q.Funnel(ctx, journey)
		for _, r := range rows {
			funnel = append(funnel, FunnelRow{int(r.Version), ledger.Arm(r.Arm), ledger.RunStatus(r.Status), r.Step, r.EndReason, int(r.Runs), int(r.Converted)})
		}
		return err
	})
	return funnel, err
}

// JourneyVersions returns every version of a journey, latest first.
func (s *Store) JourneyVersions(ctx context.Context, name string) ([]ledger.JourneyRow, error) {
	rows, err := s.q.JourneyVersions(ctx, name)
	versions := make([]ledger.JourneyRow, len(rows))
	for i, row := range rows {
		versions[i] = journeyOf(row)
	}
	return versions, translate(err, "read the versions of journey "+name)
}

// FindReview returns the review whose id is, or ends with, ref.
func (s *Store) FindReview(ctx context.Context, ref string) (lifecycle.ReviewItem, error) {
	ids, err := s.q.ReviewsEnding(ctx, ref)
	switch {
	case err != nil:
		return lifecycle.ReviewItem{}, translate(err, "find a review")
	case len(ids) == 0 || ref == "":
		return lifecycle.ReviewItem{}, lifecycle.Errorf(lifecycle.NotFound, "no review has an id that ends with %q: see `touchstone review list --all`", ref)
	case len(ids) > 1 && ids[0] != ref:
		return lifecycle.ReviewItem{}, lifecycle.Errorf(lifecycle.Conflict, "several reviews have an id that ends with %q: give more of it", ref)
	}
	return s.Review(ctx, lifecycle.ReviewID(ids[0]))
}

// LogEntry is one entry of the decision log.
type LogEntry struct {
	Seq int64
	ledger.Record
}

// Decisions returns what the decision log holds about a customer, in order.
func (s *Store) Decisions(ctx context.Context, customer lifecycle.CustomerID) ([]LogEntry, error) {
	id := string(customer)
	rows, err := s.q.DecisionsOf(ctx, id)
	return logEntries(rows), translate(err, "read the decisions about a customer")
}

// DecisionsOfTouch returns what the decision log holds about a touch, in order.
func (s *Store) DecisionsOfTouch(ctx context.Context, t lifecycle.Touch) ([]LogEntry, error) {
	rows, err := s.q.DecisionsOfTouch(ctx, dbsqlc.DecisionsOfTouchParams{CustomerID: string(t.CustomerID), TouchID: string(t.ID)})
	return logEntries(rows), translate(err, "read the decisions about a touch")
}

func logEntries(rows []dbsqlc.DecisionLog) []LogEntry {
	entries := make([]LogEntry, len(rows))
	for i, r := range rows {
		entries[i] = LogEntry{r.Seq, ledger.Record{At: r.At.UTC(), Kind: r.Kind, Actor: r.Actor, CustomerID: given[lifecycle.CustomerID](r.CustomerID),
			RunID: given[lifecycle.RunID](r.RunID), TouchID: given[lifecycle.TouchID](r.TouchID), Subject: r.Subject, Body: []byte(r.Body)}}
	}
	return entries
}

// Passages says which runs of a customer its touches and reviews belong to.
func (s *Store) Passages(ctx context.Context, customer lifecycle.CustomerID) (touches map[lifecycle.TouchID]lifecycle.RunID, reviews map[lifecycle.ReviewID][]lifecycle.RunID, err error) {
	sent, err := s.q.RunOfTouches(ctx, string(customer))
	if err != nil {
		return nil, nil, translate(err, "read a customer's touches")
	}
	reviewed, err := s.q.RunOfReviews(ctx, string(customer))
	if err != nil {
		return nil, nil, translate(err, "read a customer's reviews")
	}
	touches, reviews = map[lifecycle.TouchID]lifecycle.RunID{}, map[lifecycle.ReviewID][]lifecycle.RunID{}
	for _, t := range sent {
		touches[lifecycle.TouchID(t.ID)] = lifecycle.RunID(t.RunID)
	}
	for _, r := range reviewed {
		id := lifecycle.ReviewID(r.ReviewID)
		reviews[id] = append(reviews[id], lifecycle.RunID(r.RunID))
	}
	return touches, reviews, nil
}

// TouchHistory returns the states of a touch in order, and the provider's
// reports about it.
func (s *Store) TouchHistory(ctx context.Context, id lifecycle.TouchID) (states, reports []ledger.Moment, err error) {
	history, err := s.q.HistoryOf(ctx, []string{string(id)})
	if err != nil {
		return nil, nil, translate(err, "read the history of a touch")
	}
	for _, h := range history {
		states = append(states, ledger.Moment{At: h.At.UTC(), Kind: "touch", Title: h.State, Detail: h.Reason})
	}
	responses, err := s.q.ResponsesToTouch(ctx, string(id))
	if err != nil {
		return nil, nil, translate(err, "read the provider's reports about a touch")
	}
	for _, r := range responses {
		title := r.Kind
		if r.Machine {
			title += " by a machine"
		}
		reports = append(reports, ledger.Moment{At: r.At.UTC(), Kind: "outcome", Title: title, Detail: r.Detail})
	}
	return states, reports, nil
}

// EntryEvents counts the events of a name in a period and the customers behind
// them, and returns up to limit of those customers.
func (s *Store) EntryEvents(ctx context.Context, name string, since, until time.Time, limit int) (events, customers int, sample []lifecycle.CustomerID, err error) {
	row, err := s.q.EntryEvents(ctx, dbsqlc.EntryEventsParams{Name: name, Since: instant(since), Until: instant(until)})
	if err != nil {
		return 0, 0, nil, translate(err, "count entry events")
	}
	ids, err := s.q.EntryEventSample(ctx, dbsqlc.EntryEventSampleParams{Name: name, Since: instant(since), Until: instant(until), N: int32(limit)})
	return int(row.Events), int(row.Customers), typed[lifecycle.CustomerID](ids), translate(err, "sample entry events")
}
