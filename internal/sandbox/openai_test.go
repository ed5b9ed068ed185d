package sandbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sashabaranov/go-openai"
	"pgregory.net/rapid"

	"touchstone/internal/sandbox"
)

const copySchema = `{"type":"object","properties":{
	"subject":{"type":"string"},"preheader":{"type":"string"},"headline":{"type":"string"},
	"body":{"type":"array","items":{"type":"string"}},"call_to_action":{"type":"string"},"text":{"type":"string"}},
	"required":["subject","preheader","headline","body","call_to_action","text"],"additionalProperties":false}`

const brief = `{"slot":"winback_first","goal":"bring lapsed customers back","channel":"email","tone":"warm and plain","brand":"Fern & Co",
	"offer":{"label":"10% off your next order","code":"BACK10"},"merge_fields":["first_name","last_item"],
	"shop_url":"https://shop.example.com/","prefer_words":["favourites"],"avoid_words":["missed","Hello"]}`

type copyText struct {
	Subject, Preheader, Headline string
	Body                         []string
	CallToAction                 string `json:"call_to_action"`
	Text                         string
}

func (c copyText) all() string {
	return strings.Join(append([]string{c.Subject, c.Preheader, c.Headline, c.CallToAction, c.Text}, c.Body...), "\n")
}

func (b box) chat(key string) *openai.Client {
	cfg := openai.DefaultConfig(key)
	cfg.BaseURL = b.url + "/v1"
	cfg.HTTPClient = &http.Client{Timeout: 5 * time.Second}
	return openai.NewClientWithConfig(cfg)
}

func copyRequest(model, schema, user string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: "Write marketing copy."},
			{Role: openai.ChatMessageRoleUser, Content: user},
		},
		ResponseFormat: &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "creative", Schema: json.RawMessage(schema), Strict: true},
		},
	}
}

func TestChatWritesCopy(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	client := b.chat(chatKey)
	subjects := map[string]bool{}
	for range 12 {
		resp, err := client.CreateChatCompletion(t.Context(), copyRequest("gpt-4o-mini", copySchema, brief))
		if err != nil {
			t.Fatal(err)
		}
		var c copyText
		if err := json.Unmarshal([]byte(resp.Choices[0].Message.Content), &c); err != nil {
			t.Fatal(err)
		}
		all := c.all()
		for _, want := range []string{"10% off your next order", "BACK10", "https://shop.example.com/"} {
			if !strings.Contains(all, want) {
				t.Errorf("the copy does not mention %q:\n%s", want, all)
			}
		}
		if len(c.Body) < 3 || c.Subject == "" || c.Preheader == "" || c.Headline == "" || c.CallToAction == "" {
			t.Errorf("thin copy: %+v", c)
		}
		for _, not := range []string{"missed", "Hello", "{name}", "{item}", "{offer}", "{code}", "{brand}", "!"} {
			if strings.Contains(all, not) {
				t.Errorf("the copy has %q:\n%s", not, all)
			}
		}
		if u := resp.Usage; u.PromptTokens < 50 || u.CompletionTokens < 50 || u.TotalTokens != u.PromptTokens+u.CompletionTokens || resp.Choices[0].FinishReason != "stop" {
			t.Errorf("usage %+v, finish %s", u, resp.Choices[0].FinishReason)
		}
		subjects[c.Subject] = true
	}
	if len(subjects) < 3 {
		t.Errorf("only %d different subjects", len(subjects))
	}
}

