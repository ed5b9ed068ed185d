package ledger

import "touchstone/internal/lifecycle"

// rank orders the states after the provider call; a later report never moves a
// touch to a lower rank, whatever the order in which reports arrive.
var rank = map[lifecycle.TouchState]int{
	lifecycle.TouchSending:     1,
	lifecycle.TouchUnconfirmed: 2,
	lifecycle.TouchRefused:     3,
	lifecycle.TouchAccepted:    4,
	lifecycle.TouchDelivered:   5,
	lifecycle.TouchBounced:     6,
	lifecycle.TouchComplained:  7,
}

// MayMove reports whether a touch may go from one state to another. Before the
// call it may move freely between open states, be closed, or be sent, which takes
// its place at the same instant; once sending it
// only moves up in rank, except that a provider which definitely did not take it
// for now (a rate limit) lets it be deferred. A refusal is final except that
// proof of acceptance (delivery after a lost answer) overrides it.
// The SQL function touch_may_move says the same.
func MayMove(from, to lifecycle.TouchState) bool {
	if from == to {
		return false
	}
	if from == lifecycle.TouchSending && to == lifecycle.TouchDeferred {
		return true
	}
	if f, called := rank[from]; called {
		t, known := rank[to]
		return known && t > f
	}
	switch from {
	case lifecycle.TouchReserved:
		return to == lifecycle.TouchSending || to.Open() || to == lifecycle.TouchBlocked || to == lifecycle.TouchSkipped
	case lifecycle.TouchPlanned, lifecycle.TouchInReview, lifecycle.TouchDeferred:
		_, called := rank[to]
		return !called || to == lifecycle.TouchSending
	}
	return false
}
