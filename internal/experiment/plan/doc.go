// Package plan says before a test starts how many units it needs, how long that
// takes at the traffic there is, and what to do instead when it takes too long.
//
// The floors of the measurement plan, 1,000 units per variant and 7 days, are
// floors: they keep a test from ending too soon and say nothing about how much it
// can find. Its 1,500 per variant are not used: docs/experiments.md says why.
//
// Pure; may import the experiment's statistics and gonum only. Level 2.
package plan
