package activities

import (
	"context"
	"time"
)

// ReportWriter makes and keeps the report of the last whole period before now.
type ReportWriter interface {
	Write(ctx context.Context, kind string, now time.Time) (ReportWritten, error)
}

// Reports writes the reviews of weeks and months.
type Reports struct {
	Writer ReportWriter
}

// ReportInput names a report; Now is a business instant.
type ReportInput struct {
	Kind string    `json:"kind"` // weekly or monthly
	Now  time.Time `json:"now"`
}

// ReportWritten says which report was written.
type ReportWritten struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Suggestions int       `json:"suggestions"`
}

// WriteReport makes the report and keeps it. Repeating it replaces it.
func (r *Reports) WriteReport(ctx context.Context, in ReportInput) (ReportWritten, error) {
	defer alive(ctx)()
	written, err := r.Writer.Write(ctx, in.Kind, in.Now)
	return written, fail(err)
}
