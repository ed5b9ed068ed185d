// Package rollout holds rollout programmes: phases and stages in which ever more
// customers are reached, the gates between them, the guardrail metrics that step
// a programme back or halt it, and the checklists that people tick. It parses a
// programme file and judges a stage by readings; it starts and stores nothing.
//
// Pure; may import segment, measure, ledger, experiment, yamldoc, clock and
// lifecycle. Level 2.
package rollout
