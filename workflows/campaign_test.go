package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/activities"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

var campaignInput = workflows.CampaignInput{
	Name: "spring", Journey: "winback", Version: 3, Segment: `stage == "lapsed"`, Ramp: 0.1, Holdout: 0.1, By: "jane", Start: start,
}

// shop is a cohort that the campaign's activities work on.
type shop struct {
	*fakes
	waiting  int       // creatives in review
	treated  int       // enrolled by the next scan
	pending  int       // runs still to send
	next     time.Time // when they are due; zero = nobody knows
	held     bool      // a control holds the pages
	perPage  int       // runs taken by a page; 0 = the limit
	statuses []string
	onPage   func(n int) // called before the n-th page is worked on
	pages    int
}

func newShop(treated int) *shop {
	s := &shop{fakes: &fakes{}, treated: treated}
	s.Preflight = func(activities.PreflightInput) (activities.PreflightResult, error) {
		return activities.PreflightResult{Approved: 4 - s.waiting, Waiting: s.waiting}, nil
	}
	s.SetStatus = func(in activities.StatusInput) error {
		s.statuses = append(s.statuses, in.Status)
		return nil
	}
	s.Enrol = func(in activities.EnrolInput) (ledger.Enrolled, error) {
		n := s.treated
		s.pending, s.next, s.treated = s.pending+n, in.Now, 0
		return ledger.Enrolled{Treated: n, Holdout: n / 10}, nil
	}
	s.SendPage = func(in activities.PageInput) (activities.PageResult, error) {
		s.pages++
		if s.onPage != nil {
			s.onPage(s.pages)
		}
		if s.held {
			return activities.PageResult{Held: 1, Pending: s.pending, NextDue: s.next}, nil
		}
		n := min(s.pending, in.Limit)
		if s.perPage > 0 {
			n = min(n, s.perPage)
		}
		s.pending -= n
		if s.pending == 0 {
			s.next = time.Time{}
		}
		return activities.PageResult{Seen: n, Sent: n, Pending: s.pending, NextDue: s.next}, nil
	}
	return s
}

func (s *shop) run(t *testing.T, in workflows.CampaignInput, prepare func(*fixture)) *fixture {
	t.Helper()
	x := newFixture(t, s.fakes)
	if prepare != nil {
		prepare(x)
	}
	x.ExecuteWorkflow(workflows.CampaignName, in)
	return x
}

func TestCampaignPagesUntilDone(t *testing.T) {
	t.Parallel()
	s := newShop(1200)
	x := s.run(t, campaignInput, nil)
	state := end[workflows.CampaignState](x)
	equal(t, "sent", state.Sent, 1200)
	equal(t, "pages", state.Pages, 3)
	equal(t, "held out", state.Enrolled.Holdout, 120)
	equalNames(t, "activities", s.names("SetStatus"), "Preflight", "Enrol", "SendPage", "SendPage", "SendPage")
	equalNames(t, "statuses", s.statuses, "preflight", "running", "done")
	equal(t, "timers", x.timers, 0)
	enrolled := inputs[activities.EnrolInput](s.fakes, "Enrol")[0]
	equal(t, "ramp", enrolled.Ramp, 0.1)
	equal(t, "entry key", enrolled.EntryKey, "spring")
	if size := x.payloads.largest.Load(); size >= 2000 {
		t.Errorf("the largest payload has %d bytes, want less than 2 KB", size)
	}
}

func TestCampaignWaitsForReviews(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	s.waiting = 2
	x := s.run(t, campaignInput, func(x *fixture) {
		x.at(20*time.Second, func() {
			x.wantDetails("preflight", "2 creatives wait for a reviewer")
			equal(t, "status", query[workflows.CampaignState](x, workflows.QueryProgress).Status, workflows.StatusPreflight)
			s.waiting = 1
			x.SignalWorkflow(workflows.SignalReviewed, activities.Woken{Reason: "copy approved"})
		})
		x.at(30*time.Second, func() { s.waiting = 0 }) // this signal is lost: the campaign looks for itself
	})
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 10)
	looked := inputs[activities.PreflightInput](s.fakes, "Preflight")
	equal(t, "looks", len(looked), 3)
	equal(t, "second look", looked[1].Now, start.Add(20*time.Second))
	equal(t, "third look", looked[2].Now, start.Add(80*time.Second))
}

