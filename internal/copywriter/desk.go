package copywriter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"touchstone/internal/lifecycle"
)

// Check returns the guardrails' objections to a creative; none means it may go
// to review. An Allow finding is no objection.
type Check func(lifecycle.Creative) []lifecycle.Finding

// Desk is the writer callers use: the model first, the shipped templates for
// whatever the model could not deliver.
type Desk struct {
	model     Writer // nil: templates only
	templates Writer
	check     Check
	log       *slog.Logger
}

// NewDesk returns a desk. A nil model means templates only.
func NewDesk(model Writer, templates Writer, check Check, log *slog.Logger) *Desk {
	return &Desk{model: model, templates: templates, check: check, log: log}
}

// Write returns the ordered number of variants where possible: model copy that
// is valid and without objections, then templates for the rest. It fails only
// on an invalid brief, an ended context, or when even the templates draw
// objections, which it names: then the brand file and the shipped words
// disagree and a person has to write.
func (d *Desk) Write(ctx context.Context, b Brief) ([]lifecycle.Creative, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	var out []lifecycle.Creative
	if d.model != nil {
		written, err := d.model.Write(ctx, b)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			out, err = d.accepted(written)
		}
		if err != nil {
			kind := ModelDown
			if f := FailureOf(err); f != nil {
				kind = f.Kind
			}
			d.log.WarnContext(ctx, "model copy not used, templates take over",
				"slot", b.Slot, "channel", b.Channel, "failure", kind, "usable", len(out), "error", err)
		}
	}
	if len(out) >= b.Variants {
		return out[:b.Variants], nil
	}
	rest := b
	rest.Variants = b.Variants - len(out)
	written, err := d.templates.Write(ctx, rest)
	if err != nil {
		return nil, err
	}
	fallback, objections := d.accepted(written)
	if objections != nil {
		d.log.WarnContext(ctx, "shipped templates draw objections", "slot", b.Slot, "channel", b.Channel, "error", objections)
	}
	for _, c := range fallback {
		c.Variant = variantName(len(out))
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "no copy for slot %s passes the guardrails, write it by hand: %w", b.Slot, objections)
	}
	return out, nil
}

// accepted returns the creatives that are valid and draw no objection, renamed
// in order. The error names what was wrong with the others.
func (d *Desk) accepted(written []lifecycle.Creative) ([]lifecycle.Creative, error) {
	var out []lifecycle.Creative
	var bad []error
	for _, c := range written {
		if _, err := Validate(c.Parts); err != nil {
			bad = append(bad, err)
			continue
		}
		if d.check != nil {
			if f, objects := objection(d.check(c)); objects {
				bad = append(bad, fmt.Errorf("variant %s: %s: %s", c.Variant, f.Rule, f.Reason))
				continue
			}
		}
		c.Variant = variantName(len(out))
		out = append(out, c)
	}
	if len(bad) > 0 {
		return out, &Failure{Kind: Objected, Err: errors.Join(bad...)}
	}
	return out, nil
}

// objection returns the first finding that stands against a draft. Defer and
// Review do not: every draft goes to a person anyway.
func objection(findings []lifecycle.Finding) (lifecycle.Finding, bool) {
	for _, f := range findings {
		if f.Outcome == lifecycle.Block {
			return f, true
		}
	}
	return lifecycle.Finding{}, false
}
