package config

import (
	"fmt"
	"time"
)

// Intake bounds what the tracking doors take and what they keep of refused
// messages. Zero values mean the defaults of the gateway.
type Intake struct {
	InFlightMB int     `yaml:"in_flight_mb"` // request bodies held at once, in MB
	Requests   int     `yaml:"requests"`     // requests at once
	PerSecond  float64 `yaml:"per_second"`   // messages a second for each name of a write key; 0 = no limit
	Burst      int     `yaml:"burst"`        // messages beyond that at once; at least a whole batch
	// Rejected is how many refused messages are kept, for at most RejectedFor; 0
	// keeps none.
	Rejected    int           `yaml:"rejected"`
	RejectedFor time.Duration `yaml:"rejected_for"`
}

func defaultIntake() Intake {
	return Intake{InFlightMB: 32, Requests: 2048, Rejected: 20_000, RejectedFor: 30 * 24 * time.Hour}
}

// problems reports what makes the intake impossible.
func (i Intake) problems() (problems []string) {
	if i.InFlightMB < 1 || i.Requests < 1 {
		problems = append(problems, "intake: in_flight_mb and requests must be at least 1, or nothing is taken")
	}
	if i.PerSecond < 0 || i.Burst < 0 {
		problems = append(problems, fmt.Sprintf("intake.per_second %v, burst %d: give 0 for no limit, or a number above", i.PerSecond, i.Burst))
	}
	if i.Rejected < 0 || i.Rejected > 0 && i.RejectedFor < time.Hour {
		problems = append(problems, "intake: rejected must be 0 or more, and rejected_for at least 1h")
	}
	return problems
}
