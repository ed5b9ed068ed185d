package sandbox

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// chatParameters are the request parameters the vendor knows.
var chatParameters = map[string]bool{
	"audio": true, "frequency_penalty": true, "function_call": true, "functions": true, "logit_bias": true, "logprobs": true,
	"max_completion_tokens": true, "max_tokens": true, "messages": true, "metadata": true, "modalities": true, "model": true,
	"n": true, "parallel_tool_calls": true, "prediction": true, "presence_penalty": true, "prompt_cache_key": true,
	"prompt_cache_retention": true, "reasoning_effort": true, "response_format": true, "safety_identifier": true, "seed": true,
	"service_tier": true, "stop": true, "store": true, "stream": true, "stream_options": true, "temperature": true,
	"tool_choice": true, "tools": true, "top_logprobs": true, "top_p": true, "user": true, "verbosity": true, "web_search_options": true,
}

// reasoning reports whether a model is of the families that fix sampling.
func reasoning(model string) bool {
	for _, family := range []string{"gpt-5", "gpt-6", "o1", "o3", "o4"} {
		if strings.HasPrefix(model, family) {
			return true
		}
	}
	return false
}

// schemaless reports whether a model predates json_schema.
func schemaless(model string) bool {
	return strings.HasPrefix(model, "gpt-3.5") || model == "gpt-4" || strings.HasPrefix(model, "gpt-4-") || strings.HasPrefix(model, "o1-mini") || strings.HasPrefix(model, "o1-preview")
}

var schemaName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// checkChat returns the first refusal, or nil.
func checkChat(req *chatRequest, given map[string]json.RawMessage) *chatError {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !chatParameters[name] {
			return badRequest("", "", "Unrecognized request argument supplied: %s", name)
		}
	}
	switch {
	case req.Model == "":
		return badRequest("", "", "you must provide a model parameter")
	case !knownModel(req.Model):
		return noModel(req.Model)
	case len(req.Messages) == 0:
		return badRequest("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case req.Stream:
		return badRequest("stream", "unsupported_value", "Unsupported value: 'stream' is not answered by this sandbox.")
	case len(given["tools"]) > 0 || len(given["functions"]) > 0:
		return badRequest("tools", "unsupported_value", "Unsupported value: 'tools' are not answered by this sandbox.")
	}
	for i, m := range req.Messages {
		if !slices.Contains([]string{"system", "developer", "user", "assistant", "tool", "function"}, m.Role) {
			return badRequest("messages", "invalid_value", "Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", m.Role)
		}
		if m.Role != "assistant" && (len(m.Content) == 0 || string(m.Content) == "null") {
			return badRequest("messages", "", "Invalid value for 'content': expected a string, got null. (messages[%d])", i)
		}
	}
	if bad := checkSampling(req, given); bad != nil {
		return bad
	}
	return checkFormat(req)
}

func checkSampling(req *chatRequest, given map[string]json.RawMessage) *chatError {
	if reasoning(req.Model) {
		if req.MaxTokens != nil {
			return badRequest("max_tokens", "unsupported_parameter",
				"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
		}
		for _, p := range []struct {
			name  string
			value *float64
			only  float64
		}{{"temperature", req.Temperature, 1}, {"top_p", req.TopP, 1}, {"presence_penalty", req.PresencePenalty, 0}, {"frequency_penalty", req.FrequencyPenalty, 0}} {
			if p.value != nil && *p.value != p.only {
				return badRequest(p.name, "unsupported_value",
					"Unsupported value: '%s' does not support %v with this model. Only the default (%v) value is supported.", p.name, *p.value, p.only)
			}
		}
		for _, name := range []string{"logprobs", "top_logprobs", "logit_bias"} {
			if _, ok := given[name]; ok && string(given[name]) != "false" {
				return badRequest(name, "unsupported_parameter", "Unsupported parameter: '%s' is not supported with this model.", name)
			}
		}
	}
	if req.MaxTokens != nil && req.MaxCompletionTokens != nil {
		return badRequest("max_tokens", "invalid_parameter_combination", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	for _, p := range []struct {
		name  string
		value *int
	}{{"max_tokens", req.MaxTokens}, {"max_completion_tokens", req.MaxCompletionTokens}} {
		if p.value != nil && *p.value < 1 {
			return badRequest(p.name, "integer_below_min_value", "Invalid '%s': integer below minimum value. Expected a value >= 1, but got %d instead.", p.name, *p.value)
		}
	}
	if t := req.Temperature; t != nil && (*t < 0 || *t > 2) {
		return badRequest("temperature", "decimal_out_of_range", "Invalid 'temperature': expected a value between 0 and 2, but got %v instead.", *t)
	}
	if n := req.N; n != nil && (*n < 1 || *n > 128) {
		return badRequest("n", "integer_out_of_range", "Invalid 'n': expected a value between 1 and 128, but got %d instead.", *n)
	}
	return nil
}

func checkFormat(req *chatRequest) *chatError {
	f := req.ResponseFormat
	if f == nil {
		return nil
	}
	switch f.Type {
	case "text":
		return nil
	case "json_object":
		for _, m := range req.Messages {
			if strings.Contains(strings.ToLower(m.text()), "json") {
				return nil
			}
		}
		return badRequest("messages", "", "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.")
	case "json_schema":
	default:
		return badRequest("response_format.type", "invalid_value", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', and 'text'.", f.Type)
	}
	switch {
	case schemaless(req.Model):
		return badRequest("response_format", "", "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.")
	case f.JSONSchema == nil:
		return badRequest("response_format.json_schema", "missing_required_parameter", "Missing required parameter: 'response_format.json_schema'.")
	case f.JSONSchema.Name == "":
		return badRequest("response_format.json_schema.name", "missing_required_parameter", "Missing required parameter: 'response_format.json_schema.name'.")
	case !schemaName.MatchString(f.JSONSchema.Name):
		return badRequest("response_format.json_schema.name", "invalid_value",
			"Invalid 'response_format.json_schema.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$' of at most 64 characters.")
	case len(f.JSONSchema.Schema) == 0:
		return badRequest("response_format.json_schema.schema", "missing_required_parameter", "Missing required parameter: 'response_format.json_schema.schema'.")
	}
	if strict := f.JSONSchema.Strict; strict != nil && *strict {
		if err := checkStrict(f.JSONSchema.Schema); err != nil {
			return badRequest("response_format", "", "Invalid schema for response_format '%s': %v", f.JSONSchema.Name, err)
		}
	}
	return nil
}
