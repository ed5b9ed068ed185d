// Package autonomy certifies that a score may approve on its own: that what it
// approves is right often enough, with a stated confidence, and that an alarm goes off
// when it no longer is. A threshold is not chosen because it looked good on past
// data but because a test of that threshold passed.
//
// Pure; imports gonum only. Level 2.
package autonomy
