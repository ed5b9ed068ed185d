package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"touchstone/internal/lifecycle"
)

// queryTracer adds a span per statement to a trace that is being recorded. It
// starts none: polling would drown the others. A span has the statement's name,
// never its text or arguments.
type queryTracer struct{}

var _ pgx.QueryTracer = queryTracer{}

// TraceQueryStart implements pgx.QueryTracer.
func (queryTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	ctx, _ = otel.Tracer("touchstone/postgres").Start(ctx, "postgres "+statementName(data.SQL), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", "postgresql")))
	return context.WithValue(ctx, ownSpan{}, true)
}

// ownSpan marks contexts whose span TraceQueryStart began.
type ownSpan struct{}

// TraceQueryEnd implements pgx.QueryTracer.
func (queryTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if ctx.Value(ownSpan{}) == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if data.Err != nil {
		span.SetStatus(codes.Error, string(lifecycle.CodeOf(translate(data.Err, ""))))
	}
	span.End()
}

// statementName is the name that sqlc gave a statement, or its first word.
func statementName(sql string) string {
	if rest, named := strings.CutPrefix(sql, "-- name: "); named {
		sql = rest
	}
	for word := range strings.FieldsSeq(sql) {
		return strings.TrimRight(word, ";")
	}
	return "statement"
}
