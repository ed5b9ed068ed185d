package brand

import (
	"regexp"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

// AttributionWindow is how long after a moment of a touch an order may be
// credited to it. Zero: that moment earns no credit.
type AttributionWindow struct {
	Sent, Opened, Clicked time.Duration
}

// AttributionWindows hold a window per channel.
type AttributionWindows struct {
	Default AttributionWindow // of channels that are not named
	Channel map[lifecycle.Channel]AttributionWindow
}

// Of is the window of a channel.
func (w AttributionWindows) Of(c lifecycle.Channel) AttributionWindow {
	if own, named := w.Channel[c]; named {
		return own
	}
	return w.Default
}

// AgentTest switches agents off for some customers by chance, so that what each
// agent adds can be measured. The zero value is no test. See
// experiment.AgentTest for the draw.
type AgentTest struct {
	Name   string   // of the draw; a change of agents or share needs a new one
	Agents []string // at most 6
	Share  float64  // of customers for whom at least one of the agents is off, in (0,1)
}

func attributionWindows(n yamldoc.Node) map[lifecycle.Channel]AttributionWindow {
	f := n.Fields("windows")
	windows := map[lifecycle.Channel]AttributionWindow{}
	channels(f.Get("windows"), func(c lifecycle.Channel, v yamldoc.Node) {
		w := v.Fields("sent", "opened", "clicked")
		window := AttributionWindow{Sent: w.Get("sent").Duration(), Opened: w.Get("opened").Duration(), Clicked: w.Get("clicked").Duration()}
		if v.Present() && window == (AttributionWindow{}) {
			v.Fail("%s earns no credit at all: write for example {sent: 7d} or {opened: 3d, clicked: 7d}", c)
		}
		windows[c] = window
	})
	return windows
}

var testName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func agentTest(n yamldoc.Node) AgentTest {
	if !n.Present() {
		return AgentTest{}
	}
	f := n.Fields("name", "agents", "share")
	t := AgentTest{
		Name:   f.Get("name").Required("agents-1").Text(),
		Agents: f.Get("agents").Required("[campaign, winback]").Texts(),
		Share:  f.Get("share").Required("0.10").Float(0, 1),
	}
	if v := f.Get("name"); v.Present() && !testName.MatchString(t.Name) {
		v.Fail("name %q: use lower-case letters, digits and dashes, for example agents-1", t.Name)
	}
	if v := f.Get("agents"); v.Present() && (len(t.Agents) == 0 || len(t.Agents) > 6) {
		v.Fail("agents lists %d: a test has 1 to 6, as every combination of them needs customers", len(t.Agents))
	}
	seen := map[string]bool{}
	for _, a := range t.Agents {
		if seen[a] {
			f.Get("agents").Fail("%q is listed twice: remove one", a)
		}
		seen[a] = true
	}
	if v := f.Get("share"); v.Present() && (t.Share == 0 || t.Share == 1) {
		v.Fail("share %v: give a part of the customers, for example 0.10; remove agent_test to switch it off", t.Share)
	}
	return t
}
