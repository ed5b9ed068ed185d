package measure

import "time"

// Row is one stored row behind a reading, by its id only.
type Row struct {
	Table string    `json:"table"`
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	// Hit says that the row is in the numerator; every row is in the denominator.
	Hit    bool   `json:"hit"`
	Detail string `json:"detail,omitempty"`
}
