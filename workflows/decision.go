package workflows

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.temporal.io/sdk/converter"
)

// parseDecision reads a decision that a person sent with a signal.
func parseDecision(raw converter.RawValue) (Decision, error) {
	return parseSent(raw, func(name string) Decision { return Decision{By: name} })
}

// parseSent reads what a person sent: nothing, a bare name as a JSON string, or
// a JSON object. Anything else is an error that says what to send.
func parseSent[T any](raw converter.RawValue, named func(name string) T) (T, error) {
	var sent T
	payload := raw.Payload()
	if payload == nil || len(strings.TrimSpace(string(payload.GetData()))) == 0 {
		return sent, nil
	}
	data := payload.GetData()
	if err := readJSON(data, &sent); err == nil {
		return sent, nil
	}
	var name string
	if err := readJSON(data, &name); err == nil {
		return named(name), nil
	}
	shown := string(data)
	if len(shown) > 80 {
		shown = strings.ToValidUTF8(shown[:80], "") + "..."
	}
	var none T
	return none, fmt.Errorf("the data %q was not understood: leave it empty or send {\"by\":\"your name\"}", shown)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// readJSON reads what came with a signal. The checker cannot see that decoding
// into plain structs and strings depends on nothing but the data.
func readJSON(data []byte, into any) error {
	return json.Unmarshal(data, into) //workflowcheck:ignore
}
