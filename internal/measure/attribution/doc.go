// Package attribution divides the revenue of orders among the marketing touches
// before them, by the usual models, and says what agents add from randomised
// cells.
//
// The models (first, last, linear, position, decay, markov) describe: they say
// after which touches money came in. None of them says what would have happened
// without a touch: compared with randomised experiments such models were wrong by
// more than the effect itself (Gordon, Moakler and Zettelmeyer, Marketing Science
// 42, 2023). Only Shapley, over cells in which agents are switched on and off by
// chance, speaks of cause here.
//
// Credits are in minor units and add up exactly to the revenue that is divided,
// whatever the model. Customers pass through one at a time: memory grows with the
// number of groups, never with customers, touches or orders.
//
// The package is pure; it imports lifecycle, brand, measure and gonum only.
// Level 2.
package attribution