func TestCampaignWaitsInPreflightForWeeks(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	s.waiting = 2
	x := s.run(t, campaignInput, func(x *fixture) { x.at(day, func() { x.SetCurrentHistoryLength(1000) }) })
	next := continued[workflows.CampaignInput](x)
	equal(t, "ready", next.State.Ready, false)
	equal(t, "status", next.State.Status, workflows.StatusPreflight)
}

func TestCampaignPausesAndResumes(t *testing.T) {
	t.Parallel()
	for signal, status := range map[string]string{workflows.SignalPause: workflows.StatusPaused, workflows.SignalHalt: workflows.StatusHalted} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			s := newShop(1200)
			x := newFixture(t, s.fakes)
			s.onPage = func(n int) {
				if n == 2 {
					x.SignalWorkflow(signal, activities.Woken{Reason: "complaints"})
				}
			}
			x.at(2*day, func() {
				equal(t, "pages while stopped", s.pages, 2)
				equal(t, "stopped", query[workflows.CampaignState](x, workflows.QueryProgress).Status, status)
				x.wantDetails(status, "complaints")
			})
			x.signalAt(3*day, workflows.SignalResume, nil)
			x.ExecuteWorkflow(workflows.CampaignName, campaignInput)
			equal(t, "sent", end[workflows.CampaignState](x).Sent, 1200)
			equalNames(t, "statuses", s.statuses, "preflight", "running", status, "running", "done")
			equal(t, "third page", inputs[activities.PageInput](s.fakes, "SendPage")[2].Now, start.Add(3*day))
		})
	}
}

// The engine hands signals of different names over in no order of their own.
func TestCampaignObeysTheLastControlSignal(t *testing.T) {
	t.Parallel()
	cases := []struct {
		sent []string
		want string
	}{
		{[]string{workflows.SignalPause, workflows.SignalResume}, ""},
		{[]string{workflows.SignalResume, workflows.SignalPause}, workflows.StatusPaused},
		{[]string{workflows.SignalHalt, workflows.SignalResume, workflows.SignalPause}, workflows.StatusPaused},
		{[]string{workflows.SignalResume, workflows.SignalHalt}, workflows.StatusHalted},
		{[]string{workflows.SignalHalt, workflows.SignalPause, workflows.SignalResume}, ""},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.sent, " "), func(t *testing.T) {
			t.Parallel()
			s := newShop(600)
			x := newFixture(t, s.fakes)
			s.onPage = func(n int) {
				if n == 1 { // all arrive while the page is worked on, one after the other
					for _, signal := range c.sent {
						x.SignalWorkflow(signal, nil)
					}
				}
			}
			x.at(day, x.CancelWorkflow)
			x.ExecuteWorkflow(workflows.CampaignName, campaignInput)
			if c.want == "" {
				equal(t, "sent", end[workflows.CampaignState](x).Sent, 600)
				return
			}
			equal(t, "last status", s.statuses[len(s.statuses)-1], c.want)
			equal(t, "pages", s.pages, 1)
		})
	}
}

func TestStrictestControlWinsWithinOneTask(t *testing.T) {
	t.Parallel()
	s := newShop(600)
	x := newFixture(t, s.fakes)
	s.onPage = func(n int) {
		if n == 1 {
			for _, signal := range []string{workflows.SignalHalt, workflows.SignalPause, workflows.SignalResume} {
				x.SignalWorkflowSkippingWorkflowTask(signal, nil)
			}
		}
	}
	x.at(day, x.CancelWorkflow)
	x.ExecuteWorkflow(workflows.CampaignName, campaignInput)
	equal(t, "last status", s.statuses[len(s.statuses)-1], workflows.StatusHalted)
}

