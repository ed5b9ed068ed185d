package guardrails

import (
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var topicRule = Rule{
	Name:   "topic",
	Doc:    "Blocks marketing about a topic that the customer left on the preference page. A touch is about the topic that it or its journey names, by topic: or by a tag; a touch about several is blocked when one of them was left.",
	Source: "GDPR Art. 7(3) and 21(2); 15 USC 7704(a)(3)(B): a menu of choices is honoured",
	Check: func(t Touch, _ *Policy, _ *brand.Brand) []lifecycle.Finding {
		if !t.marketing() {
			return nil
		}
		topic, left := t.Customer.Wishes.HasLeft(t.Tags)
		if !left {
			return nil
		}
		return one(lifecycle.Block, topic+" left", "topics the customer wants", "the customer does not want to hear about "+topic)
	},
	Examples: []Example{
		{Name: "no topic left", Change: about("offers"), Want: lifecycle.Allow},
		{Name: "this topic left", Change: about("offers", "offers"), Want: lifecycle.Block},
		{Name: "another topic left", Change: about("offers", "news", "tips"), Want: lifecycle.Allow},
		{Name: "no topic named", Change: func(t *Touch) { t.Customer.Wishes.Left = []string{"offers"} }, Want: lifecycle.Allow},
		{Name: "receipt", Change: func(t *Touch) {
			about("offers", "offers")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
	},
}

// about makes the touch one about a topic, for a customer who left others.
func about(topic string, left ...string) func(*Touch) {
	return func(t *Touch) {
		t.Tags = append(t.Tags, topic)
		t.Customer.Wishes.Left = left
	}
}
