package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/clock"
	"touchstone/internal/ledger"
)

// Campaign statuses, as stored and as shown.
const (
	StatusPreflight = "preflight"
	StatusRunning   = "running"
	StatusPaused    = "paused"
	StatusHalted    = "halted"
	StatusDone      = "done"
)

// Campaign signals, update and query.
const (
	SignalPause    = "pause"
	SignalResume   = "resume"
	SignalHalt     = "halt"
	SignalReviewed = activities.SignalReviewDecided
	UpdateRamp     = "set_ramp"
	QueryProgress  = "progress"
)

// CampaignInput starts, or continues as new, a campaign: a cohort sent through
// one journey. A standing campaign scans its segment again and again: that is
// how journeys with a segment entry run.
type CampaignInput struct {
	Name      string        `json:"name"`
	Journey   string        `json:"journey"`
	Version   int           `json:"version"`
	Segment   string        `json:"segment"`
	Ramp      float64       `json:"ramp"`    // share of the cohort, in (0,1]
	Holdout   float64       `json:"holdout"` // of the journey, in [0,1)
	PerMinute int           `json:"per_minute,omitempty"`
	Every     time.Duration `json:"every,omitempty"` // standing: business time between scans
	By        string        `json:"by"`
	Clock     clock.Scale   `json:"clock,omitzero"`
	Start     time.Time     `json:"start,omitzero"`

	State CampaignState `json:"state,omitzero"` // carried over continue-as-new
}

// CampaignState is a campaign's progress; it answers the query "progress" and
// is carried over continue-as-new.
type CampaignState struct {
	Status   string          `json:"status,omitempty"`  // as recorded
	Stopped  string          `json:"stopped,omitempty"` // paused or halted, "" while it may go on
	Held     bool            `json:"held,omitempty"`    // paused by a control row, which may go without a signal
	Ready    bool            `json:"ready,omitempty"`   // all copy is approved
	Enrolled ledger.Enrolled `json:"enrolled,omitzero"`
	Scans    int             `json:"scans,omitempty"`
	NextScan time.Time       `json:"next_scan,omitzero"`
	Enlarged bool            `json:"enlarged,omitempty"` // the ramp grew since the last scan
	Pages    int             `json:"pages,omitempty"`
	Seen     int             `json:"seen,omitempty"`
	Sent     int             `json:"sent,omitempty"`
	Durable  int             `json:"durable,omitempty"`
	Pending  int             `json:"pending,omitempty"`
	NextDue  time.Time       `json:"next_due,omitzero"`
	Waiting  int             `json:"waiting,omitempty"` // creatives in review
	Missing  []string        `json:"missing,omitempty"`
	Note     string          `json:"note,omitempty"`
}

// RampInput is the payload of the update "set_ramp".
type RampInput struct {
	Ramp float64 `json:"ramp"` // new share of the cohort, in (0,1]; it can only grow
	By   string  `json:"by"`
}

// Campaign sends a cohort through a journey: it waits until all copy is
// approved, enrols the cohort, and works through it in pages.
func Campaign(ctx workflow.Context, in CampaignInput) (CampaignState, error) {
	c, err := newCampaign(ctx, in)
	if err != nil {
		return CampaignState{}, err
	}
	return c.run(ctx)
}

type campaign struct {
	in      CampaignInput
	state   CampaignState
	clock   *businessClock
	control controls
	reviews wakes
	updated bool // an update asks for another look
}

func newCampaign(ctx workflow.Context, in CampaignInput) (*campaign, error) {
	c := &campaign{in: in, state: in.State, clock: newBusinessClock(ctx, in.Clock, in.Start)}
	c.control.listen(ctx, SignalResume, "Go on where the campaign stopped.")
	c.control.listen(ctx, SignalPause, "Stop after the current page; everybody keeps their place.")
	c.control.listen(ctx, SignalHalt, "Stop because something is wrong; only resume goes on.")
	c.control.start(ctx)
	c.reviews.listen(ctx, map[string]string{SignalReviewed: "Copy was decided on; look again whether the campaign may go on."})
	if err := workflow.SetQueryHandlerWithOptions(ctx, QueryProgress, func() (CampaignState, error) { return c.state, nil },
		workflow.QueryHandlerOptions{Description: "How far the campaign has come."}); err != nil {
		return nil, err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateRamp, func(ctx workflow.Context, r RampInput) (CampaignState, error) {
		c.in.Ramp, c.state.Enlarged, c.updated = r.Ramp, true, true
		return c.state, nil
	}, workflow.UpdateHandlerOptions{
		Description: "Enlarge the share of the cohort, for example {\"ramp\":0.2,\"by\":\"your name\"}.",
		Validator: func(ctx workflow.Context, r RampInput) error {
			switch {
			case r.By == "":
				return fmt.Errorf("by is required: say who enlarges the campaign")
			case r.Ramp <= c.in.Ramp || r.Ramp > 1:
				return fmt.Errorf("ramp %v: give a share above the present %v and at most 1", r.Ramp, c.in.Ramp)
			}
			return nil
		},
	})
	return c, err
}