func TestCampaignHeldByAControlGoesOnWithItsResume(t *testing.T) {
	t.Parallel()
	s := newShop(600)
	s.onPage = func(n int) { s.held = n == 1 }
	x := s.run(t, campaignInput, func(x *fixture) {
		x.at(10*time.Second, func() { x.wantDetails("paused", "held by a control") })
		x.signalAt(20*time.Second, workflows.SignalResume, nil)
	})
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 600)
	equalNames(t, "statuses", s.statuses, "preflight", "running", "paused", "running", "done")
	equal(t, "second page", inputs[activities.PageInput](s.fakes, "SendPage")[1].Now, start.Add(20*time.Second))
}

func TestCampaignHeldByAControlGoesOnWithoutASignal(t *testing.T) {
	t.Parallel()
	s := newShop(600)
	s.onPage = func(n int) { s.held = n <= 3 }
	x := s.run(t, campaignInput, nil)
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 600)
	equalNames(t, "statuses", s.statuses, "preflight", "running", "paused", "running", "done")
	equal(t, "fourth page", inputs[activities.PageInput](s.fakes, "SendPage")[3].Now, start.Add(3*time.Minute))
}

func TestCampaignRampOnlyGrows(t *testing.T) {
	t.Parallel()
	s := newShop(100)
	s.perPage = 50
	in := campaignInput
	in.PerMinute = 50 // one page a minute
	x := newFixture(t, s.fakes)
	refused := map[string]workflows.RampInput{
		"by is required": {Ramp: 0.5},
		"above":          {Ramp: 0.1, By: "jane"},
		"at most 1":      {Ramp: 1.5, By: "jane"},
		"present":        {Ramp: 0, By: "jane"},
	}
	answers := map[string]*answer[workflows.CampaignState]{}
	for why, ramp := range refused {
		answers[why] = updateAt[workflows.CampaignState](x, 10*time.Second, workflows.UpdateRamp, ramp)
	}
	x.at(20*time.Second, func() { s.treated = 100 })
	grown := updateAt[workflows.CampaignState](x, 30*time.Second, workflows.UpdateRamp, workflows.RampInput{Ramp: 0.2, By: "jane"})
	x.ExecuteWorkflow(workflows.CampaignName, in)
	state := end[workflows.CampaignState](x)
	for why, a := range answers {
		if a.accepted || a.rejected == nil || !strings.Contains(a.rejected.Error(), why) {
			t.Errorf("want a refusal with %q, got %+v", why, a)
		}
	}
	equal(t, "accepted", grown.accepted && grown.done && grown.err == nil, true)
	equal(t, "sent", state.Sent, 200)
	scans := inputs[activities.EnrolInput](s.fakes, "Enrol")
	equal(t, "scans", len(scans), 2)
	equal(t, "second ramp", scans[1].Ramp, 0.2)
}

// A ramp that grows while a scan or the last status runs must not be forgotten.
func TestCampaignNoticesARampThatGrowsMeanwhile(t *testing.T) {
	t.Parallel()
	for _, during := range []string{"Enrol", "done"} {
		t.Run(during, func(t *testing.T) {
			t.Parallel()
			s := newShop(100)
			x := newFixture(t, s.fakes)
			grow := func() {
				s.treated = 100
				x.UpdateWorkflow(workflows.UpdateRamp, "", &answer[workflows.CampaignState]{}, workflows.RampInput{Ramp: 0.9, By: "jane"})
			}
			grown, enrol, status := false, s.Enrol, s.SetStatus
			s.Enrol = func(in activities.EnrolInput) (ledger.Enrolled, error) {
				enrolled, err := enrol(in)
				if during == "Enrol" && !grown {
					grown = true
					grow()
				}
				return enrolled, err
			}
			s.SetStatus = func(in activities.StatusInput) error {
				if during == "done" && in.Status == workflows.StatusDone && !grown {
					grown = true
					grow()
				}
				return status(in)
			}
			x.ExecuteWorkflow(workflows.CampaignName, campaignInput)
			equal(t, "sent", end[workflows.CampaignState](x).Sent, 200)
			equal(t, "last ramp", inputs[activities.EnrolInput](s.fakes, "Enrol")[1].Ramp, 0.9)
		})
	}
}

