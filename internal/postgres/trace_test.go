package postgres_test

import (
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"touchstone/internal/lifecycle"
)

// Statements show under what caused them, by name only; without a cause they
// show nowhere.
func TestStatementsAreTraced(t *testing.T) {
	b := setup(t)
	recorder := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(recorder))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	defer otel.SetTracerProvider(before)
	b.must(b.Ping(t.Context()))
	if n := len(recorder.Ended()); n != 0 {
		t.Fatalf("%d spans without a cause", n)
	}
	ctx, span := provider.Tracer("test").Start(t.Context(), "cause")
	_, err := b.Touch(ctx, "0198c0de-0000-7000-8000-000000000001")
	wantCode(t, err, lifecycle.NotFound)
	span.End()
	ended := recorder.Ended()
	if len(ended) != 2 || ended[0].Name() != "postgres Touch" || ended[0].Parent().SpanID() != span.SpanContext().SpanID() {
		t.Errorf("%+v", ended)
	}
}
