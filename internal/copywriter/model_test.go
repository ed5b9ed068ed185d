package copywriter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/copywriter"
	"touchstone/internal/lifecycle"
)

// fakeModel answers chat completions by a function and keeps the requests.
type fakeModel struct {
	mu       sync.Mutex
	requests []map[string]any
	answer   func(call int, req map[string]any, w http.ResponseWriter)
}

func (f *fakeModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var req map[string]any
	if err := json.Unmarshal(raw, &req); err != nil || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, "bad request", http.StatusTeapot)
		return
	}
	f.mu.Lock()
	f.requests = append(f.requests, req)
	call := len(f.requests)
	f.mu.Unlock()
	f.answer(call, req, w)
}

func completion(w http.ResponseWriter, content, finish, refusal string) {
	w.Header().Set("Content-Type", "application/json")
	message := map[string]any{"role": "assistant", "content": content}
	if refusal != "" {
		message = map[string]any{"role": "assistant", "content": nil, "refusal": refusal}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": finish}},
		"usage":   map[string]any{"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
	})
}

func apiError(w http.ResponseWriter, status int, message, kind, param, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": kind, "param": param, "code": code}})
}

func answerOf(variants ...map[string]any) string {
	raw, err := json.Marshal(map[string]any{"variants": variants})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func goodVariant(subject string) map[string]any {
	return map[string]any{
		"subject": subject, "preheader": "A line", "headline": "Tea & biscuits", "paragraphs": []string{`Hi {{ first_name | default: "there" }}, welcome back.`},
		"call_to_action": "Have a look", "closing": "Yours,", "sms_text": "Welcome back.",
	}
}

func newModel(t *testing.T, f *fakeModel, change func(*copywriter.ModelConfig), budget copywriter.Budget) *copywriter.Model {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg := copywriter.ModelConfig{BaseURL: server.URL + "/v1", APIKey: "k", Model: "test-model", Timeout: 2 * time.Second,
		InputPrice: 500, OutputPrice: 2000, Currency: "USD"}
	if change != nil {
		change(&cfg)
	}
	m, err := copywriter.NewModel(cfg, budget, clock)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func always(content string) func(int, map[string]any, http.ResponseWriter) {
	return func(_ int, _ map[string]any, w http.ResponseWriter) { completion(w, content, "stop", "") }
}

func TestModelWritesCopyIntoTheLayout(t *testing.T) {
	t.Parallel()
	f := &fakeModel{answer: always(answerOf(goodVariant("One"), goodVariant("Two"), goodVariant("Three")))}
	m := newModel(t, f, nil, nil)
	b := brief("winback", lifecycle.Email, &tenPercent)
	written, err := m.Write(t.Context(), b)
	if err != nil || len(written) != 2 {
		t.Fatalf("got %d creatives, %v", len(written), err)
	}
	c := written[0]
	if c.Source != lifecycle.FromModel || c.Model != "test-model" || c.Status != lifecycle.CreativeDraft || c.OfferID != "ten" || c.Variant != "a" || written[1].Variant != "b" {
		t.Errorf("creative %+v", c)
	}
	// 1000 × 500/1e6 + 500 × 2000/1e6 = 1.5, rounded up to 2 and shared.
	if c.Cost != (lifecycle.Money{Amount: 1, Currency: "USD"}) || written[1].Cost.Amount != 1 {
		t.Errorf("costs %v and %v", c.Cost, written[1].Cost)
	}
	for _, must := range []string{"Tea &amp; biscuits", `{{ first_name | default: "there" }}`, "{{ unsubscribe_url }}", "{{ brand.address }}", "{{ offer.label }}"} {
		if !strings.Contains(c.Parts.HTML, must) {
			t.Errorf("html lacks %s", must)
		}
	}
	if _, err := copywriter.NewRenderer().Render(c, copywriter.SampleFields()); err != nil {
		t.Errorf("does not render: %v", err)
	}

	req := f.requests[0]
	messages := req["messages"].([]any)
	if len(messages) != 2 {
		t.Fatalf("%d messages", len(messages))
	}
	var order map[string]any
	if err := json.Unmarshal([]byte(messages[1].(map[string]any)["content"].(string)), &order); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"slot", "goal", "tone", "offer", "merge_fields", "shop_url", "prefer_words", "avoid_words", "facts", "variants"} {
		if order[key] == nil {
			t.Errorf("order lacks %s", key)
		}
	}
	if o := order["offer"].(map[string]any); o["label"] != tenPercent.Label || o["code"] != "TEN" || len(order) != 10 {
		t.Errorf("order %v", order)
	}
	format := req["response_format"].(map[string]any)
	schema := format["json_schema"].(map[string]any)
	if format["type"] != "json_schema" || schema["strict"] != true {
		t.Errorf("format %v", format)
	}
	checkStrict(t, "answer", schema["schema"])
	if req["max_tokens"] == nil || req["max_completion_tokens"] != nil || req["temperature"] != nil {
		t.Errorf("parameters %v", req)
	}
}

// checkStrict asserts the rules of strict structured output.
func checkStrict(t *testing.T, path string, node any) {
	t.Helper()
	s, ok := node.(map[string]any)
	if !ok {
		return
	}
	for _, k := range []string{"minLength", "maxLength", "minItems", "maxItems", "pattern", "oneOf", "allOf", "not"} {
		if _, has := s[k]; has {
			t.Errorf("%s: keyword %s is not portable", path, k)
		}
	}
	if s["type"] == "object" {
		properties := s["properties"].(map[string]any)
		if s["additionalProperties"] != false || len(s["required"].([]any)) != len(properties) {
			t.Errorf("%s: not strict", path)
		}
		for name, p := range properties {
			checkStrict(t, path+"."+name, p)
		}
	}
	checkStrict(t, path+"[]", s["items"])
}

func TestReasoningModelsGetTheirParameters(t *testing.T) {
	t.Parallel()
	f := &fakeModel{answer: always(answerOf(goodVariant("One")))}
	half := 0.5
	for _, name := range []string{"gpt-5-mini", "o3"} {
		m := newModel(t, f, func(c *copywriter.ModelConfig) { c.Model, c.Temperature = name, &half }, nil)
		if _, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil)); err != nil {
			t.Fatal(err)
		}
	}
	zero := 0.0
	m := newModel(t, f, func(c *copywriter.ModelConfig) { c.Temperature, c.TokensParam = &zero, "max_completion_tokens" }, nil)
	if _, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil)); err != nil {
		t.Fatal(err)
	}
	for i, req := range f.requests {
		if req["max_completion_tokens"] == nil || req["max_tokens"] != nil {
			t.Errorf("request %d: %v", i, req)
		}
		if _, sent := req["temperature"]; sent != (i == 2) {
			t.Errorf("request %d: temperature %v", i, req["temperature"])
		}
	}
	var order map[string]any
	user := f.requests[0]["messages"].([]any)[1].(map[string]any)["content"].(string)
	if err := json.Unmarshal([]byte(user), &order); err != nil || order["offer"] != nil || !strings.Contains(user, `"offer":null`) {
		t.Errorf("no offer is written %v", order["offer"])
	}
}

