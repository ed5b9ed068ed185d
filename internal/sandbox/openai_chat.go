package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"touchstone/internal/sandbox/draw"
)

// chatError is an error in OpenAI's form.
type chatError struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e chatError) write(w http.ResponseWriter) {
	writeJSON(w, e.status, map[string]any{"error": e})
}

// badRequest refuses a parameter.
func badRequest(param, code, format string, args ...any) *chatError {
	e := &chatError{status: http.StatusBadRequest, Type: "invalid_request_error", Message: fmt.Sprintf(format, args...)}
	if param != "" {
		e.Param = &param
	}
	if code != "" {
		e.Code = &code
	}
	return e
}

type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	PresencePenalty     *float64        `json:"presence_penalty"`
	FrequencyPenalty    *float64        `json:"frequency_penalty"`
	Logprobs            *bool           `json:"logprobs"`
	TopLogprobs         *int            `json:"top_logprobs"`
	N                   *int            `json:"n"`
	Seed                *int64          `json:"seed"`
	Stream              bool            `json:"stream"`
	ResponseFormat      *responseFormat `json:"response_format"`
}

type chatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// text joins the text of a string or of content parts.
func (m chatMessage) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	for _, p := range parts {
		s += p.Text
	}
	return s
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Schema      json.RawMessage `json:"schema"`
		Strict      *bool           `json:"strict"`
	} `json:"json_schema"`
}

// chatCompletions answers POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) {
	if !s.chatDoor(w, r, http.MethodPost) {
		return
	}
	req, bad := readChat(io.LimitReader(r.Body, 4<<20))
	if bad != nil {
		bad.write(w)
		return
	}
	call := s.chats.Add(1)
	var schema *jsonSchema
	if f := req.ResponseFormat; f != nil && f.Type == "json_schema" {
		var err error
		if schema, err = parseSchema(f.JSONSchema.Schema); err != nil {
			badRequest("response_format", "", "Invalid schema for response_format '%s': %v", f.JSONSchema.Name, err).write(w)
			return
		}
	}
	answer := s.complete(req, schema, call)
	if f, struck := s.faults.take(OpenAI, Cut, Slow); struck {
		if f.Kind == Cut {
			cut(w)
			return
		}
		pause(r, f.delay())
	}
	h := w.Header()
	h.Set("X-Request-Id", fmt.Sprintf("req_sandbox%012d", call))
	h.Set("X-Ratelimit-Limit-Requests", "500")
	h.Set("X-Ratelimit-Remaining-Requests", "499")
	h.Set("X-Ratelimit-Reset-Requests", "120ms")
	writeJSON(w, http.StatusOK, answer)
}

// chatDoor checks faults, key and method and answers when one of them is wrong.
func (s *Server) chatDoor(w http.ResponseWriter, r *http.Request, method string) bool {
	if f, struck := s.faults.take(OpenAI, RateLimited, QuotaExceeded, Unavailable, CutBefore, Refused); struck {
		s.chatFault(w, f)
		return false
	}
	if !bearer(r, s.opts.OpenAIKey) {
		code := "invalid_api_key"
		chatError{status: http.StatusUnauthorized, Message: "Incorrect API key provided. Check the key that this sandbox was started with.",
			Type: "invalid_request_error", Code: &code}.write(w)
		return false
	}
	if r.Method != method {
		chatError{status: http.StatusMethodNotAllowed, Type: "invalid_request_error",
			Message: fmt.Sprintf("Not allowed to %s on %s.", r.Method, r.URL.Path)}.write(w)
		return false
	}
	return true
}

func (s *Server) chatFault(w http.ResponseWriter, f Fault) {
	switch f.Kind {
	case RateLimited:
		code := "rate_limit_exceeded"
		h := w.Header()
		h.Set("Retry-After", fmt.Sprint(int(f.reset().Seconds())))
		h.Set("X-Ratelimit-Limit-Requests", "500")
		h.Set("X-Ratelimit-Remaining-Requests", "0")
		h.Set("X-Ratelimit-Reset-Requests", f.reset().String())
		h.Set("X-Ratelimit-Limit-Tokens", "200000")
		h.Set("X-Ratelimit-Remaining-Tokens", "0")
		h.Set("X-Ratelimit-Reset-Tokens", f.reset().String())
		chatError{status: http.StatusTooManyRequests, Type: "requests", Code: &code,
			Message: fmt.Sprintf("Rate limit reached on requests per min (RPM): Limit 500. Please try again in %s.", f.reset())}.write(w)
	case QuotaExceeded:
		code := "insufficient_quota"
		chatError{status: http.StatusTooManyRequests, Type: "insufficient_quota", Code: &code,
			Message: "You exceeded your current quota, please check your plan and billing details."}.write(w)
	case Unavailable:
		writeHTML(w, f.status(http.StatusServiceUnavailable))
	case CutBefore:
		cut(w)
	default:
		e := badRequest("messages", "", "Refused on demand.")
		e.status = f.status(e.status)
		e.write(w)
	}
}

