package copywriter

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"touchstone/internal/lifecycle"
)

// Copy is what a writer writes: words with merge fields, nothing else. HTML,
// links, addresses, offer terms and codes are added by the layout.
type Copy struct {
	Subject      string   `json:"subject"`
	Preheader    string   `json:"preheader"`
	Headline     string   `json:"headline"`
	Paragraphs   []string `json:"paragraphs"`
	CallToAction string   `json:"call_to_action"`
	Closing      string   `json:"closing"`
	SMSText      string   `json:"sms_text"`
}

// answerSchema is the schema sent to models: the portable subset of strict
// mode, with every property required and no length limits.
//
//go:embed prompts/v1/answer.schema.json
var answerSchema []byte

// limitsSchema is what an answer must satisfy here, lengths included.
//
//go:embed prompts/v1/limits.schema.json
var limitsSchema []byte

var limits = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(limitsSchema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("limits.schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("limits.schema.json")
})

// parseAnswer reads and validates a model's answer.
func parseAnswer(text string) ([]Copy, error) {
	text = jsonObject(text)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("answer is not JSON: %w", err)
	}
	schema, err := limits()
	if err != nil {
		return nil, fmt.Errorf("embedded schema: %w", err)
	}
	if err := schema.Validate(doc); err != nil {
		return nil, fmt.Errorf("answer does not fit the schema: %w", err)
	}
	var answer struct {
		Variants []Copy `json:"variants"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, fmt.Errorf("answer is not the expected object: %w", err)
	}
	return answer.Variants, nil
}

// jsonObject cuts code fences and chatter around the outermost object, which
// servers without a JSON mode add.
func jsonObject(text string) string {
	start, end := strings.Index(text, "{"), strings.LastIndex(text, "}")
	if start < 0 || end < start {
		return text
	}
	return text[start : end+1]
}

var markup = regexp.MustCompile(`(?i)<\s*[a-z/!]|https?:|www\.|\]\(|[a-z0-9-]+\.(com|net|org|shop|store|io|co)\b|[^\s@]+@[^\s@]+\.[a-z]`)

// tidy drops the shop's address from the text message: models like to end on
// the address the order named, and the layout adds it anyway.
func (c Copy) tidy(shopURL string) Copy {
	if shopURL != "" {
		c.SMSText = strings.TrimSpace(strings.ReplaceAll(c.SMSText, shopURL, ""))
	}
	return c
}

// check refuses copy with markup, links, template tags or fields outside the
// allowed ones, in the texts the channel uses.
func (c Copy) check(channel lifecycle.Channel, allowed []string) error {
	texts := c.texts(channel)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		s := texts[name]
		if s == "" && name != "preheader" && name != "closing" {
			return fmt.Errorf("%s is empty", name)
		}
		nodes, err := parseSource(s)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, n := range nodes {
			switch n.kind {
			case tagNode:
				return fmt.Errorf("%s: template tags are not for written copy", name)
			case textNode:
				if found := markup.FindString(n.text); found != "" {
					return fmt.Errorf("%s: markup or a link (%q): the layout adds those", name, found)
				}
			}
			for _, f := range n.fields {
				if !slices.Contains(allowed, f) {
					return fmt.Errorf("%s: merge field %s is not allowed in this slot: use some of %s", name, f, strings.Join(allowed, ", "))
				}
			}
		}
	}
	return nil
}

// texts lists the texts that go into a message of the channel, by name.
func (c Copy) texts(channel lifecycle.Channel) map[string]string {
	switch channel {
	case lifecycle.SMS, lifecycle.WhatsApp:
		return map[string]string{"sms_text": c.SMSText}
	case lifecycle.Push, lifecycle.Web:
		return map[string]string{"headline": c.Headline, "paragraphs[0]": strings.Join(c.Paragraphs[:min(1, len(c.Paragraphs))], "")}
	}
	m := map[string]string{
		"subject": c.Subject, "preheader": c.Preheader, "headline": c.Headline, "call_to_action": c.CallToAction, "closing": c.Closing,
	}
	for i, p := range c.Paragraphs {
		m[fmt.Sprintf("paragraphs[%d]", i)] = p
	}
	return m
}
