package ingest

import (
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/lifecycle"
)

// The events about orders, named as in the Segment e-commerce specification.
const (
	OrderCompleted = "Order Completed"
	OrderUpdated   = "Order Updated"
	OrderRefunded  = "Order Refunded"
	OrderCancelled = "Order Cancelled"
)

// derive makes a UUID of version 8 (RFC 9562 section 5.8) from SHA-256 over the
// parts, each preceded by its length so that no two lists of parts collide.
func derive(parts ...string) lifecycle.EventID {
	var buffer [512]byte
	b := buffer[:0]
	for _, p := range parts {
		n := len(p)
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	var id uuid.UUID
	copy(id[:], sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return lifecycle.EventID(id.String())
}

// EventIDOf identifies an event by its source's message id.
func EventIDOf(messageID string) lifecycle.EventID { return derive("message", messageID) }

// ContentEventID identifies an event that carries no message id by what it
// says: customer, name, instant as the source gave it, and properties.
func ContentEventID(externalID, name string, at time.Time, properties []byte) lifecycle.EventID {
	return derive("content", externalID, name, at.UTC().Format(time.RFC3339Nano), string(properties))
}

// OrderEventID identifies the event of an order, whichever door the order came
// through: file or tracked event.
func OrderEventID(orderID string) lifecycle.EventID { return derive("order", orderID) }
