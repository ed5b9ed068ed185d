// Package proof measures what the experiment engine promises, by simulation with
// fixed seeds and on real data where those are at hand: how often a test of equals names
// a winner, what it finds and how soon, what a bandit loses, whether intervals cover and
// whether an approval's certificate holds. Each line has its target, and the same
// seed always gives the same line.
//
// Pure: data come in as readers. May import the experiment packages and measure.
// Level 2.
package proof
