package ledger

import "time"

// ReportRow is a stored report of a week or month.
type ReportRow struct {
	Kind   string // weekly or monthly
	From   time.Time
	To     time.Time
	MadeAt time.Time
	Body   []byte // JSON
}
