// Package gateway is everything that reaches Touchstone over HTTP: provider
// webhooks, the unsubscribe link, the tracking API, health and metrics; and the
// Router that takes stored events from the outbox to the journeys.
//
// Level 5: imports lifecycle, clock, ledger, link, ingest, channel/sendgrid and
// the row types of postgres. What it calls comes in through Config.
package gateway