func TestStandingCampaignScansDaily(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	in := campaignInput
	in.Every = day
	x := s.run(t, in, func(x *fixture) {
		x.at(30*time.Hour, func() { s.treated = 5 })
		x.at(4*day-time.Hour, x.CancelWorkflow)
	})
	if x.GetWorkflowError() == nil {
		t.Error("a standing campaign ended by itself")
	}
	var scans []string
	for _, e := range inputs[activities.EnrolInput](s.fakes, "Enrol") {
		scans = append(scans, e.EntryKey)
		equal(t, "instant of scan "+e.EntryKey, e.Now.Format("2006-01-02T15"), e.EntryKey)
	}
	equalNames(t, "scans", scans, "2026-03-02T09", "2026-03-03T09", "2026-03-04T09", "2026-03-05T09")
	equal(t, "pages", s.pages, 2)
}

func TestCampaignKeepsItsRate(t *testing.T) {
	t.Parallel()
	s := newShop(250)
	in := campaignInput
	in.PerMinute = 100
	x := s.run(t, in, nil)
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 250)
	var at []string
	for _, p := range inputs[activities.PageInput](s.fakes, "SendPage") {
		equal(t, "limit", p.Limit, 100)
		at = append(at, p.Now.Sub(start).String())
	}
	equalNames(t, "pages", at, "0s", "1m0s", "2m0s")
}

func TestCampaignWaitsForTheNextDueTouch(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	page := s.SendPage
	s.SendPage = func(in activities.PageInput) (activities.PageResult, error) {
		if in.Now.Before(start.Add(11 * time.Hour)) {
			s.pages++
			return activities.PageResult{Pending: s.pending, NextDue: start.Add(11 * time.Hour)}, nil
		}
		return page(in)
	}
	x := s.run(t, campaignInput, nil)
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 10)
	equal(t, "pages", s.pages, 2)
	equal(t, "timers", x.timers, 1)
}

func TestCampaignAsksThePageAfterADecision(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	page := s.SendPage
	s.onPage = nil
	s.SendPage = func(in activities.PageInput) (activities.PageResult, error) {
		if in.Now.Before(start.Add(time.Hour)) {
			s.pages++
			return activities.PageResult{Pending: s.pending}, nil // all wait for a person
		}
		return page(in)
	}
	x := s.run(t, campaignInput, func(x *fixture) { x.signalAt(time.Hour, workflows.SignalReviewed, nil) })
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 10)
	equal(t, "pages", s.pages, 2)
}

