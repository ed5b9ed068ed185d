package copywriter

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// PromptVersion names the prompt files in use; it changes with any of them.
const PromptVersion = "v1"

//go:embed prompts/v1/system.md
var systemPrompt string

// order is the user message. Its JSON names are part of the prompt.
type order struct {
	Slot        string      `json:"slot"`
	Goal        string      `json:"goal"`
	Tone        string      `json:"tone"`
	Offer       *orderOffer `json:"offer"`
	MergeFields []string    `json:"merge_fields"`
	ShopURL     string      `json:"shop_url"`
	PreferWords []string    `json:"prefer_words"`
	AvoidWords  []string    `json:"avoid_words"`
	Facts       []string    `json:"facts"`
	Variants    int         `json:"variants"`
}

type orderOffer struct {
	Label string `json:"label"`
	Code  string `json:"code"`
}

// messages returns the system and user message of a brief. withSchema puts the
// answer's schema into the prompt, for servers that cannot enforce it.
func messages(b Brief, withSchema bool) (system, user string, err error) {
	o := order{
		Slot: b.Slot, Goal: b.Goal, Tone: b.Brand.Voice.Tone, MergeFields: b.Fields(), ShopURL: b.Brand.Links.Shop,
		PreferWords: list(b.Brand.Voice.Prefer), AvoidWords: list(b.Brand.Voice.Avoid), Facts: list(b.Brand.Voice.Facts),
		Variants: b.Variants,
	}
	if b.Offer != nil {
		o.Offer = &orderOffer{Label: b.Offer.Label, Code: b.Offer.Code}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return "", "", fmt.Errorf("encode the order: %w", err)
	}
	system = systemPrompt
	if withSchema {
		system += "\nAnswer with JSON only, matching this JSON Schema:\n" + string(answerSchema)
	}
	return system, string(raw), nil
}

// list turns a nil slice into an empty one, so that JSON shows [].
func list(s []string) []string { return append([]string{}, s...) }
