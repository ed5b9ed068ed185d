package workflows

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.temporal.io/sdk/converter"
)

// parseDecision reads what a person sent: nothing, a bare name as a JSON
// string, or a JSON object. Anything else is an error that says what to send.
func parseDecision(raw converter.RawValue) (Decision, error) {
	payload := raw.Payload()
	if payload == nil || len(strings.TrimSpace(string(payload.GetData()))) == 0 {
		return Decision{}, nil
	}
	data := payload.GetData()
	var d Decision
	if err := readJSON(data, &d); err == nil {
		return d, nil
	}
	var name string
	if err := readJSON(data, &name); err == nil {
		return Decision{By: name}, nil
	}
	shown := string(data)
	if len(shown) > 80 {
		shown = strings.ToValidUTF8(shown[:80], "") + "..."
	}
	return Decision{}, fmt.Errorf("the data %q was not understood: leave it empty or send {\"by\":\"your name\"}", shown)
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
