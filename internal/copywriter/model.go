package copywriter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"touchstone/internal/lifecycle"
)

// ModelConfig says how to reach an OpenAI-compatible chat model and what it
// costs.
type ModelConfig struct {
	BaseURL string // up to and including the version, such as https://api.openai.com/v1
	APIKey  string // may be empty for local servers
	Model   string
	Timeout time.Duration // for one request; default 30 s
	// MaxTokens bounds the answer, reasoning included; default 4000.
	MaxTokens int
	// TokensParam is "max_completion_tokens" or "max_tokens". Empty picks by
	// model name: reasoning models refuse max_tokens, many compatible servers
	// know only that one.
	TokensParam string
	// Temperature is sent as it is; nil leaves it out. Reasoning models refuse
	// it, so it is left out for them in any case.
	Temperature *float64
	// ReasoningEffort is passed on when set.
	ReasoningEffort string
	// InputPrice and OutputPrice are in minor units of Currency per million
	// tokens.
	InputPrice, OutputPrice float64
	Currency                string
	// Patience is the longest Retry-After the writer waits out, once, before
	// it gives up; default 5 s.
	Patience time.Duration
}

// Model writes creatives with a language model.
type Model struct {
	cfg    ModelConfig
	client *openai.Client
	budget Budget
	now    func() time.Time
	format atomic.Int32 // how strictly the server can be asked, see formats
}

// formats are the ways to ask for JSON, strictest first. A server that refuses
// one is asked the next way from then on.
const (
	formatSchema int32 = iota // response_format json_schema, strict
	formatObject              // response_format json_object
	formatPrompt              // by prompt alone
)

// NewModel returns a writer for the configured model; now is the business
// clock, budget may be nil for no limit.
func NewModel(cfg ModelConfig, budget Budget, now func() time.Time) (*Model, error) {
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "model base URL %q is not an http(s) address such as https://api.openai.com/v1", cfg.BaseURL)
	}
	if cfg.Model == "" {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "model name is empty: set it in the configuration")
	}
	switch cfg.TokensParam {
	case "", "max_tokens", "max_completion_tokens":
	default:
		return nil, lifecycle.Errorf(lifecycle.Invalid, "model tokens parameter %q: use max_tokens or max_completion_tokens", cfg.TokensParam)
	}
	if cfg.InputPrice < 0 || cfg.OutputPrice < 0 {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "model prices must not be negative")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.MaxTokens <= 0 {
		cfg.MaxTokens = 4000
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	c := openai.DefaultConfig(cfg.APIKey)
	c.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	c.HTTPClient = &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: min(5*time.Second, cfg.Timeout)}).DialContext,
			TLSHandshakeTimeout: min(5*time.Second, cfg.Timeout),
			IdleConnTimeout:     60 * time.Second,
			MaxIdleConnsPerHost: 8,
			ForceAttemptHTTP2:   true,
		},
	}
	return &Model{cfg: cfg, client: openai.NewClientWithConfig(c), budget: budget, now: now}, nil
}

// Write asks the model once and returns at most the ordered variants, fewer
// when it wrote fewer. Errors are a *Failure, an invalid brief, an ended
// context, or a budget that cannot be read. What the call cost is booked on the budget even when
// the copy is unusable, and shared out over the creatives otherwise.
func (m *Model) Write(ctx context.Context, b Brief) ([]lifecycle.Creative, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if m.budget != nil {
		left, err := m.budget.Left(ctx)
		if err != nil {
			return nil, fmt.Errorf("copy budget: %w", err)
		}
		if left.Amount <= 0 {
			return nil, &Failure{Kind: OverBudget, Detail: "today's copy budget is spent"}
		}
	}
	res, err := m.ask(ctx, b)
	if err != nil {
		return nil, err
	}
	cost := m.cost(res.Usage)
	if m.budget != nil {
		if err := m.budget.Spend(ctx, cost); err != nil {
			return nil, fmt.Errorf("copy budget: %w", err)
		}
	}
	copies, err := read(res, b)
	if err != nil {
		return nil, err
	}
	var out []lifecycle.Creative
	for i, c := range copies {
		parts, err := layOut(b, c)
		if err != nil {
			return nil, err
		}
		cr, err := b.creative(i, parts)
		if err != nil {
			return nil, err
		}
		cr.Source, cr.Model, cr.Author, cr.CreatedAt = lifecycle.FromModel, m.cfg.Model, "model "+m.cfg.Model, m.now()
		cr.Cost = share(cost, i, len(copies))
		out = append(out, cr)
	}
	return out, nil
}

