package copywriter_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

func desk(model copywriter.Writer, check copywriter.Check) (*copywriter.Desk, *bytes.Buffer) {
	var log bytes.Buffer
	return copywriter.NewDesk(model, copywriter.NewTemplates(clock), check, slog.New(slog.NewTextHandler(&log, nil))), &log
}

func sources(cs []lifecycle.Creative) (out string) {
	for _, c := range cs {
		out += c.Variant + ":" + string(c.Source) + " "
	}
	return strings.TrimSpace(out)
}

// dislikes objects to copy that contains word.
func dislikes(word string) copywriter.Check {
	return func(c lifecycle.Creative) []lifecycle.Finding {
		if strings.Contains(c.Parts.Subject+c.Parts.Text, word) {
			return []lifecycle.Finding{{Rule: "tone", Outcome: lifecycle.Block, Reason: "contains " + word}}
		}
		return []lifecycle.Finding{{Rule: "spam-score", Outcome: lifecycle.Review, Reason: "a person should look"}}
	}
}

func TestDesk(t *testing.T) {
	t.Parallel()
	good := &fakeModel{answer: always(answerOf(goodVariant("Shouting"), goodVariant("Fine words")))}
	one := &fakeModel{answer: always(answerOf(goodVariant("Fine words")))}
	down := &fakeModel{answer: func(_ int, _ map[string]any, w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }}
	cases := []struct {
		name  string
		model copywriter.Writer
		check copywriter.Check
		want  string
		logs  string
	}{
		{"model", newModel(t, good, nil, nil), nil, "a:model b:model", ""},
		{"review findings are no objection", newModel(t, good, nil, nil), dislikes("never there"), "a:model b:model", ""},
		{"one variant objected", newModel(t, good, nil, nil), dislikes("Shouting"), "a:model b:template", "failure=objected"},
		{"one variant missing", newModel(t, one, nil, nil), nil, "a:model b:template", ""},
		{"model down", newModel(t, down, nil, nil), nil, "a:template b:template", "failure=down"},
		{"no model", nil, nil, "a:template b:template", ""},
	}
	for _, c := range cases {
		d, log := desk(c.model, c.check)
		got, err := d.Write(t.Context(), brief("winback", lifecycle.Email, nil))
		if err != nil || sources(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, sources(got), err, c.want)
		}
		if (c.logs == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logs) {
			t.Errorf("%s: log %q, want %q", c.name, log, c.logs)
		}
	}
}

func TestDeskGivesUpWhenEvenTemplatesDrawObjections(t *testing.T) {
	t.Parallel()
	d, _ := desk(nil, dislikes(""))
	_, err := d.Write(t.Context(), brief("winback", lifecycle.Email, nil))
	if lifecycle.CodeOf(err) != lifecycle.Invalid || !strings.Contains(err.Error(), "tone") || !strings.Contains(err.Error(), "winback") {
		t.Errorf("got %v", err)
	}
}

func TestDeskStopsWithItsContext(t *testing.T) {
	t.Parallel()
	d, _ := desk(newModel(t, &fakeModel{answer: always("x")}, nil, nil), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := d.Write(ctx, brief("winback", lifecycle.Email, nil)); err != context.Canceled {
		t.Errorf("got %v, %v", got, err)
	}
}