func TestChatWithoutOfferPromisesNothing(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	for i, slot := range []string{"cart_reminder", "welcome", "winback", "at_risk", "newsletter"} {
		for range 6 {
			user := fmt.Sprintf(`{"slot":%q,"goal":"","offer":null,"merge_fields":[{"name":"first_name"}],"shop_url":"https://shop.example.com/"}`, slot)
			resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-5-mini", copySchema, user))
			if err != nil {
				t.Fatal(err)
			}
			text := resp.Choices[0].Message.Content
			if strings.ContainsAny(text, "%$€") || strings.Contains(text, "code") || strings.ContainsAny(strings.ReplaceAll(text, "https://shop.example.com/", ""), "0123456789") {
				t.Errorf("%d %s: a promise without an offer: %s", i, slot, text)
			}
			if strings.Contains(text, "last_item") {
				t.Errorf("%s: a merge field that was not listed: %s", slot, text)
			}
		}
	}
}

// TestChatVariants asks for copy the way the program's own copywriter does.
func TestChatVariants(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	schema := `{"type":"object","additionalProperties":false,"required":["variants"],"properties":{"variants":{"type":"array","items":{"type":"object",
		"additionalProperties":false,"required":["subject","paragraphs","closing","sms_text"],"properties":{"subject":{"type":"string"},
		"paragraphs":{"type":"array","description":"Short ones.","items":{"type":"string"}},"closing":{"type":"string"},"sms_text":{"type":"string"}}}}}}`
	resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-5-mini", schema,
		`{"slot":"cart/first","offer":{"label":"10% off","code":"TEN"},"merge_fields":["first_name","last_item","brand.name","cart.first_item","offer.label","offer.code"],"variants":5}`))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Variants []struct {
			Subject, Closing string
			Paragraphs       []string
			SMSText          string `json:"sms_text"`
		}
	}
	if err := json.Unmarshal([]byte(resp.Choices[0].Message.Content), &answer); err != nil || len(answer.Variants) != 5 {
		t.Fatalf("%v, %d variants", err, len(answer.Variants))
	}
	different := map[string]bool{}
	for _, v := range answer.Variants {
		text := strings.Join(v.Paragraphs, "\n")
		different[text] = true
		if !strings.Contains(text, "{{ offer.label }}") || !strings.Contains(text, "{{ offer.code }}") || strings.Contains(text+v.SMSText+v.Subject, "10%") || strings.Contains(text, "TEN") {
			t.Errorf("the listed merge fields must carry the offer: %+v", v)
		}
		if v.Closing == "" || strings.Contains(text, v.Closing) || strings.Contains(v.SMSText, "http") || strings.Contains(text, "last_item") {
			t.Errorf("variant %+v", v)
		}
	}
	if len(different) < 3 {
		t.Errorf("only %d of 5 variants differ", len(different))
	}
}

