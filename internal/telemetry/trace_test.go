package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"

	"touchstone/internal/telemetry"
)

func TestTracingSendsSpansWhereTheEnvironmentSays(t *testing.T) {
	bodies := make(chan []byte, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		bodies <- body
	}))
	defer collector.Close()
	stop, on, err := telemetry.Tracing(t.Context(), "touchstone-test", func(name string) (string, bool) {
		return collector.URL + "/", name == "OTEL_EXPORTER_OTLP_ENDPOINT"
	})
	if err != nil || !on {
		t.Fatalf("on %v, %v", on, err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "decide a touch")
	span.End()
	if err := stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-bodies:
		for _, word := range []string{"touchstone-test", "decide a touch"} {
			if !bytes.Contains(body, []byte(word)) {
				t.Errorf("%q was not sent", word)
			}
		}
	default:
		t.Error("nothing was sent")
	}
}

func TestTracingIsOffByDefault(t *testing.T) {
	t.Parallel()
	stop, on, err := telemetry.Tracing(t.Context(), "touchstone-test", func(string) (string, bool) { return "", false })
	if err != nil || on {
		t.Fatalf("on %v, %v", on, err)
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}