func TestFormatsStepDownForServersThatRefuse(t *testing.T) {
	t.Parallel()
	f := &fakeModel{answer: func(_ int, req map[string]any, w http.ResponseWriter) {
		if format, ok := req["response_format"].(map[string]any); ok {
			apiError(w, 400, fmt.Sprintf("response_format %v is not supported", format["type"]), "invalid_request_error", "response_format", "")
			return
		}
		if !strings.Contains(fmt.Sprint(req["messages"]), "additionalProperties") {
			http.Error(w, "no schema in the prompt", http.StatusTeapot)
			return
		}
		completion(w, "Sure, here you are:\n```json\n"+answerOf(goodVariant("One"))+"\n```", "stop", "")
	}}
	m := newModel(t, f, nil, nil)
	for range 2 {
		if _, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.requests) != 4 {
		t.Errorf("%d requests, want 3 to find the way and 1 that remembers it", len(f.requests))
	}
}

func TestModelFailures(t *testing.T) {
	t.Parallel()
	spoiled := func(key string, value any) string {
		v := goodVariant("One")
		v[key] = value
		return answerOf(v)
	}
	cases := map[string]struct {
		answer func(int, map[string]any, http.ResponseWriter)
		kind   copywriter.FailureKind
		code   lifecycle.Code
	}{
		"refusal": {func(_ int, _ map[string]any, w http.ResponseWriter) { completion(w, "", "stop", "I cannot write this") }, copywriter.ModelRefused, lifecycle.Invalid},
		"length": {func(_ int, _ map[string]any, w http.ResponseWriter) {
			completion(w, `{"variants":[{"sub`, "length", "")
		}, copywriter.ModelTruncated, lifecycle.Invalid},
		"filter": {func(_ int, _ map[string]any, w http.ResponseWriter) { completion(w, "", "content_filter", "") }, copywriter.ModelFiltered, lifecycle.Invalid},
		"quota": {func(_ int, _ map[string]any, w http.ResponseWriter) {
			apiError(w, 429, "You exceeded your current quota", "insufficient_quota", "", "insufficient_quota")
		}, copywriter.ModelQuota, lifecycle.RateLimited},
		"throttled": {func(_ int, _ map[string]any, w http.ResponseWriter) {
			w.Header().Set("X-Ratelimit-Reset-Requests", "6m0s")
			apiError(w, 429, "slow down", "requests", "", "rate_limit_exceeded")
		}, copywriter.ModelThrottled, lifecycle.RateLimited},
		"bad key": {func(_ int, _ map[string]any, w http.ResponseWriter) {
			apiError(w, 401, "bad key", "", "", "invalid_api_key")
		}, copywriter.ModelMisconfigured, lifecycle.Forbidden},
		"server error":           {func(_ int, _ map[string]any, w http.ResponseWriter) { apiError(w, 500, "oops", "server_error", "", "") }, copywriter.ModelDown, lifecycle.Unavailable},
		"html page":              {func(_ int, _ map[string]any, w http.ResponseWriter) { w.WriteHeader(503); fmt.Fprint(w, "<html>") }, copywriter.ModelDown, lifecycle.Unavailable},
		"cut":                    {func(int, map[string]any, http.ResponseWriter) { panic(http.ErrAbortHandler) }, copywriter.ModelDown, lifecycle.Unavailable},
		"no choices":             {func(_ int, _ map[string]any, w http.ResponseWriter) { fmt.Fprint(w, `{"choices":[]}`) }, copywriter.ModelMalformed, lifecycle.Invalid},
		"prose":                  {always("I would write: hello"), copywriter.ModelMalformed, lifecycle.Invalid},
		"extra key":              {always(spoiled("html", "<b>")), copywriter.ModelMalformed, lifecycle.Invalid},
		"long subject":           {always(spoiled("subject", strings.Repeat("x", 500))), copywriter.ModelMalformed, lifecycle.Invalid},
		"two lines":              {always(spoiled("subject", "Hi\nBcc: x")), copywriter.ModelMalformed, lifecycle.Invalid},
		"markup":                 {always(spoiled("headline", "<b>Hi</b>")), copywriter.ModelMalformed, lifecycle.Invalid},
		"link":                   {always(spoiled("closing", "see https://evil.example")), copywriter.ModelMalformed, lifecycle.Invalid},
		"domain":                 {always(spoiled("closing", "see evil-shop.com")), copywriter.ModelMalformed, lifecycle.Invalid},
		"unknown field":          {always(spoiled("headline", "{{ email }}")), copywriter.ModelMalformed, lifecycle.Invalid},
		"field not allowed here": {always(spoiled("headline", "{{ offer.code }}")), copywriter.ModelMalformed, lifecycle.Invalid},
		"template tag":           {always(spoiled("headline", "{% if first_name %}x{% endif %}")), copywriter.ModelMalformed, lifecycle.Invalid},
		"slow":                   {func(int, map[string]any, http.ResponseWriter) { time.Sleep(600 * time.Millisecond) }, copywriter.ModelSlow, lifecycle.Unavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t, &fakeModel{answer: c.answer}, func(cfg *copywriter.ModelConfig) { cfg.Timeout = 300 * time.Millisecond }, nil)
			_, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil))
			f := copywriter.FailureOf(err)
			if f == nil || f.Kind != c.kind || lifecycle.CodeOf(err) != c.code {
				t.Fatalf("got %v (code %s), want %s (code %s)", err, lifecycle.CodeOf(err), c.kind, c.code)
			}
			if name == "throttled" && f.RetryAfter != 6*time.Minute {
				t.Errorf("retry after %v", f.RetryAfter)
			}
		})
	}
}

