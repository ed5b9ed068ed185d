package watch

import (
	"fmt"
	"time"

	"gonum.org/v1/gonum/mathext"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
)

// Threshold is a rate at which people are warned and one at which sending
// stops; both in (0,1).
type Threshold struct{ Warn, Halt float64 }

// Breaker is the circuit breaker: how many complaints and hard bounces are too
// many.
//
// A rate is too high when all of this holds for one of the windows:
//   - at least Minimum messages of the window were delivered (sent, for bounces);
//   - at least Least of them were complained about (bounced);
//   - their share is at or above the threshold;
//   - if the true rate were half the threshold, that many or more would have
//     come with a probability of at most Doubt (exact binomial test).
//
// So one complaint in ten messages stops nothing, six in a thousand do, and from
// about 40,000 messages on the threshold itself decides. Doubt is that small
// because the breaker looks all the time: a programme at a third of the threshold
// is then halted by chance about once in ten years. Numerator and
// denominator are about the same messages, those that went out in the window; a
// window never reaches behind the last resumption, so that what was resumed is
// judged by what it sends from then on.
type Breaker struct {
	Complaints Threshold // of delivered messages
	Bounces    Threshold // hard ones, of messages sent
	Minimum    int
	Windows    []time.Duration // business time
}

// Least and Doubt belong to the rule of Breaker.
const (
	Least = 3
	Doubt = 1e-4
)

// DefaultBreaker stops at the plan's rates. Mailbox providers ask to stay below
// 0.10 % complaints; senders with more than 5 % hard bounces are suspended.
func DefaultBreaker() Breaker {
	return Breaker{
		Complaints: Threshold{Warn: 0.0008, Halt: 0.0010}, Bounces: Threshold{Warn: 0.02, Halt: 0.05}, Minimum: 200,
		Windows: []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour},
	}
}

// Counts are the messages of one channel that went out since an instant, and
// what became of them so far.
type Counts struct {
	Channel    lifecycle.Channel
	Since      time.Time
	Window     time.Duration // nominal length
	Sent       int
	Delivered  int
	Complained int
	Bounced    int // hard
}

// Judge returns what is wrong, at most one condition per channel and rate: the
// most severe, of the shortest window.
func (b Breaker) Judge(counts []Counts) []Condition {
	var found []Condition
	for _, rate := range []struct {
		name, title string
		threshold   Threshold
		of          func(Counts) measure.Proportion
		noun        string
	}{
		{"complaints", "spam complaint rate", b.Complaints, func(c Counts) measure.Proportion { return measure.Proportion{N: c.Delivered, Hits: c.Complained} }, "delivered"},
		{"bounces", "hard bounce rate", b.Bounces, func(c Counts) measure.Proportion { return measure.Proportion{N: c.Sent, Hits: c.Bounced} }, "sent"},
	} {
		worst := map[lifecycle.Channel]Condition{}
		for _, c := range counts {
			p := rate.of(c)
			severity, limit := Severity(""), 0.0
			switch {
			case b.exceeds(p, rate.threshold.Halt):
				severity, limit = Critical, rate.threshold.Halt
			case b.exceeds(p, rate.threshold.Warn):
				severity, limit = Warning, rate.threshold.Warn
			default:
				continue
			}
			if was, known := worst[c.Channel]; known && (was.Severity == Critical || severity == Warning) {
				continue
			}
			i := p.Wilson(measure.Level)
			worst[c.Channel] = Condition{
				Key: "breaker/" + rate.name + "/" + string(c.Channel), Kind: KindBreaker, Severity: severity,
				Title: fmt.Sprintf("%s %s %s is at or above %s", c.Channel, rate.title, percent(p.Rate()), percent(limit)),
				Detail: fmt.Sprintf("%d of %d messages %s in the last %s (95 %% interval %s to %s)",
					p.Hits, p.N, rate.noun, window(c.Window), percent(i.Low), percent(i.High)),
				Metric: rate.name, Value: &i.Estimate, Limit: &limit,
			}
		}
		for _, channel := range lifecycle.Channels {
			if c, ok := worst[channel]; ok {
				found = append(found, c)
			}
		}
	}
	return found
}

// exceeds is the rule of Breaker.
func (b Breaker) exceeds(p measure.Proportion, limit float64) bool {
	return p.N >= b.Minimum && p.Hits >= Least && p.Rate() >= limit && atLeast(p, limit/2) <= Doubt
}

// atLeast is the probability of p.Hits or more among p.N at a true rate:
// the upper tail of the binomial distribution.
func atLeast(p measure.Proportion, rate float64) float64 {
	if p.Hits <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(p.Hits), float64(p.N-p.Hits+1), rate)
}

// Since returns where a window begins: no earlier than the last resumption.
func Since(now time.Time, window time.Duration, resumed time.Time) time.Time {
	if since := now.Add(-window); since.After(resumed) {
		return since
	}
	return resumed
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", share*100) }

func window(d time.Duration) string {
	if d%(24*time.Hour) == 0 && d > 24*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	if d == time.Hour {
		return "hour"
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}
