package ledger

import (
	"encoding/json"
	"time"

	"touchstone/internal/lifecycle"
)

// PrivacyKind says what a privacy request asks for.
type PrivacyKind string

// Kinds of privacy requests.
const (
	PrivacyExport PrivacyKind = "export" // everything held about a customer (GDPR Art. 15 and 20)
	PrivacyErase  PrivacyKind = "erase"  // GDPR Art. 17
)

// PrivacyRequest is a request to export or erase what is held about a customer,
// with its receipt. It holds ids only, and what the person wrote who entered it.
type PrivacyRequest struct {
	ID          string               `json:"id"`
	Kind        PrivacyKind          `json:"kind"`
	CustomerID  lifecycle.CustomerID `json:"customer"`
	Reason      string               `json:"reason,omitempty"`
	By          string               `json:"by"`
	RequestedAt time.Time            `json:"requested_at"`     // business time
	RecordedAt  time.Time            `json:"recorded_at"`      // real time
	DoneAt      time.Time            `json:"done_at,omitzero"` // business time
	Receipt     json.RawMessage      `json:"receipt,omitempty"`
}

// Erased counts the rows from which an erasure took something.
type Erased struct {
	Runs       int64 `json:"runs"`
	Events     int64 `json:"events"`
	Orders     int64 `json:"orders"`
	Reports    int64 `json:"provider_reports"`
	Belongings int64 `json:"belongings"` // devices and the like
}
