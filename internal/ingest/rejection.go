package ingest

import "fmt"

// Rejection says why a row or message was refused. It never repeats the value,
// so that it may be logged and counted.
type Rejection struct {
	Column  string // target column; empty when the whole row is at fault
	Problem string
}

func (r *Rejection) Error() string {
	if r.Column == "" {
		return r.Problem
	}
	return r.Column + " " + r.Problem
}

func reject(column, format string, args ...any) *Rejection {
	return &Rejection{Column: column, Problem: fmt.Sprintf(format, args...)}
}
