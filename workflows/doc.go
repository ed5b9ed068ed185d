// Package workflows holds the durable workflows: journey, campaign, review,
// erasure and upkeep. They hold no facts: they wait, call activities and
// branch on the small results, so that a lost or repeated signal costs time
// and never correctness.
//
// May import activities (for their types), the domain packages below it and
// the Temporal workflow API. Workflow code asks the workflow clock only, reads
// no environment, no global, no time-zone database.
package workflows
