package watch

import "time"

// SettingState is the setting under which State is stored.
const SettingState = "watch"

// State is how far the watch has looked.
type State struct {
	CheckedAt time.Time `json:"checked_at"` // real time of the last complete check
	Inspected time.Time `json:"inspected"`  // business time up to which touches were inspected
	Horizon   int64     `json:"horizon"`    // of the last inspection, see Inspection
	Judged    time.Time `json:"judged"`     // business time up to which hours were judged for anomalies
	Verified  time.Time `json:"verified"`   // business time of the last proof of the ledger
}
