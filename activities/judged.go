package activities

import (
	"fmt"
	"strings"
	"sync"

	"touchstone/guardrails"
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// judgedCopy remembers messages that passed the content rules without any
// objection, by everything those rules look at. Messages that differ in their
// unsubscribe link only are the same message: in a broadcast most are.
type judgedCopy struct {
	mu     sync.Mutex
	passed map[judgedKey]struct{}
}

// judgedKey is what the content rules look at, besides the brand, which does not
// change while a worker runs.
type judgedKey struct {
	words    lifecycle.Parts // without the unsubscribe link
	creative lifecycle.CreativeID
	status   lifecycle.CreativeStatus
	channel  lifecycle.Channel
	class    lifecycle.MessageClass
	stage    guardrails.Stage
	offer    string
	amounts  string
	locale   string
	policy   string // version in force
}

// judgedLimit bounds what is remembered, some megabytes; beyond it all is
// forgotten.
const judgedLimit = 1024

func keyOf(t guardrails.Touch, policy *guardrails.Policy) judgedKey {
	k := judgedKey{
		words: lifecycle.Parts{
			Subject: t.Message.Subject, Preheader: t.Message.Preheader,
			HTML: strings.ReplaceAll(t.Message.HTML, t.Message.UnsubscribeURL, ""), Text: strings.ReplaceAll(t.Message.Text, t.Message.UnsubscribeURL, ""),
		},
		creative: t.Creative.ID, status: t.Creative.Status, channel: t.Channel, class: t.Class, stage: t.Stage,
		locale: t.Customer.Customer.Locale, policy: policy.At(t.At).Version,
	}
	if t.Offer != nil {
		k.offer = t.Offer.ID
	}
	if len(t.Amounts) > 0 {
		k.amounts = fmt.Sprint(t.Amounts)
	}
	return k
}

func (j *judgedCopy) has(k judgedKey) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, known := j.passed[k]
	return known
}

func (j *judgedCopy) add(k judgedKey) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.passed == nil || len(j.passed) >= judgedLimit {
		j.passed = map[judgedKey]struct{}{}
	}
	j.passed[k] = struct{}{}
}

// ask lets the guardrails judge a touch; the content rules are only asked about
// messages that have not passed them yet. A touch with an offer is always asked
// everything: what may be said of it depends on the day.
func (j *judgedCopy) ask(t guardrails.Touch, policy *guardrails.Policy, b *brand.Brand) lifecycle.Verdict {
	if t.Offer != nil || t.Message.UnsubscribeURL == "" {
		return guardrails.Judge(t, policy, b)
	}
	key := keyOf(t, policy)
	t.ContentJudged = j.has(key)
	verdict := guardrails.Judge(t, policy, b)
	if !t.ContentJudged && verdict.Outcome == lifecycle.Allow && len(verdict.Findings) == 0 {
		j.add(key)
	}
	return verdict
}
