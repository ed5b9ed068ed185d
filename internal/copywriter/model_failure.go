package copywriter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// refusesFormat reports whether a server said that it does not know the way it
// was asked for JSON.
func refusesFormat(err error) bool {
	var api *openai.APIError
	var req *openai.RequestError
	var status int
	var said string
	switch {
	case errors.As(err, &api):
		status, said = api.HTTPStatusCode, api.Message
		if api.Param != nil {
			said += " " + *api.Param
		}
	case errors.As(err, &req):
		status, said = req.HTTPStatusCode, string(req.Body)
	}
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity && status != http.StatusNotImplemented {
		return false
	}
	said = strings.ToLower(said)
	for _, word := range []string{"response_format", "json_schema", "json_object", "structured output"} {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}

// readFailure classifies an error of the SDK.
func readFailure(err error, h http.Header) *Failure {
	f := &Failure{Kind: ModelDown, Err: err}
	var code string
	var api *openai.APIError
	var req *openai.RequestError
	var netErr net.Error
	switch {
	case errors.As(err, &api):
		f.Status, f.Detail, f.Err = api.HTTPStatusCode, clip(api.Message), nil
		code = fmt.Sprint(api.Code) + " " + api.Type
	case errors.As(err, &req):
		f.Status, f.Err = req.HTTPStatusCode, nil
		f.Detail = "the server's answer is not an API error"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		f.Kind = ModelSlow
		return f
	case errors.As(err, &netErr):
		return f
	default:
		// The SDK refused the parameters, or the answer was not JSON.
		f.Kind = ModelMalformed
		if isParameterError(err) {
			f.Kind = ModelMisconfigured
		}
		return f
	}
	switch s := f.Status; {
	case s == http.StatusTooManyRequests && strings.Contains(code, "insufficient_quota"):
		f.Kind = ModelQuota
	case s == http.StatusTooManyRequests:
		f.Kind, f.RetryAfter = ModelThrottled, throttle(h)
	case strings.Contains(code, "content_filter"), strings.Contains(code, "content_policy"):
		f.Kind = ModelFiltered
	case s >= 400 && s < 500:
		f.Kind = ModelMisconfigured
	}
	return f
}

func isParameterError(err error) bool {
	for _, e := range []error{
		openai.ErrReasoningModelMaxTokensDeprecated, openai.ErrReasoningModelLimitationsOther, openai.ErrReasoningModelLimitationsLogprobs,
		openai.ErrReasoningSamplingUnsupported, openai.ErrReasoningEffortUnsupported, openai.ErrChatCompletionInvalidModel,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// throttle reads Retry-After in seconds, or the reset headers written as
// durations such as "6m0s". Zero when the server names no time.
func throttle(h http.Header) time.Duration {
	if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil && s > 0 && s < 86400 {
		return time.Duration(s * float64(time.Second))
	}
	var longest time.Duration
	for _, name := range []string{"X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens"} {
		if d, err := time.ParseDuration(h.Get(name)); err == nil {
			longest = max(longest, d)
		}
	}
	return longest
}

func clip(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