// readChat decodes and checks a request.
func readChat(body io.Reader) (*chatRequest, *chatError) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, badRequest("", "", "The request body could not be read.")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, badRequest("", "", "We could not parse the JSON body of your request.")
	}
	req := new(chatRequest)
	if err := json.Unmarshal(raw, req); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return nil, badRequest(kind.Field, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.",
				kind.Field, jsonName(kind.Type.Kind().String()), kind.Value)
		}
		return nil, badRequest("", "", "We could not parse the JSON body of your request.")
	}
	if bad := checkChat(req, given); bad != nil {
		return nil, bad
	}
	return req, nil
}

type chatAnswer struct {
	ID                string       `json:"id"`
	Object            string       `json:"object"`
	Created           int64        `json:"created"`
	Model             string       `json:"model"`
	Choices           []chatChoice `json:"choices"`
	Usage             chatUsage    `json:"usage"`
	SystemFingerprint string       `json:"system_fingerprint"`
}

type chatChoice struct {
	Index        int        `json:"index"`
	Message      chatOutput `json:"message"`
	Logprobs     *struct{}  `json:"logprobs"`
	FinishReason string     `json:"finish_reason"`
}

type chatOutput struct {
	Role    string  `json:"role"`
	Content *string `json:"content"`
	Refusal *string `json:"refusal"`
}

type chatUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// tokens estimates a text's tokens: four bytes each, rounded up.
func tokens(text string) int { return (len(text) + 3) / 4 }

// complete writes the answer to a good request.
func (s *Server) complete(req *chatRequest, schema *jsonSchema, call uint64) chatAnswer {
	answer := chatAnswer{
		ID: fmt.Sprintf("chatcmpl-sandbox%012d", call), Object: "chat.completion", Created: time.Now().Unix(), Model: req.Model,
		SystemFingerprint: "fp_sandbox",
	}
	user := ""
	for _, m := range req.Messages {
		answer.Usage.PromptTokens += tokens(m.text()) + 4
		if m.Role == "user" {
			user = m.text()
		}
	}
	n := 1
	if req.N != nil {
		n = *req.N
	}
	limit := 0
	for _, l := range []*int{req.MaxTokens, req.MaxCompletionTokens} {
		if l != nil {
			limit = *l
		}
	}
	for i := range n {
		key := draw.Of(s.opts.Seed, draw.Text("copy"), call, uint64(i))
		if req.Seed != nil { // the caller asks for repeatable answers
			key = draw.Of(s.opts.Seed, draw.Text("copy"), uint64(*req.Seed), draw.Text(user), uint64(i))
		}
		text := compose(&key, req, schema, user)
		choice := s.finish(text, limit, schema)
		choice.Index = i
		if choice.Message.Content != nil {
			answer.Usage.CompletionTokens += tokens(*choice.Message.Content)
		}
		answer.Choices = append(answer.Choices, choice)
	}
	answer.Usage.TotalTokens = answer.Usage.PromptTokens + answer.Usage.CompletionTokens
	return answer
}

// finish turns a text into a choice, with the faults in force applied.
func (s *Server) finish(text string, limit int, schema *jsonSchema) chatChoice {
	out := chatChoice{Message: chatOutput{Role: "assistant"}, FinishReason: "stop"}
	f, struck := s.faults.take(OpenAI, ModelRefusal, Truncated, ContentFilter, NotJSON, SchemaViolated)
	if struck {
		switch f.Kind {
		case ModelRefusal:
			refusal := "I'm sorry, I can't help with that request."
			out.Message.Refusal = &refusal
			return out
		case ContentFilter:
			text, out.FinishReason = "", "content_filter"
		case Truncated:
			limit = max(1, tokens(text)/2)
		case NotJSON:
			text = "Here is the copy you asked for:\n\n" + text
		case SchemaViolated:
			if schema != nil {
				text = `{"unexpected":true}`
			}
		}
	}
	if limit > 0 && tokens(text) > limit {
		end := limit * 4
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text, out.FinishReason = text[:end], "length"
	}
	out.Message.Content = &text
	return out
}

// sandboxModels are the models GET /v1/models lists; other names of the same
// families are accepted too.
var sandboxModels = []string{"gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-5-mini", "o3", "o4-mini"}

func knownModel(name string) bool {
	return slices.ContainsFunc([]string{"gpt-3.5", "gpt-4", "gpt-5", "gpt-6", "o1", "o3", "o4"}, func(family string) bool {
		return strings.HasPrefix(name, family)
	})
}

// models answers GET /v1/models and GET /v1/models/{id}.
func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	if !s.chatDoor(w, r, http.MethodGet) {
		return
	}
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	if id := r.PathValue("id"); id != "" {
		if !knownModel(id) {
			noModel(id).write(w)
			return
		}
		writeJSON(w, http.StatusOK, model{ID: id, Object: "model", Created: 1735689600, OwnedBy: "sandbox"})
		return
	}
	list := make([]model, len(sandboxModels))
	for i, id := range sandboxModels {
		list[i] = model{ID: id, Object: "model", Created: 1735689600, OwnedBy: "sandbox"}
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

func noModel(id string) *chatError {
	e := badRequest("", "model_not_found", "The model `%s` does not exist or you do not have access to it.", id)
	e.status = http.StatusNotFound
	return e
}
