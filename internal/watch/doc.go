// Package watch says when the programme must not go on as it is: the circuit
// breaker's rule, compliance violations, alerts and who is told of them, service
// levels, and the gauges that show all this. It decides and describes; rows are
// the store's, messages the targets'.
//
// It may import lifecycle, clock, ledger, measure and the Prometheus client. Level 2.
package watch
