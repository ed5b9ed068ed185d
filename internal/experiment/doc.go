// Package experiment draws arms and judges them. An experiment file is parsed into a
// Definition; units are assigned by stable hash, exposures are counted when the
// arms first really differ, and Judge turns sums per arm and day into a decision with
// its reasons and numbers.
//
// The statistics are in packages below this one: estimate (effects), sequential
// (decisions while data come in), multiple (many tests), plan (sample and time), bandit
// (allocation), autonomy (approval without a person). proof measures what they
// promise.
//
// Pure: nothing is read, stored or drawn by chance; the same input gives the same
// answer. May import segment, measure, yamldoc, clock and lifecycle. Level 2.
package experiment
