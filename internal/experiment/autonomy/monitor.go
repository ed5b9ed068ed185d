package autonomy

// Monitor watches a random audit of what was approved without a person, for ever,
// and says when the promise no longer holds. It bets against the promise: each
// audited item multiplies the wealth by 1 + Bet (wrong - Risk). While at most Risk of the
// approvals are wrong, wealth reaches 1/a with probability a at most, however long it
// runs (J. Ville, 1939; I. Waudby-Smith and A. Ramdas, JRSS B 86, 2024,
// arXiv:2010.09686). The zero value is not ready: use NewMonitor.
type Monitor struct {
	Risk    float64 `json:"risk"`
	Bet     float64 `json:"bet"`    // in (0, 1/Risk)
	Alarm   float64 `json:"alarm"`  // wealth at which approval without a person ends
	Wealth  float64 `json:"wealth"` // 1 at the start
	Highest float64 `json:"highest"`
	Audited int     `json:"audited"`
	Errors  int     `json:"errors"`
}

// NewMonitor watches a risk with the usual bet of 2 and alarm at 20: a sound score
// is switched off by mistake in at most one of twenty cases, ever.
func NewMonitor(risk float64) Monitor {
	return Monitor{Risk: risk, Bet: 2, Alarm: 20, Wealth: 1, Highest: 1}
}

// See takes one audited item and returns the monitor after it.
func (m Monitor) See(wrong bool) Monitor {
	x := 0.0
	if wrong {
		x = 1
		m.Errors++
	}
	m.Audited++
	m.Wealth *= 1 + m.Bet*(x-m.Risk)
	m.Highest = max(m.Highest, m.Wealth)
	return m
}

// Tripped reports whether the promise was broken at any time so far. It stays
// tripped until a new certificate starts a new monitor.
func (m Monitor) Tripped() bool { return m.Highest >= m.Alarm }
