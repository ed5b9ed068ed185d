package activities_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// store keeps in memory what the ports in ports.go ask for, by the rules that
// the real store follows.
type store struct {
	mu          sync.Mutex
	definitions map[string]*journey.Definition
	profiles    map[lifecycle.CustomerID]lifecycle.Profile
	suppressed  map[lifecycle.CustomerID][]ledger.Suppression
	events      map[lifecycle.CustomerID][]lifecycle.Event
	runs        map[lifecycle.RunID]*ledger.Run
	order       []lifecycle.RunID // in which runs entered
	touches     map[lifecycle.TouchID]*lifecycle.Touch
	creatives   []lifecycle.Creative
	controls    []ledger.Control
	reviews     []*lifecycle.ReviewItem
	waiters     map[lifecycle.ReviewID][]ledger.Waiter
	cells       []ledger.ResponseCell
	records     []ledger.Record
	cohorts     []ledger.Cohort
	enrolled    ledger.Enrolled
	statuses    []string
	detached    []lifecycle.RunID
	partitions  [2]time.Time
	refreshed   time.Duration
	rolled      measure.Rollup
	read        []measure.KPIQuery
	erased      []lifecycle.CustomerID
	receipts    []ledger.PrivacyRequest
	failing     map[string]error // by method, once
	dies        string           // the method at which the worker dies: from then on nothing answers
	dead        bool
	admission   ledger.Admission
}

func newStore() *store {
	return &store{
		definitions: map[string]*journey.Definition{}, profiles: map[lifecycle.CustomerID]lifecycle.Profile{},
		suppressed: map[lifecycle.CustomerID][]ledger.Suppression{}, events: map[lifecycle.CustomerID][]lifecycle.Event{},
		runs: map[lifecycle.RunID]*ledger.Run{}, touches: map[lifecycle.TouchID]*lifecycle.Touch{},
		waiters: map[lifecycle.ReviewID][]ledger.Waiter{}, failing: map[string]error{},
	}
}

// revive is the next worker's first look.
func (s *store) revive() { s.dies, s.dead = "", false }

// enter locks the store and returns the error planned for a method.
func (s *store) enter(method string) (func(), error) {
	s.mu.Lock()
	err := s.failing[method]
	delete(s.failing, method)
	if s.dead = s.dead || method == s.dies; s.dead {
		err = errCrash
	}
	return s.mu.Unlock, err
}

func (s *store) Definition(_ context.Context, name string, version int) (*journey.Definition, error) {
	unlock, err := s.enter("Definition")
	defer unlock()
	def := s.definitions[fmt.Sprintf("%s/%d", name, version)]
	if err == nil && def == nil {
		err = lifecycle.Errorf(lifecycle.NotFound, "there is no journey %s v%d", name, version)
	}
	return def, err
}

func (s *store) Situations(_ context.Context, ids []lifecycle.RunID, now time.Time) ([]ledger.Situation, error) {
	unlock, err := s.enter("Situations")
	defer unlock()
	if err != nil {
		return nil, err
	}
	var all []ledger.Situation
	for _, id := range ids {
		run := s.runs[id]
		if run == nil {
			return nil, lifecycle.Errorf(lifecycle.NotFound, "there is no run %s", id)
		}
		sit := ledger.Situation{Run: *run, Profile: s.profiles[run.CustomerID], Suppressed: s.suppressed[run.CustomerID]}
		for _, t := range s.touches {
			if t.RunID == id && t.Step == run.Step {
				touch := *t
				sit.Touch = &touch
			} else if t.CustomerID == run.CustomerID && t.State.HoldsSlot() && t.ReservedAt.After(now.Add(-35*24*time.Hour)) {
				sit.Recent = append(sit.Recent, lifecycle.TouchRecord{
					ID: t.ID, Channel: t.Channel, Class: t.Class, Tags: t.Tags, Slot: t.Slot, Content: t.Content, OfferID: t.OfferID, At: t.ReservedAt, State: t.State,
				})
			}
		}
		slices.SortFunc(sit.Recent, func(a, b lifecycle.TouchRecord) int { return a.At.Compare(b.At) })
		for _, e := range s.events[run.CustomerID] {
			if !e.At.Before(run.EnteredAt) {
				sit.Events = append(sit.Events, e)
			}
		}
		all = append(all, sit)
	}
	return all, nil
}

func (s *store) Admission(context.Context, []lifecycle.RunID, time.Time) (ledger.Admission, error) {
	unlock, err := s.enter("Admission")
	defer unlock()
	return s.admission, err
}

