package worker

import (
	"log/slog"
	"time"

	"touchstone/activities"
	"touchstone/internal/brand"
	"touchstone/internal/config"
	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

// newDesk builds the copywriter: the configured model, if there is one, checked
// by the guardrails, with the shipped templates behind it.
func newDesk(c config.Config, b *brand.Brand, check copywriter.Check, now func() time.Time, log *slog.Logger) (activities.Writer, error) {
	templates := copywriter.NewTemplates(now)
	if c.OpenAI.APIKey == "" {
		return copywriter.NewDesk(nil, templates, check, log), nil
	}
	zone, err := time.LoadLocation(b.TimeZone)
	if err != nil {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "brand time zone %q: %w", b.TimeZone, err)
	}
	budget := copywriter.NewDailyBudget(lifecycle.Money{Amount: c.OpenAI.BudgetPerDay, Currency: b.Currency}, zone, now)
	model, err := copywriter.NewModel(copywriter.ModelConfig{
		BaseURL: c.OpenAI.BaseURL, APIKey: c.OpenAI.APIKey, Model: c.OpenAI.Model, Timeout: c.OpenAI.Timeout,
		InputPrice: c.OpenAI.InputPrice, OutputPrice: c.OpenAI.OutputPrice, Currency: b.Currency,
	}, budget, now)
	if err != nil {
		return nil, err
	}
	return copywriter.NewDesk(model, templates, check, log), nil
}
