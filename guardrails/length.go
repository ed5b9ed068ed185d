package guardrails

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var lengthRule = Rule{
	Name:    "length",
	Doc:     "Notes a subject or preheader that inboxes will cut off, and asks a person when it is far too long. In characters, limits from the policy.",
	Source:  "practice: inboxes show about 60 characters of a subject and 110 of a preheader",
	Content: true,
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.Channel != lifecycle.Email {
			return nil
		}
		var findings []lifecycle.Finding
		check := func(name, text string, note, review int) {
			n := utf8.RuneCountInString(strings.TrimSpace(text))
			outcome, limit := lifecycle.Allow, note
			if n > review {
				outcome, limit = lifecycle.Review, review
			}
			if n > limit {
				findings = append(findings, lifecycle.Finding{
					Outcome: outcome, Value: fmt.Sprint(n), Limit: fmt.Sprint(limit),
					Reason: fmt.Sprintf("the %s has %d characters; inboxes show about %d", name, n, note),
				})
			}
		}
		check("subject", t.Message.Subject, p.Length.SubjectNote, p.Length.SubjectReview)
		check("preheader", t.Message.Preheader, p.Length.PreheaderNote, p.Length.PreheaderReview)
		return findings
	},
	Examples: []Example{
		{Name: "short", Want: lifecycle.Allow},
		{Name: "a little long is only noted", Change: func(t *Touch) { t.Message.Subject = strings.Repeat("word ", 16) }, Want: lifecycle.Allow},
		{Name: "much too long", Change: func(t *Touch) { t.Message.Subject = strings.Repeat("word ", 30) }, Want: lifecycle.Review},
		{Name: "preheader much too long", Change: func(t *Touch) { t.Message.Preheader = strings.Repeat("word ", 40) }, Want: lifecycle.Review},
		{Name: "characters, not bytes", Change: func(t *Touch) { t.Message.Subject = strings.Repeat("ü", 90) }, Want: lifecycle.Allow},
	},
}
