package guardrails

import (
	"fmt"
	"strings"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var toneRule = Rule{
	Name:    "tone",
	Doc:     "Blocks words the brand never uses. Asks a person when there are more exclamation marks than the brand allows, more capitals than the policy allows, or when an English text takes more school years to read than the policy allows (Flesch-Kincaid, from 30 words on).",
	Source:  "the brand file; J. P. Kincaid et al., Derivation of new readability formulas, 1975",
	Content: true,
	Check: func(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding {
		c := t.read()
		for _, avoid := range b.Voice.Avoid {
			phrase := words(avoid)
			for _, part := range c.parts {
				if _, ok := says(part.tokens, phrase); ok {
					return one(lifecycle.Block, avoid, "not in the brand's voice", "the "+part.name+" says \""+avoid+"\", which the brand never does")
				}
			}
		}
		var findings []lifecycle.Finding
		if n := exclamations(c); n > b.Voice.MaxExclamations {
			findings = append(findings, lifecycle.Finding{
				Outcome: lifecycle.Review, Value: fmt.Sprint(n), Limit: fmt.Sprint(b.Voice.MaxExclamations),
				Reason: fmt.Sprintf("%d exclamation marks; the brand allows %d", n, b.Voice.MaxExclamations),
			})
		}
		if t.Approved || t.Creative.Status == lifecycle.CreativeApproved {
			return findings // a person already read the copy; spare every touch the counting
		}
		text := c.part("text")
		if upper, lower := shouting(c); upper+lower >= 40 && float64(upper) > p.Tone.Capitals*float64(upper+lower) {
			share := float64(upper) / float64(upper+lower)
			findings = append(findings, lifecycle.Finding{
				Outcome: lifecycle.Review, Value: fmt.Sprintf("%.0f%%", 100*share), Limit: fmt.Sprintf("%.0f%%", 100*p.Tone.Capitals),
				Reason: fmt.Sprintf("%.0f%% of the letters are capitals", 100*share),
			})
		}
		if english(t.Customer.Customer.Locale) {
			if grade, enough := readingGrade(text.text); enough && grade > p.Tone.Grade {
				findings = append(findings, lifecycle.Finding{
					Outcome: lifecycle.Review, Value: fmt.Sprintf("grade %.1f", grade), Limit: fmt.Sprintf("grade %.1f", p.Tone.Grade),
					Reason: fmt.Sprintf("the text needs %.1f school years to read; use shorter sentences and words", grade),
				})
			}
		}
		return findings
	},
	Examples: []Example{
		{Name: "calm", Want: lifecycle.Allow},
		{Name: "word to avoid", Change: mailSaying("A crazy chair"), Want: lifecycle.Block},
		{Name: "phrase to avoid across a line", Change: mailSaying("You can buy\nNOW"), Want: lifecycle.Block},
		{Name: "part of a word", Change: mailSaying("A cheapest-first list"), Want: lifecycle.Allow},
		{Name: "one exclamation mark is allowed", Change: mailSaying("Welcome home!"), Want: lifecycle.Allow},
		{Name: "three are not", Change: mailSaying("Welcome! Home! Again!"), Want: lifecycle.Review},
		{Name: "shouting", Change: func(t *Touch) {
			t.Message.Text = "WE MADE SOMETHING FOR YOU AND WOULD LOVE TO SHOW IT TO YOU. COME AND SEE."
		}, Want: lifecycle.Review},
		{Name: "hard to read", Change: func(t *Touch) {
			t.Message.Text = strings.Repeat("Notwithstanding considerable organisational complexities, international manufacturers increasingly appreciate environmentally responsible alternatives, ", 4)
		}, Want: lifecycle.Review},
		{Name: "hard to read, in German", Change: func(t *Touch) {
			t.Customer.Customer.Locale = "de-DE"
			t.Message.Text = strings.Repeat("Unbeschadet erheblicher organisatorischer Verwicklungen schätzen internationale Herstellungsbetriebe umweltverträgliche Werkstoffe, ", 4)
		}, Want: lifecycle.Allow},
	},
}

// exclamations in what one reader sees: subject, preheader and the fuller of
// the two bodies.
func exclamations(c *content) int {
	count := func(p part) int { return strings.Count(p.text, "!") }
	return count(c.part("subject")) + count(c.part("preheader")) + max(count(c.part("HTML")), count(c.part("text")))
}

// shouting counts letters of subject and text that are not part of an address.
func shouting(c *content) (upper, lower int) {
	for _, name := range []string{"subject", "text"} {
		for field := range strings.FieldsSeq(c.part(name).text) {
			if !address(field) {
				u, l := cases(field)
				upper, lower = upper+u, lower+l
			}
		}
	}
	return upper, lower
}

func english(locale string) bool {
	return locale == "" || locale == "en" || strings.HasPrefix(locale, "en-") || strings.HasPrefix(locale, "en_")
}

// minGradedWords is how many words a grade needs to mean anything.
const minGradedWords = 30

// readingGrade is the Flesch-Kincaid grade level
//
//	0.39 words/sentences + 11.8 syllables/words - 15.59
//
// of an English text, and whether there are words enough. Addresses are left
// out and a blank line ends a sentence, as list items and greetings do.
func readingGrade(text string) (float64, bool) {
	wordCount, sentences, syllables, open := 0, 0, 0, false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) == "" && open {
			sentences, open = sentences+1, false
		}
		for field := range strings.FieldsSeq(line) {
			if address(field) {
				continue
			}
			if n := syllablesOf(field); n > 0 {
				wordCount, syllables, open = wordCount+1, syllables+n, true
			}
			if open && endsSentence(field) {
				sentences, open = sentences+1, false
			}
		}
	}
	if open {
		sentences++
	}
	if wordCount < minGradedWords {
		return 0, false
	}
	return 0.39*float64(wordCount)/float64(sentences) + 11.8*float64(syllables)/float64(wordCount) - 15.59, true
}

// address reports whether a word is a link or an e-mail address.
func address(field string) bool {
	return strings.IndexByte(field, '@') >= 0 || strings.IndexByte(field, ':') >= 0 && strings.Contains(field, "://")
}

// endsSentence looks at the last mark of a word, closing quotes aside.
func endsSentence(field string) bool {
	for i := len(field) - 1; i >= 0; i-- {
		switch field[i] {
		case '.', '!', '?', ':':
			return true
		case '"', '\'', ')', ']', 0x99, 0x9d: // the last bytes of curly closing quotes
		case 0x80, 0xe2: // their first bytes
		default:
			return false
		}
	}
	return false
}

// syllablesOf counts groups of vowels, a silent final e not; words without
// letters have none.
func syllablesOf(s string) int {
	n, letters, vowel, last, before := 0, 0, false, byte(0), byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20 // lower case for letters
		if c < 'a' || c > 'z' {
			vowel = false
			continue
		}
		letters++
		v := c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y'
		if v && !vowel {
			n++
		}
		vowel, before, last = v, last, c
	}
	if letters == 0 {
		return 0
	}
	if n > 1 && last == 'e' && before != 'l' {
		n--
	}
	return max(n, 1)
}
