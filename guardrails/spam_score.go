package guardrails

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var spamScoreRule = Rule{
	Name:    "spam-score",
	Doc:     "Adds up what content filters count against an e-mail: capitals, images with few words, get-rich phrases, hidden text, forbidden elements, a reply prefix that is not true. From the policy's review score on a person looks, from its block score on the mail is blocked. Single words are scored, not banned.",
	Source:  "weights after the rules of Apache SpamAssassin (threshold 5.0); Google sender guidelines on hidden content and Re:",
	Content: true,
	Check: func(t Touch, p *Policy, _ *brand.Brand) []lifecycle.Finding {
		if t.Channel != lifecycle.Email {
			return nil
		}
		score, why := spamScore(t.read())
		outcome, limit := lifecycle.Allow, p.Spam.Review
		switch {
		case score >= p.Spam.Block:
			outcome, limit = lifecycle.Block, p.Spam.Block
		case score >= p.Spam.Review:
			outcome = lifecycle.Review
		default:
			return nil
		}
		return one(outcome, fmt.Sprintf("%.1f", score), fmt.Sprintf("below %.1f", limit), fmt.Sprintf("spam score %.1f: %s", score, why))
	},
	Examples: []Example{
		{Name: "plain", Want: lifecycle.Allow},
		{Name: "one loud subject is not enough", Change: func(t *Touch) { t.Message.Subject = "NEW CHAIRS ARE HERE" }, Want: lifecycle.Allow},
		{Name: "image only", Change: func(t *Touch) {
			t.Message.HTML = `<img src="https://shop.example/a.png" alt="">`
		}, Want: lifecycle.Review},
		{Name: "false reply", Change: func(t *Touch) { t.Message.Subject = "Re: your order" }, Want: lifecycle.Review},
		{Name: "get-rich phrases", Change: mailSaying("100% guaranteed, risk free, unclaimed money, free quote"), Want: lifecycle.Block},
		{Name: "script", Change: mailSaying("<script>alert(1)</script>"), Want: lifecycle.Block},
		{Name: "text message", Change: smsSaying("UNCLAIMED MONEY 100% GUARANTEED"), Want: lifecycle.Allow},
	},
}

// spamPhrases and their points.
var spamPhrases = []struct {
	words  []string
	points float64
}{
	{[]string{"100", "guaranteed"}, 2.6},
	{[]string{"unclaimed", "money"}, 2.6},
	{[]string{"free", "quote"}, 2.0},
	{[]string{"money", "back"}, 1.0},
	{[]string{"risk", "free"}, 0.8},
	{[]string{"no", "obligation"}, 0.8},
	{[]string{"you", "have", "won"}, 1.5},
	{[]string{"you", "are", "a", "winner"}, 1.5},
	{[]string{"extra", "income"}, 1.5},
	{[]string{"earn", "money"}, 1.0},
	{[]string{"act", "now"}, 0.5},
	{[]string{"click", "here"}, 0.3},
	{[]string{"dear", "friend"}, 1.0},
}

// wordsBesideImages: an image with fewer bytes of words than this costs points.
var wordsBesideImages = []struct {
	below  int
	points float64
}{{400, 2.0}, {800, 1.0}, {1600, 0.6}, {3200, 0.3}}

// spamScore is the sum of points, rounded to a tenth, and its parts in words,
// heaviest first.
func spamScore(c *content) (float64, string) {
	type part struct {
		what   string
		points float64
	}
	var parts []part
	add := func(points float64, what string) { parts = append(parts, part{what, points}) }

	subject := c.part("subject")
	if upper, lower := cases(subject.text); upper >= 6 && lower == 0 && strings.Contains(strings.TrimSpace(subject.text), " ") {
		add(0.5, "subject in capitals")
	}
	if strings.Contains(subject.text, "!") && strings.Contains(subject.text, "?") {
		add(0.1, "! and ? in the subject")
	}
	if prefix, _, found := strings.Cut(strings.ToLower(strings.TrimSpace(subject.text)), ":"); found && (prefix == "re" || prefix == "fwd" || prefix == "fw" || prefix == "aw" || prefix == "wg") {
		add(2.0, "subject pretends to be a reply")
	}
	text := c.part("text")
	visible := c.part("HTML").text
	body := text.text
	if len(visible) > len(body) {
		body = visible
	}
	if upper, lower := cases(body); upper+lower >= 100 {
		switch share := float64(upper) / float64(upper+lower); {
		case share >= 0.75:
			add(1.5, "three quarters of the letters are capitals")
		case share >= 0.5:
			add(0.8, "half of the letters are capitals")
		}
	}
	if strings.Contains(body, "!!!") {
		add(0.5, "!!!")
	}
	if c.markup.images > 0 {
		n := wordBytes(visible)
		for _, step := range wordsBesideImages {
			if n < step.below {
				add(step.points, fmt.Sprintf("images beside only %d bytes of words", n))
				break
			}
		}
	}
	if n := c.markup.noAlt; n > 0 {
		add(min(0.1*float64(n), 0.5), fmt.Sprintf("%d images without description", n))
	}
	if c.message.HTML != "" && strings.TrimSpace(c.message.Text) == "" {
		add(0.1, "no text part")
	}
	if hides := hiddenBesides(c.part("hidden HTML").text, c.part("preheader").text); hides != "" {
		add(0.7, "hidden text")
	}
	for _, element := range c.markup.forbidden {
		add(5.0, "<"+element+"> in mail")
	}
	for i, said := range spamPhrasesIn(c.parts) {
		if said {
			add(spamPhrases[i].points, "\""+strings.Join(spamPhrases[i].words, " ")+"\"")
		}
	}
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].points > parts[j].points })
	sum := 0.0
	list := make([]string, len(parts))
	for i, p := range parts {
		sum += p.points
		list[i] = fmt.Sprintf("%s %.1f", p.what, p.points)
	}
	return math.Round(sum*10) / 10, strings.Join(list, ", ")
}

// wordBytes counts bytes, taking every run of white space as one.
func wordBytes(s string) int {
	n, space := 0, true
	for i := 0; i < len(s); i++ {
		blank := s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r'
		if !blank || !space {
			n++
		}
		space = blank
	}
	return n
}

// spamPhrasesIn tells for each phrase whether any part says it.
func spamPhrasesIn(parts []part) []bool {
	said := make([]bool, len(spamPhrases))
	for _, p := range parts {
		for i, t := range p.tokens {
			if t.class&spamWord == 0 && t.text != "100" {
				continue
			}
			for j, ph := range spamPhrases {
				said[j] = said[j] || t.text == ph.words[0] && follows(p.tokens[i+1:], ph.words[1:])
			}
		}
	}
	return said
}

// cases counts capital and small letters.
func cases(s string) (upper, lower int) {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			lower++
		case r >= 'A' && r <= 'Z':
			upper++
		case r < utf8.RuneSelf:
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	return upper, lower
}

// hiddenBesides is the hidden text that is not the preheader: showing that in
// the inbox list only is common practice.
func hiddenBesides(hidden, preheader string) string {
	hidden = strings.Join(strings.Fields(hidden), " ")
	preheader = strings.Join(strings.Fields(preheader), " ")
	return strings.TrimSpace(strings.Replace(hidden, preheader, "", 1))
}
