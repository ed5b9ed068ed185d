package story

import (
	"strings"
	"time"

	"touchstone/internal/lifecycle"
)

// Digest leaves out of what happened on a run what the reader is told anyway:
// the entry and end that the heading names, the state of a touch that its
// decision names, the provider's report that only repeats a state, and it
// joins the steps of one sending. JSON keeps all of it.
func Digest(moments []Moment) []Moment {
	names := map[string]string{} // of touches, by id
	decided := map[string]bool{} // touch, instant and state that a decision tells
	reported := map[string]bool{}
	for _, m := range moments {
		switch {
		case m.Decision != nil && m.Decision.TouchID != "":
			decided[told(string(m.Decision.TouchID), m.At, strings.TrimPrefix(m.Decision.Kind, "touch."))] = true
		case m.Kind == "touch":
			names[m.Ref], _ = split(m.Title)
		case m.Kind == "outcome":
			reported[told(m.Ref, m.At, m.Title)] = true
		}
	}
	var kept []Moment
	for _, m := range moments {
		switch m.Kind {
		case "run":
			if strings.HasPrefix(m.Title, "entered ") || strings.HasPrefix(m.Title, "left ") {
				continue
			}
		case "decision":
			if m.Decision != nil && m.Decision.Kind == "run.ended" {
				continue
			}
		case "outcome":
			if m.Title == "processed" {
				continue
			}
			m.Title = strings.TrimSpace(names[m.Ref] + " " + m.Title)
		case "touch":
			name, state := split(m.Title)
			if decided[told(m.Ref, m.At, state)] || reported[told(m.Ref, m.At, state)] {
				continue
			}
			if last := len(kept) - 1; last >= 0 && kept[last].Ref == m.Ref && kept[last].Kind == "touch" && m.At.Sub(kept[last].At) < time.Minute &&
				strings.HasPrefix(kept[last].Title, name) && kept[last].Detail == "" {
				kept[last].Title += ", " + state
				kept[last].Detail = m.Detail
				continue
			}
		}
		kept = append(kept, m)
	}
	return kept
}

// Orders leaves out the event that an order at the same instant stands for.
func Orders(moments []Moment) []Moment {
	at := map[time.Time]bool{}
	for _, m := range moments {
		if m.Kind == "order" {
			at[m.At] = true
		}
	}
	var kept []Moment
	for _, m := range moments {
		if m.Kind == "event" && (m.Title == "Order Completed" || m.Title == "Order Refunded") && at[m.At] {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

func told(ref string, at time.Time, what string) string {
	return ref + " " + at.Format(time.RFC3339Nano) + " " + what
}

// split takes the state off the title of a touch's moment.
func split(title string) (name, state string) {
	for _, s := range lifecycle.TouchStates {
		if before, found := strings.CutSuffix(title, " "+string(s)); found {
			return before, string(s)
		}
	}
	return title, ""
}
