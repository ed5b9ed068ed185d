package telemetry

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

// endpointVariable switches tracing on; it is the base address of an OTLP
// collector that speaks HTTP, such as http://localhost:4318.
const endpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT"

// Tracing sends spans of this process to an OTLP collector when
// OTEL_EXPORTER_OTLP_ENDPOINT is set, and does nothing otherwise. The other
// OTEL_* variables (headers, sampler, resource) mean what the specification of
// OpenTelemetry says. Spans carry ids and names, never personal data. It sets the
// process's tracer provider, which is where instrumented libraries look. Stop
// sends what is left.
func Tracing(ctx context.Context, service string, lookup func(string) (string, bool)) (stop func(context.Context) error, on bool, err error) {
	off := func(context.Context) error { return nil }
	endpoint, _ := lookup(endpointVariable)
	if endpoint == "" {
		return off, false, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return off, false, fmt.Errorf("%s %q: %w", endpointVariable, endpoint, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return off, false, fmt.Errorf("describe this process for tracing: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider.Shutdown, true, nil
}

// TraceTemporal makes a client, and the workers on it, trace workflows and
// activities. Only with tracing on: it adds a header to what histories record.
func TraceTemporal(o *client.Options) error {
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		TextMapPropagator: propagation.TraceContext{}, DisableBaggage: true, AllowInvalidParentSpans: true})
	if err != nil {
		return fmt.Errorf("trace temporal: %w", err)
	}
	o.Interceptors = append(o.Interceptors, interceptor.ClientInterceptor(tracing))
	return nil
}