func TestShortThrottleIsWaitedOutOnce(t *testing.T) {
	t.Parallel()
	f := &fakeModel{answer: func(call int, _ map[string]any, w http.ResponseWriter) {
		if call == 1 {
			w.Header().Set("Retry-After", "0.05")
			apiError(w, 429, "slow down", "requests", "", "rate_limit_exceeded")
			return
		}
		completion(w, answerOf(goodVariant("One")), "stop", "")
	}}
	if _, err := newModel(t, f, nil, nil).Write(t.Context(), brief("winback", lifecycle.Email, nil)); err != nil || len(f.requests) != 2 {
		t.Errorf("%d requests, %v", len(f.requests), err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	at := testNow
	budget := copywriter.NewDailyBudget(lifecycle.Money{Amount: 3, Currency: "USD"}, time.UTC, func() time.Time { return at })
	f := &fakeModel{answer: always("not json")} // unusable answers cost as well
	m := newModel(t, f, nil, budget)
	kinds := []copywriter.FailureKind{copywriter.ModelMalformed, copywriter.ModelMalformed, copywriter.OverBudget}
	for i, want := range kinds {
		_, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil))
		if got := copywriter.FailureOf(err); got == nil || got.Kind != want {
			t.Fatalf("call %d: %v, want %s", i, err, want)
		}
	}
	if len(f.requests) != 2 {
		t.Errorf("%d requests", len(f.requests))
	}
	at = at.Add(24 * time.Hour)
	if left, err := budget.Left(context.Background()); err != nil || left.Amount != 3 {
		t.Errorf("next day %v, %v left", left, err)
	}
	if err := budget.Spend(context.Background(), lifecycle.Money{Amount: 1, Currency: "EUR"}); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("another currency: %v", err)
	}
}

