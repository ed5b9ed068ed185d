// Package sandbox stands in for the vendors: an HTTP server that the real SDK
// clients talk to and that enforces the vendors' documented rules. It answers
// for SendGrid (mail/send, Email Activity, signed event webhooks) and for
// OpenAI (chat completions, models), shows what it accepted on a mailbox page
// and misbehaves on demand.
//
// What belongs here: the vendors' side of the wire, in plain JSON types of its
// own, so that a mistake in a client is not mirrored. What does not: anything
// our own program decides. May import lifecycle, clock and sandbox/draw.
//
// # Time
//
// Message events, delays between events and send_at live on the business clock
// (Options.Clock), and so does the timestamp that signs a webhook. What belongs
// to the connection (X-RateLimit-Reset, Retry-After, fault delays, the rhythm
// and the retries of webhook posts) is real time.
//
// # Special recipients
//
// The local part of an address, up to a "+" or a ".", steers delivery:
// "bounce" bounces hard, "block" is blocked, "defer" is deferred once and then
// delivered, "drop" is on the vendor's suppression list.
package sandbox
