package console

import (
	"net/url"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// stopSending pauses or halts a part of the programme, or everything.
func (s *Server) stopSending(c *call) error {
	state := ledger.ControlState(c.r.PostFormValue("state"))
	if state != ledger.ControlPaused && state != ledger.ControlHalted {
		return lifecycle.Errorf(lifecycle.Invalid, "say paused or halted, not %q", shorten(20, string(state)))
	}
	return s.control(c, state)
}

// resumeSending goes on after a pause or halt.
func (s *Server) resumeSending(c *call) error { return s.control(c, ledger.ControlRunning) }

// control carries out a control of a part that exists, as the command line does.
func (s *Server) control(c *call, state ledger.ControlState) error {
	control := ledger.Control{Scope: ledger.ControlScope(c.r.PostFormValue("scope")), Name: c.r.PostFormValue("name"), State: state,
		Reason: shorten(500, c.r.PostFormValue("reason")), By: c.user.Name}
	to := "/"
	switch control.Scope {
	case ledger.ScopeGlobal:
		control.Name = ""
	case ledger.ScopeChannel:
		if _, err := lifecycle.ParseChannel(control.Name); err != nil {
			return err
		}
	case ledger.ScopeJourney:
		if _, err := s.Store.Journey(c.ctx(), control.Name, 0); err != nil {
			return err
		}
		to = "/journeys/" + url.PathEscape(control.Name)
	case ledger.ScopeCampaign:
		if _, err := s.Store.Campaign(c.ctx(), control.Name); err != nil {
			return err
		}
		to = "/campaigns/" + url.PathEscape(control.Name)
	default:
		return lifecycle.Errorf(lifecycle.Invalid, "there is nothing called %q to stop", shorten(20, string(control.Scope)))
	}
	if state != ledger.ControlRunning && control.Reason == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "say why: the reason is shown to everybody who is held")
	}
	if err := s.Acts.Control(c.ctx(), control); err != nil {
		return err
	}
	word := map[ledger.ControlState]string{ledger.ControlRunning: "resumed", ledger.ControlPaused: "paused", ledger.ControlHalted: "halted"}[state]
	return c.goTo(to + "?done=" + word)
}