func TestChatSMS(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	schema := `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"],"additionalProperties":false}`
	resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", schema,
		`{"slot":"cart","channel":"sms","brand":"Fern","shop_url":"https://shop.example.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	var c copyText
	if err := json.Unmarshal([]byte(resp.Choices[0].Message.Content), &c); err != nil || len(c.Text) > 160 ||
		!strings.HasPrefix(c.Text, "Fern: ") || !strings.HasSuffix(c.Text, "Reply STOP to opt out.") {
		t.Errorf("%d characters, %v: %s", len(c.Text), err, c.Text)
	}
}

func TestChatRefusals(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	const messages = `"messages":[{"role":"user","content":"write json"}]`
	for body, want := range map[string]struct {
		status      int
		param, code string
	}{
		`{"model":"gpt-4o",` + messages + `,"max_tokens":50,"temperature":0.2}`:                                                      {200, "", ""},
		`{"model":"gpt-5-mini",` + messages + `,"max_completion_tokens":50,"temperature":1}`:                                         {200, "", ""},
		`{"model":"gpt-5-mini",` + messages + `,"max_tokens":50}`:                                                                    {400, "max_tokens", "unsupported_parameter"},
		`{"model":"o3",` + messages + `,"max_tokens":50}`:                                                                            {400, "max_tokens", "unsupported_parameter"},
		`{"model":"o4-mini",` + messages + `,"temperature":0}`:                                                                       {400, "temperature", "unsupported_value"},
		`{"model":"gpt-5",` + messages + `,"temperature":0.7}`:                                                                       {400, "temperature", "unsupported_value"},
		`{"model":"gpt-5",` + messages + `,"top_p":0.5}`:                                                                             {400, "top_p", "unsupported_value"},
		`{"model":"o1",` + messages + `,"logprobs":true}`:                                                                            {400, "logprobs", "unsupported_parameter"},
		`{"model":"gpt-4o",` + messages + `,"temperature":2.5}`:                                                                      {400, "temperature", "decimal_out_of_range"},
		`{"model":"gpt-4o",` + messages + `,"max_tokens":0}`:                                                                         {400, "max_tokens", "integer_below_min_value"},
		`{"model":"gpt-4o",` + messages + `,"max_tokens":"9"}`:                                                                       {400, "max_tokens", "invalid_type"},
		`{"model":"gpt-4o",` + messages + `,"max_tokens":9,"max_completion_tokens":9}`:                                               {400, "max_tokens", "invalid_parameter_combination"},
		`{"model":"gpt-4o",` + messages + `,"stream":true}`:                                                                          {400, "stream", "unsupported_value"},
		`{"model":"gpt-4o",` + messages + `,"n":0}`:                                                                                  {400, "n", "integer_out_of_range"},
		`{"model":"gpt-4o",` + messages + `,"max_output":9}`:                                                                         {400, "", ""},
		`{"model":"claude",` + messages + `}`:                                                                                        {404, "", "model_not_found"},
		`{` + messages + `}`:                                                                                                         {400, "", ""},
		`{"model":"gpt-4o","messages":[]}`:                                                                                           {400, "messages", "empty_array"},
		`{"model":"gpt-4o","messages":[{"role":"boss","content":"x"}]}`:                                                              {400, "messages", "invalid_value"},
		`{"model":"gpt-4o","messages":[{"role":"user"}]}`:                                                                            {400, "messages", ""},
		`{"model":"gpt-4o",` + messages + `,"response_format":{"type":"json_object"}}`:                                               {200, "", ""},
		`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}`:                     {400, "messages", ""},
		`{"model":"gpt-4o",` + messages + `,"response_format":{"type":"xml"}}`:                                                       {400, "response_format.type", "invalid_value"},
		`{"model":"gpt-3.5-turbo",` + messages + `,"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}}`: {400, "response_format", ""},
		`{"model":"gpt-4o",` + messages + `,"response_format":{"type":"json_schema"}}`:                                               {400, "response_format.json_schema", "missing_required_parameter"},
		`{"model":"gpt-4o",` + messages + `,"response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}}`:      {400, "response_format.json_schema.name", "invalid_value"},
		`{"model":"gpt-4o",` + messages + `,"response_format":{"type":"json_schema","json_schema":{"name":"a"}}}`:                    {400, "response_format.json_schema.schema", "missing_required_parameter"},
		`{`: {400, "", ""},
	} {
		resp, text := b.call(t, http.MethodPost, "/v1/chat/completions", chatKey, body)
		var answer struct {
			Error *struct{ Message, Type, Param, Code string }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != want.status {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
			continue
		}
		if want.status != 200 && (answer.Error == nil || answer.Error.Message == "" || answer.Error.Param != want.param || answer.Error.Code != want.code || answer.Error.Type != "invalid_request_error") {
			t.Errorf("%s: %s", body, text)
		}
	}
	if resp, text := b.call(t, http.MethodPost, "/v1/chat/completions", "sk-other", "{}"); resp.StatusCode != 401 || !strings.Contains(text, "invalid_api_key") {
		t.Errorf("wrong key: %d %s", resp.StatusCode, text)
	}
}