func TestCampaignContinuesAsNewPausedAndLosesNoControl(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		during []string // signals that arrive while the last page runs
		held   bool     // the page is held by a control
		want   string   // Stopped in the next run
	}{
		{"running", nil, false, ""},
		{"paused", []string{workflows.SignalPause}, false, workflows.StatusPaused},
		{"halted", []string{workflows.SignalHalt}, false, workflows.StatusHalted},
		{"held", nil, true, workflows.StatusPaused},
		{"held and resumed", []string{workflows.SignalResume}, true, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(1200)
			x := newFixture(t, s.fakes)
			s.onPage = func(n int) {
				if n == 2 {
					x.SetCurrentHistoryLength(1000)
					s.held = c.held
					for _, signal := range c.during {
						x.SignalWorkflowSkippingWorkflowTask(signal, nil)
					}
				}
			}
			x.ExecuteWorkflow(workflows.CampaignName, campaignInput)
			next := continued[workflows.CampaignInput](x)
			equal(t, "stopped", next.State.Stopped, c.want)
			equal(t, "enrolled", next.State.Enrolled.Treated, 1200)

			s.onPage, s.held = nil, false
			y := newFixture(t, s.fakes)
			y.at(time.Hour, func() {
				equal(t, "status of the second run", query[workflows.CampaignState](y, workflows.QueryProgress).Status, c.want)
			})
			y.signalAt(2*time.Hour, workflows.SignalResume, nil)
			if c.held {
				y = newFixture(t, s.fakes) // the control is gone: no signal is needed
			}
			y.ExecuteWorkflow(workflows.CampaignName, next)
			equal(t, "sent", end[workflows.CampaignState](y).Sent, 1200)
			equal(t, "scans", len(inputs[activities.EnrolInput](s.fakes, "Enrol")), 1)
			equal(t, "last status", s.statuses[len(s.statuses)-1], workflows.StatusDone)
		})
	}
}

func TestCampaignHaltsWhenSomethingIsBroken(t *testing.T) {
	t.Parallel()
	broken := finalError(lifecycle.Invalid, "campaign spring: segment: unknown field")
	for _, failing := range []string{"Preflight", "Enrol", "SendPage", "SetStatus"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			s := newShop(10)
			mended := false
			s.Preflight = failUntil(&mended, failing == "Preflight", broken, s.Preflight)
			s.Enrol = failUntil(&mended, failing == "Enrol", broken, s.Enrol)
			s.SendPage = failUntil(&mended, failing == "SendPage", broken, s.SendPage)
			status := s.SetStatus
			s.SetStatus = func(in activities.StatusInput) error {
				if failing == "SetStatus" && !mended {
					return broken
				}
				return status(in)
			}
			x := s.run(t, campaignInput, func(x *fixture) {
				x.at(time.Hour, func() {
					x.wantDetails("halted", "unknown field")
					mended = true
					x.SignalWorkflow(workflows.SignalResume, nil)
				})
			})
			equal(t, "sent", end[workflows.CampaignState](x).Sent, 10)
			equal(t, "halted", slices.Contains(s.statuses, workflows.StatusHalted), failing != "SetStatus")
		})
	}
}

// failUntil wraps a fake that fails for good until it is mended.
func failUntil[In, Out any](mended *bool, failing bool, err error, do func(In) (Out, error)) func(In) (Out, error) {
	return func(in In) (Out, error) {
		if failing && !*mended {
			var none Out
			return none, err
		}
		return do(in)
	}
}

func TestCampaignOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	s := newShop(10)
	attempts, enrol := 0, s.Enrol
	s.Enrol = func(in activities.EnrolInput) (ledger.Enrolled, error) {
		if attempts++; attempts < 9 {
			return ledger.Enrolled{}, errors.New("connection refused")
		}
		return enrol(in)
	}
	x := s.run(t, campaignInput, nil)
	equal(t, "sent", end[workflows.CampaignState](x).Sent, 10)
}

// On a scaled clock the business goes on while people decide.
func TestScaledCampaignMovesOnWhilePaused(t *testing.T) {
	t.Parallel()
	s := newShop(1200)
	in := campaignInput
	in.Clock, in.Start = season, season.At(start)
	x := newFixture(t, s.fakes)
	s.onPage = func(n int) {
		if n == 1 {
			x.SignalWorkflow(workflows.SignalPause, nil)
		}
	}
	x.signalAt(20*time.Second, workflows.SignalResume, nil)
	x.ExecuteWorkflow(workflows.CampaignName, in)
	end[workflows.CampaignState](x)
	pages := inputs[activities.PageInput](s.fakes, "SendPage")
	equal(t, "ten days later", near(pages[1].Now, pages[0].Now.Add(10*day)), true)
}
