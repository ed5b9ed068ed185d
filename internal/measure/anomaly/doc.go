// Package anomaly says in which hours a metric left its usual course, and how
// sure that is. An hour is compared with the same hour of the week in the four
// weeks before, on a log scale and against the spread of the last 28 days, and
// counts must be improbable by an exact test too, so that a few events more or
// less never page anybody.
//
// It is pure: series in, judged hours out. The band of two standard deviations
// in every judged hour is for drawing; only alarms are for waking people.
package anomaly