func TestStrictSchema(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	object := func(properties, rest string) string {
		return `{"type":"object","properties":{` + properties + `},"additionalProperties":false` + rest + `}`
	}
	const a = `"a":{"type":"string"}`
	deep := `{"type":"string"}`
	for range 11 {
		deep = object(`"a":`+deep, `,"required":["a"]`)
	}
	for schema, refusal := range map[string]string{
		copySchema:                     "",
		object(a, `,"required":["a"]`): "",
		object("", `,"required":[]`):   "",
		object(`"a":{"type":["string","null"]}`, `,"required":["a"]`):                                                         "",
		object(`"a":{"anyOf":[{"type":"string"},{"type":"null"}]}`, `,"required":["a"]`):                                      "",
		object(`"a":{"$ref":"#/$defs/x"}`, `,"required":["a"],"$defs":{"x":{"type":"string"}}`):                               "",
		object(`"a":{"type":"array","items":{"$ref":"#"}}`, `,"required":["a"]`):                                              "",
		object(`"a":{"type":"string","enum":["x","y"]},"n":{"type":"integer","minimum":1}`, `,"required":["a","n"]`):          "",
		object(`"a":{"type":"string","pattern":"^[a-z]{3}$"},"d":{"type":"string","format":"date"}`, `,"required":["a","d"]`): "",
		`{"type":"object","properties":{` + a + `},"required":["a"]}`:                                                         "'additionalProperties' is required to be supplied and to be false",
		`{"type":"object","properties":{` + a + `},"required":["a"],"additionalProperties":true}`:                             "'additionalProperties' is required",
		object(a, ``): "Missing 'a'",
		object(a+`,"b":{"type":"string"}`, `,"required":["a"]`):                            "Missing 'b'",
		object(a, `,"required":["a","b"]`):                                                 "Extra required key 'b'",
		object(`"a":{"type":"string","minLength":1}`, `,"required":["a"]`):                 "'minLength' is not permitted",
		object(`"a":{"type":"string","default":"x"}`, `,"required":["a"]`):                 "'default' is not permitted",
		object(`"a":{"allOf":[{"type":"string"}]}`, `,"required":["a"]`):                   "'allOf' is not permitted",
		object(`"a":{"type":"string","nullable":true}`, `,"required":["a"]`):               "'nullable' is not permitted",
		object(`"a":{"type":"string","format":"uri"}`, `,"required":["a"]`):                "not a valid format",
		object(`"a":{"type":"array"}`, `,"required":["a"]`):                                "missing items",
		object(`"a":{}`, `,"required":["a"]`):                                              "must have a 'type' key",
		object(`"a":{"type":"text"}`, `,"required":["a"]`):                                 "not a valid type",
		object(`"a":{"$ref":"#/$defs/x"}`, `,"required":["a"]`):                            "does not resolve",
		object(`"a":{"type":"object","properties":{},"required":[]}`, `,"required":["a"]`): "In context=('properties', 'a'), 'additionalProperties'",
		object(`"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"string"}},"additionalProperties":false}}`, `,"required":["a"]`): "In context=('properties', 'a', 'items')",
		`{"type":"array","items":{"type":"string"}}`: "type: \"object\"",
		`{"anyOf":[]}`: "type: \"object\"",
		object(a, `,"required":["a"],"anyOf":[{"type":"null"}]`): "not permitted at the root",
		deep: "levels of nesting",
	} {
		_, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", schema, brief))
		var refused *openai.APIError
		switch {
		case refusal == "" && err != nil:
			t.Errorf("%s: %v", schema, err)
		case refusal != "" && (!errors.As(err, &refused) || refused.HTTPStatusCode != 400 || *refused.Param != "response_format" || !strings.Contains(refused.Message, refusal)):
			t.Errorf("%s: want %q, got %v", schema, refusal, err)
		}
	}
}