func (c *campaign) run(ctx workflow.Context) (CampaignState, error) {
	for {
		err := c.hold(ctx)
		if err == nil {
			var done bool
			if done, err = c.step(ctx); done {
				return c.state, err
			}
		}
		if broken(err) {
			c.state.Stopped, c.state.Note = StatusHalted, problem(ctx, err)
			err = nil
		}
		if err != nil {
			return c.state, err
		}
		if info := workflow.GetInfo(ctx); info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= 1000 {
			return c.state, c.again(ctx)
		}
	}
}

// step does the next thing there is to do; done says that the campaign is over.
func (c *campaign) step(ctx workflow.Context) (done bool, err error) {
	now := c.clock.now(ctx)
	switch {
	case !c.state.Ready:
		return false, c.preflight(ctx)
	case c.state.Scans == 0 || c.state.Enlarged || c.scanDue(now):
		return false, c.scan(ctx)
	case c.state.Pending > 0 && !c.state.NextDue.IsZero() && !c.state.NextDue.After(now):
		return false, c.page(ctx, now)
	case c.in.Every == 0 && c.state.Pending == 0:
		return c.finish(ctx)
	}
	return false, c.rest(ctx)
}

// preflight checks that every slot of the journey has approved copy, and waits
// for a decision when it has not.
func (c *campaign) preflight(ctx workflow.Context) error {
	c.reviews.drain()
	result, err := preflight(ctx, activities.PreflightInput{
		Journey: c.in.Journey, Version: c.in.Version, Campaign: c.in.Name, By: c.in.By, Now: c.clock.now(ctx),
	})
	if err != nil {
		return err
	}
	c.state.Waiting, c.state.Missing, c.state.Ready = result.Waiting, result.Missing, result.Ready()
	if c.state.Ready {
		return nil
	}
	c.show(ctx)
	_, err = c.clock.wait(ctx, missedSignal, "reviews", func() bool { return c.reviews.any() || c.control.any() })
	return err
}

// missedSignal is how long a campaign waits for a signal before it looks for
// itself: what a lost signal costs at most.
const missedSignal = time.Minute

// hold handles pause, halt and resume; it returns when the campaign may go on.
func (c *campaign) hold(ctx workflow.Context) error {
	for {
		c.control.apply(&c.state)
		if err := c.status(ctx, c.phase()); err != nil {
			return err
		}
		switch {
		case c.control.any():
			continue
		case c.state.Stopped == "":
			return nil
		case c.state.Held:
			// The page activity knows whether the control still stands.
			if woken, err := c.clock.wait(ctx, missedSignal, "look whether the pause is over", c.control.any); err != nil || !woken {
				return err
			}
		default:
			if _, err := c.clock.wait(ctx, 0, "", c.control.any); err != nil {
				return err
			}
		}
	}
}

// apply lets waiting signals pause, halt or resume the campaign.
func (c *controls) apply(s *CampaignState) {
	last, words := c.drain()
	if last == "" {
		return
	}
	s.Stopped, s.Held, s.Note = map[string]string{SignalPause: StatusPaused, SignalHalt: StatusHalted}[last], false, words
}

// phase is the status that the campaign should have.
func (c *campaign) phase() string {
	switch {
	case c.state.Stopped != "":
		return c.state.Stopped
	case !c.state.Ready:
		return StatusPreflight
	}
	return StatusRunning
}

func (c *campaign) scanDue(now time.Time) bool {
	return c.in.Every > 0 && !c.state.NextScan.After(now)
}

// scan enrols whoever is in the segment now.
//
// A scan takes the cohort as it stands, so it asks the business clock itself
// and not the step's: a campaign that fell behind catches up at once.
func (c *campaign) scan(ctx workflow.Context) error {
	now := c.clock.sync(ctx)
	key := c.in.Name
	if c.in.Every > 0 {
		key = now.UTC().Format("2006-01-02T15")
	}
	c.state.Enlarged = false // an update during the scan asks for another one
	enrolled, err := enrol(ctx, activities.EnrolInput{
		Campaign: c.in.Name, Journey: c.in.Journey, Version: c.in.Version, Segment: c.in.Segment, EntryKey: key,
		Ramp: c.in.Ramp, Holdout: c.in.Holdout, Now: now,
	})
	if err != nil {
		c.state.Enlarged = true
		return err
	}
	c.state.Scans++
	c.state.Enrolled.Treated += enrolled.Treated
	c.state.Enrolled.Holdout += enrolled.Holdout
	c.state.Enrolled.GlobalHoldout += enrolled.GlobalHoldout
	if enrolled.Treated > 0 {
		c.state.Pending += enrolled.Treated
		c.state.NextDue = now
	}
	if c.in.Every > 0 {
		c.state.NextScan = now.Add(c.in.Every)
	}
	return nil
}

