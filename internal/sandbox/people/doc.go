// Package people simulates the customers of a shop: what they do of their own
// accord and how they answer messages, from a seeded and documented model, so
// that the true effect of marketing is known and what Touchstone measures can
// be compared with it. May import lifecycle, clock, sandbox and sandbox/draw.
//
// # Organic life
//
// A person visits, fills carts, abandons some, buys and may stop buying one
// day (Person.StopsAt), at mean intervals of their own. On each day the draws
// are keyed by seed, person and day. A fifth of the abandoned carts are
// completed within 30 hours without any message. Messages never change organic
// life.
//
// # Effect of a message
//
// Person.Respond gives the probabilities of one message: opening wears out
// with the messages of the last seven days, an abandoned cart and a discount
// raise the conversion of a click, complaints and unsubscribes grow with the
// square of the messages per week. Chance.Order is the causal effect: orders
// of this kind are added to organic life and would not exist without the
// message. A discount is used only on the orders it causes; organic orders pay
// the full price. Draws are keyed by seed, person and the ordinal of the
// message among the person's messages, so outcomes do not depend on the order
// in which messages to different people arrive.
//
// Population.Truth adds up, per kind of person, the expected and the realised
// incremental orders and revenue of the messages delivered so far.
//
// # Time
//
// People act at business instants; Run posts what is due to the gateway as
// Segment events about every tenth of a real second. Events carry their exact
// business time however late they are posted.
package people