// TestAnySchema draws strict schemas; the answer satisfies each, as a real
// validator sees it.
func TestAnySchema(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	names := []string{"subject", "body", "text", "score", "tags", "cta", "nested", "url", "x"}
	var node func(t *rapid.T, depth int) map[string]any
	node = func(t *rapid.T, depth int) map[string]any {
		kinds := []string{"string", "pattern", "format", "enum", "const", "integer", "number", "boolean", "null", "union"}
		if depth < 4 {
			kinds = append(kinds, "object", "array", "object", "array")
		}
		switch rapid.SampledFrom(kinds).Draw(t, "kind") {
		case "pattern":
			return map[string]any{"type": "string", "pattern": rapid.SampledFrom([]string{`^[A-Z]{2}-\d{3}$`, `^(yes|no)$`, `^#?[0-9a-f]+$`, `a.c`}).Draw(t, "pattern")}
		case "format":
			return map[string]any{"type": "string", "format": rapid.SampledFrom([]string{"date", "date-time", "email", "uuid", "ipv4", "ipv6", "duration", "hostname"}).Draw(t, "format")}
		case "enum":
			return map[string]any{"type": "string", "enum": []any{"red", "green"}}
		case "const":
			return map[string]any{"const": "fixed"}
		case "integer":
			low := rapid.IntRange(-50, 50).Draw(t, "low")
			return map[string]any{"type": "integer", "minimum": low, "maximum": low + rapid.IntRange(0, 9).Draw(t, "range")}
		case "number":
			low := rapid.IntRange(-5, 5).Draw(t, "low")
			return map[string]any{"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 1}
		case "boolean":
			return map[string]any{"type": "boolean"}
		case "null":
			return map[string]any{"type": []any{"null", "string"}}
		case "union":
			return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, map[string]any{"type": "string"}}}
		case "array":
			low := rapid.IntRange(0, 3).Draw(t, "items")
			return map[string]any{"type": "array", "items": node(t, depth+1), "minItems": low, "maxItems": low + 1}
		case "object":
			return objectOf(t, names, func() map[string]any { return node(t, depth+1) })
		}
		return map[string]any{"type": "string"}
	}
	rapid.Check(t, func(rt *rapid.T) {
		schema := objectOf(rt, names, func() map[string]any { return node(rt, 1) })
		raw, err := json.Marshal(schema)
		if err != nil {
			rt.Fatal(err)
		}
		resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", string(raw), brief))
		if err != nil {
			rt.Fatalf("%s: %v", raw, err)
		}
		if err := validate(raw, resp.Choices[0].Message.Content); err != nil {
			rt.Fatalf("schema %s\nanswer %s\n%v", raw, resp.Choices[0].Message.Content, err)
		}
	})
}

func objectOf(t *rapid.T, names []string, node func() map[string]any) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID[string]).Draw(t, "names") {
		properties[name] = node()
		required = append(required, name)
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func validate(schema []byte, answer string) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		return err
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

func TestRecursiveSchema(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	schema := `{"type":"object","properties":{"text":{"type":"string"},"replies":{"type":"array","items":{"$ref":"#"}},"parent":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},
		"required":["text","replies","parent"],"additionalProperties":false}`
	resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", schema, brief))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate([]byte(schema), resp.Choices[0].Message.Content); err != nil {
		t.Error(err)
	}
}

func TestChatFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault sandbox.Fault
		check func(openai.ChatCompletionResponse, error) bool
	}{
		"rate limited": {sandbox.Fault{Kind: sandbox.RateLimited, ResetSeconds: 6}, func(r openai.ChatCompletionResponse, err error) bool {
			var e *openai.APIError
			return errors.As(err, &e) && e.HTTPStatusCode == 429 && e.Code == "rate_limit_exceeded" && r.Header().Get("Retry-After") == "6" &&
				r.GetRateLimitHeaders().ResetRequests == "6s"
		}},
		"quota": {sandbox.Fault{Kind: sandbox.QuotaExceeded}, func(_ openai.ChatCompletionResponse, err error) bool {
			var e *openai.APIError
			return errors.As(err, &e) && e.HTTPStatusCode == 429 && e.Code == "insufficient_quota"
		}},
		"unavailable": {sandbox.Fault{Kind: sandbox.Unavailable}, func(_ openai.ChatCompletionResponse, err error) bool {
			var e *openai.RequestError
			return errors.As(err, &e) && e.HTTPStatusCode == 503
		}},
		"cut": {sandbox.Fault{Kind: sandbox.Cut}, func(_ openai.ChatCompletionResponse, err error) bool {
			var e *openai.APIError
			return err != nil && !errors.As(err, &e)
		}},
		"cut before": {sandbox.Fault{Kind: sandbox.CutBefore}, func(_ openai.ChatCompletionResponse, err error) bool { return err != nil }},
		"slow":       {sandbox.Fault{Kind: sandbox.Slow, DelayMS: 5}, func(_ openai.ChatCompletionResponse, err error) bool { return err == nil }},
		"refusal": {sandbox.Fault{Kind: sandbox.ModelRefusal}, func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Choices[0].Message.Refusal != "" && r.Choices[0].Message.Content == ""
		}},
		"truncated": {sandbox.Fault{Kind: sandbox.Truncated}, func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Choices[0].FinishReason == "length" && !json.Valid([]byte(r.Choices[0].Message.Content))
		}},
		"content filter": {sandbox.Fault{Kind: sandbox.ContentFilter}, func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Choices[0].FinishReason == "content_filter"
		}},
		"not JSON": {sandbox.Fault{Kind: sandbox.NotJSON}, func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && !json.Valid([]byte(r.Choices[0].Message.Content))
		}},
		"schema violated": {sandbox.Fault{Kind: sandbox.SchemaViolated}, func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && validate([]byte(copySchema), r.Choices[0].Message.Content) != nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, false, nil)
			c.fault.Vendor = sandbox.OpenAI
			inject(t, b, c.fault)
			r, err := b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", copySchema, brief))
			if !c.check(r, err) {
				t.Errorf("%v %+v", err, r)
			}
			r, err = b.chat(chatKey).CreateChatCompletion(t.Context(), copyRequest("gpt-4o", copySchema, brief))
			if err != nil || validate([]byte(copySchema), r.Choices[0].Message.Content) != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

func TestChatTokenLimit(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	req := copyRequest("gpt-5", copySchema, brief)
	req.MaxCompletionTokens = 20
	resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), req)
	if err != nil || resp.Choices[0].FinishReason != "length" || resp.Usage.CompletionTokens != 20 {
		t.Errorf("%v %+v", err, resp)
	}
}

func TestChatSeedRepeats(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	seed := 42
	var texts []string
	for range 2 {
		req := copyRequest("gpt-4o", copySchema, brief)
		req.Seed = &seed
		resp, err := b.chat(chatKey).CreateChatCompletion(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, resp.Choices[0].Message.Content)
	}
	if texts[0] != texts[1] {
		t.Error("equal seeds gave different copy")
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	b := start(t, false, nil)
	list, err := b.chat(chatKey).ListModels(t.Context())
	if err != nil || len(list.Models) < 5 {
		t.Errorf("%v %+v", err, list)
	}
	if _, err := b.chat(chatKey).GetModel(t.Context(), "gpt-5"); err != nil {
		t.Error(err)
	}
	if _, err := b.chat(chatKey).GetModel(t.Context(), "unheard-of"); err == nil {
		t.Error("an unknown model must be refused")
	}
}

func FuzzChat(f *testing.F) {
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":` + copySchema + `}}}`)
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"{\"offer\":3}"}]}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"$ref":"#"}}}}`)
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"max_tokens":1,"n":2}`)
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":["null","null"]}}}}`)
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}}}}`)
	f.Add(`{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"array","minItems":1e12,"maxItems":-3}}}}`)
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != 200 && rec.Code != 400 && rec.Code != 404 || !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	})
}
