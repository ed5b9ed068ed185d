package guardrails

import (
	"strings"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var mergeFieldsRule = Rule{
	Name:    "merge-fields",
	Doc:     "Blocks a message in which a merge field was not filled: template marks left over, an empty greeting (\"Hi ,\"), a line that starts with a comma, or a placeholder such as null or undefined.",
	Source:  "practice: rendered copy is checked again for every touch",
	Content: true,
	Check: func(t Touch, _ *Policy, _ *brand.Brand) []lifecycle.Finding {
		c := t.read()
		for _, p := range c.parts {
			if left := leftover(p); left != "" {
				return one(lifecycle.Block, left+" in the "+p.name, "every field filled", "a merge field is not filled: "+left+" in the "+p.name)
			}
		}
		for _, v := range c.markup.values {
			if mark := templateMark(v); mark != "" {
				return one(lifecycle.Block, mark+" in an attribute of the HTML", "every field filled", "a merge field is not filled: "+mark+" in an attribute of the HTML")
			}
		}
		return nil
	},
	Examples: []Example{
		{Name: "all filled", Want: lifecycle.Allow},
		{Name: "mark left in the subject", Change: func(t *Touch) { t.Message.Subject = "For you, {{ first_name }}" }, Want: lifecycle.Block},
		{Name: "closing mark", Change: mailSaying("Dear }} friend"), Want: lifecycle.Block},
		{Name: "tag left", Change: mailSaying("{% if x %}"), Want: lifecycle.Block},
		{Name: "mark in a link", Change: replaceHTML("/collections/chairs", "/{{ slug }}"), Want: lifecycle.Block},
		{Name: "nested style rules are not a mark", Change: replaceHTML("<body>", "<style>@media screen{p{color:red}}</style><body>"), Want: lifecycle.Allow},
		{Name: "empty greeting", Change: mailSaying("Hi ,"), Want: lifecycle.Block},
		{Name: "greeting without a name", Change: mailSaying("Hi,"), Want: lifecycle.Allow},
		{Name: "dear nobody", Change: mailSaying("Dear,"), Want: lifecycle.Block},
		{Name: "subject starts with a comma", Change: func(t *Touch) { t.Message.Subject = ", we miss you" }, Want: lifecycle.Block},
		{Name: "null", Change: mailSaying("Your null is waiting"), Want: lifecycle.Block},
		{Name: "null and void is English", Change: mailSaying("The old terms are null and void"), Want: lifecycle.Allow},
		{Name: "undefined", Change: func(t *Touch) { t.Message.Preheader = "Hello undefined" }, Want: lifecycle.Block},
		{Name: "an object", Change: mailSaying("Your [object Object] is waiting"), Want: lifecycle.Block},
	},
}

var templateMarks = []string{"{{", "}}", "{%", "%}", "[object Object]", "<no value>", "%!s(", "%!d("}

func templateMark(s string) string {
	if !strings.ContainsAny(s, "{}[<%") {
		return ""
	}
	for _, mark := range templateMarks {
		if strings.Contains(s, mark) {
			return mark
		}
	}
	return ""
}

var greetings = map[string]bool{
	"hi": true, "hello": true, "hey": true, "dear": true, "hallo": true, "liebe": true, "lieber": true,
	"bonjour": true, "hola": true, "ciao": true, "morning": true, "evening": true, "afternoon": true,
}

// leftover names what an unfilled field left in a text, "" for nothing.
func leftover(p part) string {
	if mark := templateMark(p.text); mark != "" {
		return mark
	}
	for i := range p.tokens {
		t := &p.tokens[i]
		switch {
		case t.class == 0 && t.kind != symbol:
		case t.kind == symbol && t.text == ",":
			if i == 0 || p.tokens[i-1].kind == brk {
				return "a line that starts with a comma"
			}
			before := p.tokens[i-1]
			if before.kind == word && greetings[before.text] && (before.end < t.start || before.text == "dear") {
				return "an empty greeting"
			}
		case t.kind == word && t.text == "null":
			if _, english := says(p.tokens[i:min(i+3, len(p.tokens))], []string{"null", "and", "void"}); !english {
				return "null"
			}
		case t.kind == word && t.text == "undefined":
			return "undefined"
		}
	}
	return ""
}
