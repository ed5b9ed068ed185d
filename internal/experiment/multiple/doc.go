// Package multiple keeps false discoveries rare where many things are tested:
// challengers against one control, several metrics of one experiment, and the experiments
// of a programme that never ends.
//
// Pure; imports gonum only. Level 2.
package multiple