func (s *store) SavePlans(_ context.Context, plans []ledger.Plan, records []ledger.Record) error {
	unlock, err := s.enter("SavePlans")
	defer unlock()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, p := range plans {
		if seen[p.Touch.Key] {
			return lifecycle.Errorf(lifecycle.Invalid, "touch %s is planned twice in one batch", p.Touch.Key)
		}
		seen[p.Touch.Key] = true
		standing := s.touches[p.Touch.ID]
		gives := standing != nil && standing.State == lifecycle.TouchReserved &&
			slices.Contains([]lifecycle.TouchState{lifecycle.TouchDeferred, lifecycle.TouchBlocked, lifecycle.TouchSkipped}, p.Touch.State)
		if standing == nil || gives || slices.Contains([]lifecycle.TouchState{lifecycle.TouchPlanned, lifecycle.TouchInReview, lifecycle.TouchDeferred}, standing.State) {
			touch := p.Touch
			s.touches[touch.ID] = &touch
		}
		s.move(p.Progress)
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *store) MoveRuns(_ context.Context, progress []ledger.Progress, records []ledger.Record) error {
	unlock, err := s.enter("MoveRuns")
	defer unlock()
	if err != nil {
		return err
	}
	for _, p := range progress {
		s.move(p)
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *store) move(p ledger.Progress) {
	r := s.runs[p.RunID]
	r.Status, r.Held, r.Step, r.StepStartedAt, r.DueAt, r.Position = p.Status, p.Held, p.Step, p.StepStartedAt, p.DueAt, p.Position
	r.ConvertedAt, r.EndedAt, r.EndReason = p.ConvertedAt, p.EndedAt, p.EndReason
}

func (s *store) Reserve(_ context.Context, batch []ledger.Reservation) ([]ledger.Reserved, error) {
	unlock, err := s.enter("Reserve")
	defer unlock()
	if err != nil {
		return nil, err
	}
	var answers []ledger.Reserved
	for _, r := range batch {
		t := s.touches[r.Touch.ID]
		if t == nil {
			touch := r.Touch
			touch.State, t = lifecycle.TouchPlanned, &touch
		}
		answer := ledger.Reserved{TouchID: r.Touch.ID, State: t.State}
		full := s.full(r)
		switch {
		case t.State == lifecycle.TouchSending:
			answer.Result = ledger.InFlight
		case !t.State.Open():
			answer.Result = ledger.Closed
		case full != "":
			answer.Result, answer.Cap = ledger.CapFull, full
		default:
			answer.Result, t.State, t.ReservedAt = ledger.Granted, lifecycle.TouchSending, r.At
			t.Attempts++
			s.touches[t.ID] = t
			s.records = append(s.records, r.Records...)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// full names the first cap without a free slot.
func (s *store) full(r ledger.Reservation) string {
	for _, w := range r.Caps {
		used := 0
		for _, t := range s.touches {
			if t.ID != r.Touch.ID && t.CustomerID == r.Touch.CustomerID && t.State.HoldsSlot() && t.ReservedAt.After(w.Since) &&
				(w.Channel == "" || w.Channel == t.Channel) && (w.Tag == "" || slices.Contains(t.Tags, w.Tag)) {
				used++
			}
		}
		if used >= w.Limit {
			return w.Cap
		}
	}
	return ""
}

func (s *store) Settle(ctx context.Context, batch []ledger.Settlement, moves []ledger.Progress, records []ledger.Record) error {
	unlock, err := s.enter("Settle")
	defer unlock()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	for _, x := range batch {
		if t := s.touches[x.TouchID]; ledger.MayMove(t.State, x.State) {
			t.State, t.Reason, t.NotBefore, t.ProviderID, t.Cost = x.State, x.Reason, x.NotBefore, x.ProviderID, x.Cost
		}
	}
	for _, m := range moves {
		s.move(m)
	}
	s.records = append(s.records, records...)
	return nil
}

func (s *store) ExpireSending(context.Context, time.Time, time.Time) ([]lifecycle.TouchID, error) {
	unlock, err := s.enter("ExpireSending")
	defer unlock()
	var expired []lifecycle.TouchID
	for _, t := range s.touches {
		if err == nil && t.State == lifecycle.TouchSending {
			t.State = lifecycle.TouchUnconfirmed
			expired = append(expired, t.ID)
		}
	}
	return expired, err
}

func (s *store) Controls(context.Context) ([]ledger.Control, error) {
	unlock, err := s.enter("Controls")
	defer unlock()
	return slices.Clone(s.controls), err
}

func (s *store) Evidence(context.Context) ([]ledger.ResponseCell, error) {
	unlock, err := s.enter("Evidence")
	defer unlock()
	return s.cells, err
}

func (s *store) RefreshEvidence(_ context.Context, _ time.Time, window time.Duration) error {
	unlock, err := s.enter("RefreshEvidence")
	defer unlock()
	s.refreshed = window
	return err
}

func (s *store) RollUp(_ context.Context, in measure.Rollup) (measure.RolledUp, error) {
	unlock, err := s.enter("RollUp")
	defer unlock()
	s.rolled = in
	return measure.RolledUp{Hours: 3}, err
}

func (s *store) KPIs(_ context.Context, in measure.KPIQuery) ([]measure.Reading, error) {
	unlock, err := s.enter("KPIs")
	defer unlock()
	s.read = append(s.read, in)
	return nil, err
}

func (s *store) EnsurePartitions(_ context.Context, since, until time.Time) error {
	unlock, err := s.enter("EnsurePartitions")
	defer unlock()
	s.partitions = [2]time.Time{since, until}
	return err
}

func (s *store) DueRuns(_ context.Context, campaign string, now time.Time, limit int) ([]ledger.Run, error) {
	unlock, err := s.enter("DueRuns")
	defer unlock()
	var due []ledger.Run
	for _, id := range s.order {
		r := s.runs[id]
		if r.Campaign == campaign && r.Status == ledger.RunPending && !r.DueAt.IsZero() && !r.DueAt.After(now) && len(due) < limit {
			due = append(due, *r)
		}
	}
	return due, err
}

func (s *store) NextDue(_ context.Context, campaign string) (next time.Time, pending int, err error) {
	unlock, err := s.enter("NextDue")
	defer unlock()
	for _, r := range s.runs {
		if r.Campaign != campaign || r.Status != ledger.RunPending {
			continue
		}
		pending++
		if !r.DueAt.IsZero() && (next.IsZero() || r.DueAt.Before(next)) {
			next = r.DueAt
		}
	}
	return next, pending, err
}

func (s *store) Detach(_ context.Context, ids []lifecycle.RunID) error {
	unlock, err := s.enter("Detach")
	defer unlock()
	for _, id := range ids {
		s.runs[id].Status, s.runs[id].Durable = ledger.RunRunning, true
	}
	s.detached = append(s.detached, ids...)
	return err
}

func (s *store) Enrol(_ context.Context, c ledger.Cohort) (ledger.Enrolled, error) {
	unlock, err := s.enter("Enrol")
	defer unlock()
	s.cohorts = append(s.cohorts, c)
	return s.enrolled, err
}

func (s *store) AppendDecisions(_ context.Context, records []ledger.Record) error {
	unlock, err := s.enter("AppendDecisions")
	defer unlock()
	s.records = append(s.records, records...)
	return err
}

func (s *store) SetCampaignStatus(_ context.Context, name, status string, _ time.Time) error {
	unlock, err := s.enter("SetCampaignStatus")
	defer unlock()
	s.statuses = append(s.statuses, name+" "+status)
	return err
}

func (s *store) ActiveRunIDs(_ context.Context, customer lifecycle.CustomerID) ([]lifecycle.RunID, error) {
	unlock, err := s.enter("ActiveRunIDs")
	defer unlock()
	var active []lifecycle.RunID
	for _, id := range slices.Sorted(maps.Keys(s.runs)) {
		if r := s.runs[id]; r.CustomerID == customer && r.Status != ledger.RunEnded {
			active = append(active, id)
		}
	}
	return active, err
}

func (s *store) EraseCustomer(_ context.Context, customer lifecycle.CustomerID, at time.Time) (ledger.Erased, error) {
	unlock, err := s.enter("EraseCustomer")
	defer unlock()
	p := s.profiles[customer]
	p.Customer = lifecycle.Customer{ID: customer, ErasedAt: at}
	s.profiles[customer] = p
	s.erased = append(s.erased, customer)
	return ledger.Erased{Runs: 1, Events: 2}, err
}

func (s *store) CountRunning(_ context.Context, customer lifecycle.CustomerID) (n int, err error) {
	unlock, err := s.enter("CountRunning")
	defer unlock()
	for _, r := range s.runs {
		if r.CustomerID == customer && r.Status == ledger.RunRunning {
			n++
		}
	}
	return n, err
}

func (s *store) Profile(_ context.Context, customer lifecycle.CustomerID) (lifecycle.Profile, error) {
	unlock, err := s.enter("Profile")
	defer unlock()
	return s.profiles[customer], err
}

func (s *store) FinishPrivacy(_ context.Context, r ledger.PrivacyRequest) error {
	unlock, err := s.enter("FinishPrivacy")
	defer unlock()
	s.receipts = append(s.receipts, r)
	return err
}

// step returns the touch of a run's step, nil if there is none.
func (s *store) step(run lifecycle.RunID, step string) *lifecycle.Touch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.touches {
		if t.RunID == run && t.Step == step {
			touch := *t
			return &touch
		}
	}
	return nil
}