// read takes the copy out of an answer.
func read(res openai.ChatCompletionResponse, b Brief) ([]Copy, error) {
	if len(res.Choices) == 0 {
		return nil, &Failure{Kind: ModelMalformed, Detail: "answer has no choices"}
	}
	choice := res.Choices[0]
	switch {
	case choice.Message.Refusal != "":
		return nil, &Failure{Kind: ModelRefused, Detail: clip(choice.Message.Refusal)}
	case choice.FinishReason == openai.FinishReasonContentFilter:
		return nil, &Failure{Kind: ModelFiltered, Detail: "the provider's content filter stopped the answer"}
	case choice.FinishReason == openai.FinishReasonLength:
		return nil, &Failure{Kind: ModelTruncated, Detail: "raise the token limit of the model"}
	}
	copies, err := parseAnswer(choice.Message.Content)
	if err != nil {
		return nil, &Failure{Kind: ModelMalformed, Err: err}
	}
	var usable []Copy
	var bad []error
	for _, c := range copies {
		c = c.tidy(b.Brand.Links.Shop)
		if err := c.check(b.Channel, b.Fields()); err != nil {
			bad = append(bad, err)
			continue
		}
		usable = append(usable, c)
	}
	if len(usable) == 0 {
		return nil, &Failure{Kind: ModelMalformed, Err: errors.Join(bad...)}
	}
	return usable[:min(len(usable), b.Variants)], nil
}

// ask sends the order, stepping down the formats a server refuses and waiting
// out one short throttle.
func (m *Model) ask(ctx context.Context, b Brief) (openai.ChatCompletionResponse, error) {
	waited := false
	for {
		format := m.format.Load()
		res, err := m.call(ctx, b, format)
		if err == nil {
			return res, nil
		}
		if ctx.Err() != nil {
			return res, ctx.Err()
		}
		f := readFailure(err, res.Header())
		switch {
		case format < formatPrompt && refusesFormat(err):
			m.format.CompareAndSwap(format, format+1)
		case f.Kind == ModelThrottled && !waited && f.RetryAfter > 0 && f.RetryAfter <= m.cfg.Patience:
			waited = true
			timer := time.NewTimer(f.RetryAfter)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return res, ctx.Err()
			}
		default:
			return res, f
		}
	}
}

func (m *Model) call(ctx context.Context, b Brief, format int32) (openai.ChatCompletionResponse, error) {
	system, user, err := messages(b, format != formatSchema)
	if err != nil {
		return openai.ChatCompletionResponse{}, err
	}
	req := openai.ChatCompletionRequest{
		Model: m.cfg.Model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: system},
			{Role: openai.ChatMessageRoleUser, Content: user},
		},
		ReasoningEffort: m.cfg.ReasoningEffort,
	}
	reasoning := isReasoning(m.cfg.Model)
	if m.cfg.TokensParam == "max_tokens" || m.cfg.TokensParam == "" && !reasoning {
		//lint:ignore SA1019 many compatible servers know only this name
		req.MaxTokens = m.cfg.MaxTokens
	} else {
		req.MaxCompletionTokens = m.cfg.MaxTokens
	}
	if t := m.cfg.Temperature; t != nil && !reasoning {
		// The SDK leaves out a plain zero.
		req.Temperature = max(float32(*t), math.SmallestNonzeroFloat32)
	}
	switch format {
	case formatSchema:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "copy", Schema: json.RawMessage(answerSchema), Strict: true},
		}
	case formatObject:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	}
	return m.client.CreateChatCompletion(ctx, req)
}

// isReasoning recognises models that refuse max_tokens and temperature.
func isReasoning(model string) bool {
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

// cost is the price of a call, rounded up to whole minor units so that a
// budget is never overdrawn by rounding.
func (m *Model) cost(u openai.Usage) lifecycle.Money {
	price := (float64(u.PromptTokens)*m.cfg.InputPrice + float64(u.CompletionTokens)*m.cfg.OutputPrice) / 1e6
	return lifecycle.Money{Amount: int64(math.Ceil(price)), Currency: m.cfg.Currency}
}

// share is the i-th of n parts of an amount; the parts add up exactly.
func share(m lifecycle.Money, i, n int) lifecycle.Money {
	part := m.Amount / int64(n)
	if int64(i) < m.Amount%int64(n) {
		part++
	}
	return lifecycle.Money{Amount: part, Currency: m.Currency}
}