// pageLimit is how many customers one page activity takes.
const pageLimit = 500

// page sends to the next customers who are due, at most at the campaign's rate.
func (c *campaign) page(ctx workflow.Context, now time.Time) error {
	limit := pageLimit
	if c.in.PerMinute > 0 {
		limit = min(limit, c.in.PerMinute)
	}
	result, err := sendPage(ctx, activities.PageInput{Campaign: c.in.Name, Now: now, Limit: limit, Pending: c.state.Pending}, fmt.Sprintf("page %d", c.state.Pages+1))
	if err != nil {
		return err
	}
	c.state.Pages++
	c.state.Seen += result.Seen
	c.state.Sent += result.Sent
	c.state.Durable += result.Durable
	c.state.Pending, c.state.NextDue = result.Pending, result.NextDue
	if result.Held > 0 {
		// A part of the programme is paused: the ledger's control row stopped
		// the page.
		c.state.Stopped, c.state.Held, c.state.Note = StatusPaused, true, "held by a control: see `touchstone status`"
		return nil
	}
	if c.state.Held {
		c.state.Stopped, c.state.Held, c.state.Note = "", false, ""
	}
	c.show(ctx)
	if c.in.PerMinute > 0 && result.Sent > 0 {
		rate := time.Duration(float64(time.Minute) * float64(result.Sent) / float64(c.in.PerMinute))
		if _, err := c.clock.wait(ctx, rate, "send rate", c.control.any); err != nil {
			return err
		}
	}
	return nil
}

// rest waits for the next scan, the next due run, a decision or a control.
func (c *campaign) rest(ctx workflow.Context) error {
	if c.state.Pending == 0 {
		c.state.NextDue = time.Time{}
	}
	until := c.clock.now(ctx).Add(recheck)
	for _, t := range []time.Time{c.state.NextDue, c.state.NextScan} {
		if !t.IsZero() && t.Before(until) {
			until = t
		}
	}
	c.updated = false
	c.show(ctx)
	woken, err := c.clock.sleep(ctx, until, "next page or scan", func() bool { return c.control.any() || c.reviews.any() || c.updated })
	if err != nil {
		return err
	}
	if decided := c.reviews.drain(); c.state.Pending > 0 && (decided || !woken && c.state.NextDue.IsZero()) {
		// A decision may have made runs due: the page activity knows.
		c.state.NextDue = c.clock.now(ctx)
	}
	return nil
}

// finish records that the campaign is done, unless its ramp grew meanwhile.
func (c *campaign) finish(ctx workflow.Context) (done bool, err error) {
	if err := c.status(ctx, StatusDone); err != nil {
		return false, err
	}
	err = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	return err != nil || !c.state.Enlarged, err
}

func (c *campaign) status(ctx workflow.Context, status string) error {
	if c.state.Status == status {
		return nil
	}
	c.state.Status = status
	c.show(ctx)
	return setStatus(ctx, activities.StatusInput{Campaign: c.in.Name, Status: status, Now: c.clock.now(ctx)})
}

// again continues as new with nothing lost: control signals are drained into
// the state first.
func (c *campaign) again(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	c.control.apply(&c.state)
	if c.reviews.drain() {
		c.state.NextDue = c.clock.now(ctx)
	}
	next := c.in
	next.State, next.Start = c.state, c.clock.now(ctx)
	return workflow.NewContinueAsNewError(ctx, Campaign, next)
}

// show tells the Temporal UI how far the campaign is.
func (c *campaign) show(ctx workflow.Context) {
	s := c.state
	text := fmt.Sprintf("**%s** · journey `%s` v%d · ramp %.0f %%\n\n| enrolled | held out | worked through | sent | own workflow | to come |\n|---|---|---|---|---|---|\n| %d | %d | %d | %d | %d | %d |\n",
		s.Status, c.in.Journey, c.in.Version, c.in.Ramp*100,
		s.Enrolled.Treated, s.Enrolled.Holdout+s.Enrolled.GlobalHoldout, s.Seen, s.Sent, s.Durable, s.Pending)
	if s.Waiting > 0 {
		text += fmt.Sprintf("\n%d creatives wait for a reviewer.\n", s.Waiting)
	}
	for _, slot := range s.Missing {
		text += fmt.Sprintf("\nNo usable copy for %s: `touchstone journey apply` writes it and puts it into review.\n", slot)
	}
	if s.Note != "" {
		text += "\n" + s.Note + "\n"
	}
	workflow.SetCurrentDetails(ctx, text)
}
