// Package draw gives random numbers that belong to a key: the same seed and
// key always give the same numbers, whatever was drawn before and in whatever
// order. The sandbox and its simulated customers use it so that a season can
// be repeated although requests arrive in another order. Standard library only.
package draw

import "math"

// Stream is a short sequence of numbers for one key (SplitMix64).
type Stream struct{ state uint64 }

// Of starts the stream of a key under a seed.
func Of(seed uint64, key ...uint64) Stream {
	state := mix(seed ^ 0x6a09e667f3bcc909)
	for _, k := range key {
		state = mix(state ^ mix(k+0x9e3779b97f4a7c15))
	}
	return Stream{state: state}
}

// Text turns a name into a key (FNV-1a).
func Text(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 is the next number.
func (s *Stream) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	return mix(s.state)
}

// Float is uniform in [0,1).
func (s *Stream) Float() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// Bool is true with probability p.
func (s *Stream) Bool(p float64) bool { return s.Float() < p }

// Int is uniform in [0,n); n must be positive.
func (s *Stream) Int(n int) int { return int(s.Uint64() % uint64(n)) }

// Between is uniform in [low, high).
func (s *Stream) Between(low, high float64) float64 { return low + (high-low)*s.Float() }

// Exponential has the given mean.
func (s *Stream) Exponential(mean float64) float64 { return -mean * math.Log(1-s.Float()) }

// Normal is standard normal (Box-Muller).
func (s *Stream) Normal() float64 {
	r := math.Sqrt(-2 * math.Log(1-s.Float()))
	return r * math.Cos(2*math.Pi*s.Float())
}

// Gamma is gamma distributed with an integer shape and the given mean: the sum
// of shape exponentials.
func (s *Stream) Gamma(shape int, mean float64) float64 {
	sum := 0.0
	for range shape {
		sum += s.Exponential(mean / float64(shape))
	}
	return sum
}

// Pick returns one of the choices; there must be at least one.
func Pick[T any](s *Stream, choices []T) T { return choices[s.Int(len(choices))] }