func TestTextMessageNeedsNoLinkOfItsOwn(t *testing.T) {
	t.Parallel()
	v := goodVariant("One")
	v["sms_text"] = "Welcome back. https://shop.example.com/"
	m := newModel(t, &fakeModel{answer: always(answerOf(v))}, nil, nil)
	written, err := m.Write(t.Context(), brief("winback", lifecycle.SMS, nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := "{{ brand.sms_name | default: brand.name }}: Welcome back. {{ shop_url }} Reply STOP to opt out"; written[0].Parts.Text != want {
		t.Errorf("text %q, want %q", written[0].Parts.Text, want)
	}
	v["sms_text"] = "Welcome back. https://evil.example.com/"
	m = newModel(t, &fakeModel{answer: always(answerOf(v))}, nil, nil)
	if _, err := m.Write(t.Context(), brief("winback", lifecycle.SMS, nil)); copywriter.FailureOf(err) == nil {
		t.Errorf("a foreign link: %v", err)
	}
	if _, err := m.Write(t.Context(), brief("winback", lifecycle.Email, nil)); err != nil {
		t.Errorf("an e-mail does not use the text message: %v", err)
	}
}

func TestModelConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []copywriter.ModelConfig{
		{BaseURL: "api.example.com", Model: "m"}, {BaseURL: "https://api.example.com/v1"},
		{BaseURL: "https://api.example.com/v1", Model: "m", TokensParam: "tokens"}, {BaseURL: "https://api.example.com/v1", Model: "m", InputPrice: -1},
	} {
		if _, err := copywriter.NewModel(cfg, nil, clock); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("NewModel(%+v) = %v", cfg, err)
		}
	}
}
