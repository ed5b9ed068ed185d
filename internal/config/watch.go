package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Watch says when sending must stop, and who is told what is wrong. Rates are
// shares in (0,1) of the messages of a trailing window.
type Watch struct {
	ComplaintsWarn float64 `yaml:"complaints_warn"` // of delivered messages
	ComplaintsHalt float64 `yaml:"complaints_halt"`
	BouncesWarn    float64 `yaml:"bounces_warn"` // hard bounces, of messages sent
	BouncesHalt    float64 `yaml:"bounces_halt"`
	Minimum        int     `yaml:"minimum"` // messages below which no rate is judged
	// Holidays are days, as 2026-12-25, whose hours are neither judged for
	// anomalies nor learnt from.
	Holidays []string      `yaml:"holidays"`
	Webhook  string        `yaml:"webhook"` // Slack-compatible address for alerts; a secret
	Email    []string      `yaml:"email"`   // operators who get alerts
	Remind   time.Duration `yaml:"remind"`  // real time between reminders of an alert nobody acknowledged; 0 = none
	Link     string        `yaml:"link"`    // where people look, in alerts; empty: the watch in the Temporal UI
	// Probe is the base address under which a worker reaches the gateway, to see
	// whether it works; empty: gateway.public_url, "off": not at all.
	Probe string `yaml:"probe"`
}

func defaultWatch() Watch {
	return Watch{
		ComplaintsWarn: 0.0008, ComplaintsHalt: 0.0010, BouncesWarn: 0.02, BouncesHalt: 0.05, Minimum: 200,
		Remind: 4 * time.Hour,
	}
}

// ProbeOff is the value of Watch.Probe that switches probes of the gateway off.
const ProbeOff = "off"

// problems are Validate's sentences about the watch.
func (w Watch) problems(scaled bool) []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for name, rate := range map[string][2]float64{"complaints": {w.ComplaintsWarn, w.ComplaintsHalt}, "bounces": {w.BouncesWarn, w.BouncesHalt}} {
		if !(0 < rate[0] && rate[0] <= rate[1] && rate[1] < 1) {
			add("watch: %s_warn %v and %s_halt %v: give shares above 0 and below 1, the warning first, for example 0.0008 and 0.001", name, rate[0], name, rate[1])
		}
	}
	if w.Minimum < 1 {
		add("watch: minimum %d: give the number of messages below which no rate is judged, for example 200", w.Minimum)
	}
	if w.Remind < 0 {
		add("watch: remind %s: give a time, or 0 for no reminders", w.Remind)
	}
	for _, day := range w.Holidays {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			add("watch: holiday %q: write it as 2026-12-25", day)
		}
	}
	for name, address := range map[string]string{"webhook": w.Webhook, "link": w.Link, "probe": w.Probe} {
		if address == "" || name == "probe" && address == ProbeOff {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			add("watch: %s: give an absolute URL", name) // the address itself may be a secret
		} else if scaled && name == "webhook" && !loopback(u.Hostname()) {
			add("watch: webhook: a scaled clock is on, so only hosts on this machine are allowed")
		}
	}
	for _, address := range w.Email {
		if local, host, found := strings.Cut(address, "@"); !found || local == "" || host == "" || strings.ContainsAny(address, " <>\r\n") {
			add("watch: e-mail %q: give a plain address such as ops@example.com", address)
		}
	}
	return problems
}
